"""A whole chat completion: read from a provider, written for a client."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.dialects.arguments import as_json
from gateway.dialects.chat.read_messages import read_call_signature
from gateway.dialects.chat.thoughts import read_thoughts, write_thoughts
from gateway.dialects.chat.write_messages import write_call
from gateway.dialects.fields import Fields, answered
from gateway.dialects.neutral import (
    ChatReply,
    ChatRequest,
    Choice,
    Decline,
    Media,
    MediaKind,
    Part,
    Reasoning,
    StopReason,
    Text,
    ToolUse,
    as_text,
)
from gateway.dialects.openai.logprobs import read_logprobs, write_logprobs
from gateway.dialects.openai.media import image_url, split_data_url
from gateway.exchange import Json, Usage
from gateway.providers import usage as counts

_REASONS = {
    "length": StopReason.LENGTH, "max_tokens": StopReason.LENGTH, "model_length": StopReason.LENGTH,
    "tool_calls": StopReason.TOOL_USE, "function_call": StopReason.TOOL_USE,
    "content_filter": StopReason.CONTENT_FILTER,
}  # fmt: skip
_BROKEN = ("error", "insufficient_system_resource")
_FINISHES: Mapping[StopReason, str] = {
    StopReason.END: "stop", StopReason.STOP_SEQUENCE: "stop", StopReason.LENGTH: "length",
    StopReason.TOOL_USE: "tool_calls", StopReason.CONTENT_FILTER: "content_filter",
    StopReason.REFUSAL: "content_filter",
}  # fmt: skip


def read_reply(reply: Json) -> ChatReply:
    fields = answered(reply)
    choices = fields.children("choices")
    if not choices:
        fields.refuse("choices", "must be an array with at least one choice.")
    return ChatReply(
        id=fields.text("id") or "",
        model=fields.text("model") or "",
        choices=[_read_choice(choice) for choice in sorted(choices, key=lambda one: one.integer("index", 0) or 0)],
        usage=read_usage(fields.value("usage")),
        created=fields.integer("created") or 0,
    )


def read_usage(said: Any) -> Usage | None:
    """None where the counts aren't plausible. DeepSeek says in its own words what its cache held."""
    usage = counts.read(said, ("prompt_tokens",), "completion_tokens")
    if usage is None or usage.cached_tokens:
        return usage
    hit = said.get("prompt_cache_hit_tokens")
    return usage._replace(cached_tokens=hit) if type(hit) is int and 0 < hit <= usage.prompt_tokens else usage


def _read_choice(choice: Fields) -> Choice:
    message = choice.need_child("message")
    parts: list[Part] = [*read_thoughts(message), *read_said(message)]
    if refusal := message.text("refusal"):
        parts.append(Decline(refusal))
    parts += read_drawn(message)
    parts += [_read_call(call, i) for i, call in enumerate(message.children("tool_calls"))]
    if (old := message.child("function_call")) is not None:
        parts.append(ToolUse("call_0", old.need_text("name"), read_arguments(old)))
    called = any(isinstance(part, ToolUse) for part in parts)
    declined = any(isinstance(part, Decline) for part in parts)
    stop, sequence = read_stop(choice, called=called, declined=declined)
    return Choice(parts, stop, sequence, read_choice_logprobs(choice))


def read_said(message: Fields) -> list[Text | Reasoning]:
    """`content`: a string, or (Mistral's thinking models) an array of parts."""
    content = message.value("content")
    if content is None or isinstance(content, str):
        return [Text(content)] if content else []
    said: list[Text | Reasoning] = []
    for part in message.children("content"):
        if part.text("type") == "thinking":
            said.append(Reasoning("".join(thought.text("text") or "" for thought in part.children("thinking"))))
        elif text := part.text("text"):
            said.append(Text(text))
    return said


def read_drawn(message: Fields) -> list[Media]:
    """Images, where OpenRouter puts them, and sound, where OpenAI does."""
    drawn = []
    for image in message.children("images"):
        url = image.need_child("image_url").need_text("url")
        split = split_data_url(url)
        drawn.append(Media(MediaKind.IMAGE, *split) if split is not None else Media(MediaKind.IMAGE, url=url))
    audio = message.child("audio")
    if audio is not None and (data := audio.text("data")):
        drawn.append(Media(MediaKind.AUDIO, "audio/wav", data))
    return drawn


def _read_call(call: Fields, place: int) -> ToolUse:
    function = call.need_child("function")
    return ToolUse(
        call.text("id") or f"call_{place}",
        function.need_text("name"),
        read_arguments(function),
        read_call_signature(call),
    )


def read_arguments(function: Fields) -> str:
    """JSON text; some servers forget to make it text."""
    arguments = function.value("arguments")
    if not isinstance(arguments, dict):
        return function.text("arguments") or ""
    if (text := as_json(arguments)) is None:
        function.refuse("arguments", "is nested too deeply.")
    return text


def read_stop(choice: Fields, *, called: bool, declined: bool) -> tuple[StopReason, str | None]:
    """Why the choice ended. Many servers say stop where they mean tool_calls; vLLM's `stop_reason` is the sequence."""
    finish = choice.text("finish_reason")
    if finish in _BROKEN:
        choice.refuse("finish_reason", "says that the model failed.")
    reason = _REASONS.get(finish or "")
    if reason is not None:
        return reason, None
    if called:
        return StopReason.TOOL_USE, None
    if declined:
        return StopReason.REFUSAL, None
    sequence = choice.value("stop_reason")
    return (StopReason.STOP_SEQUENCE, sequence) if isinstance(sequence, str) else (StopReason.END, None)


def read_choice_logprobs(choice: Fields) -> Any:
    logprobs = choice.child("logprobs")
    if logprobs is None or logprobs.listing("content") is None:
        return None
    return read_logprobs(logprobs.children("content"))


def write_reply(reply: ChatReply, request: ChatRequest) -> Json:
    return {
        "id": reply.id,
        "object": "chat.completion",
        "created": reply.created or int(time.time()),
        "model": reply.model or request.model,
        "choices": [_write_choice(choice, i) for i, choice in enumerate(reply.choices)],
        "usage": write_usage(reply.usage) if reply.usage is not None else None,
    }


def write_usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens, "audio_tokens": 0},
    }


def _write_choice(choice: Choice, index: int) -> Json:
    parts = choice.parts
    declined = "".join(part.text for part in parts if isinstance(part, Decline))
    message: Json = {
        "role": "assistant",
        "content": as_text(parts) or None,
        "refusal": declined or None,
        **write_thoughts([part for part in parts if isinstance(part, Reasoning)]),
        **write_drawn([part for part in parts if isinstance(part, Media)]),
    }
    if calls := [write_call(part) for part in parts if isinstance(part, ToolUse)]:
        message["tool_calls"] = calls
    logprobs = {"content": write_logprobs(choice.logprobs), "refusal": None} if choice.logprobs is not None else None
    stopped = write_stop(choice.stop, choice.stop_sequence, declined=bool(declined))
    return {"index": index, "message": message, "logprobs": logprobs, **stopped}


def write_drawn(drawn: Sequence[Media]) -> Json:
    """A file that is neither image nor sound has no place here; no provider's dialect reads one."""
    written: Json = {}
    images = [image_url(media) for media in drawn if media.kind is MediaKind.IMAGE]
    if images:
        written["images"] = [{"type": "image_url", "image_url": {"url": url}} for url in images]
    for media in drawn:
        if media.kind is MediaKind.AUDIO and media.data is not None:
            written["audio"] = {"id": "audio_0", "data": media.data, "expires_at": 0, "transcript": ""}
    return written


def write_stop(reason: StopReason, sequence: str | None, *, declined: bool) -> Json:
    """Where the model has said no in words, OpenAI's finish is a plain stop."""
    finish = "stop" if declined and reason is StopReason.REFUSAL else _FINISHES[reason]
    return {"finish_reason": finish} if sequence is None else {"finish_reason": finish, "stop_reason": sequence}
