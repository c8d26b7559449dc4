"""A whole Anthropic message: read from a provider, written for a client; and what its stream has in common with it.

Blocks of kinds that no translated call can ask for (searches, code run at Anthropic) are passed over. Where the model
drew a picture, which no block of an answer can hold, a client gets it as Markdown.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.dialects.arguments import as_json, as_object
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
)
from gateway.dialects.signature import Origin, bare, signed_by
from gateway.exchange import Json, Usage
from gateway.providers import usage as counts

_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_REASONS: Mapping[str, StopReason] = {
    "end_turn": StopReason.END, "pause_turn": StopReason.END, "max_tokens": StopReason.LENGTH,
    "model_context_window_exceeded": StopReason.LENGTH, "stop_sequence": StopReason.STOP_SEQUENCE,
    "tool_use": StopReason.TOOL_USE, "refusal": StopReason.REFUSAL,
}  # fmt: skip
_STOPS: Mapping[StopReason, str] = {
    StopReason.END: "end_turn", StopReason.LENGTH: "max_tokens", StopReason.STOP_SEQUENCE: "stop_sequence",
    StopReason.TOOL_USE: "tool_use", StopReason.CONTENT_FILTER: "refusal", StopReason.REFUSAL: "refusal",
}  # fmt: skip


def read_reply(reply: Json) -> ChatReply:
    message = answered(reply)
    if message.listing("content") is None:
        message.refuse("content", "is missing")
    parts = [part for block in message.children("content") for part in _read_block(block)]
    reason, sequence, declined = read_stop(message)
    if declined:
        parts.append(Decline(declined))
    choice = Choice(tuple(parts), reason, sequence)
    return ChatReply(
        message.text("id") or "", message.text("model") or "", (choice,), read_usage(message.value("usage"))
    )


def _read_block(block: Fields) -> Iterable[Part]:
    match block.need_text("type"):
        case "text":
            return [Text(text)] if (text := block.text("text")) else []
        case "thinking":
            return [Reasoning(block.text("thinking") or "", signed_by(Origin.ANTHROPIC, block.text("signature")))]
        case "redacted_thinking":
            return [Reasoning("", redacted=signed_by(Origin.ANTHROPIC, block.need_text("data")))]
        case "tool_use":
            return [ToolUse(block.need_text("id"), block.need_text("name"), read_input(block))]
    return []


def read_input(block: Fields) -> str:
    """A tool call's `input` as JSON text."""
    text = as_json(block.mapping("input") or {})
    return text if text is not None else block.refuse("input", "is nested too deeply")


def read_stop(said: Fields) -> tuple[StopReason, str | None, str | None]:
    """Why the model ended, at which sequence, and what it said on refusing."""
    reason = _REASONS.get(said.text("stop_reason") or "", StopReason.END)
    details = said.child("stop_details") if reason is StopReason.REFUSAL else None
    return reason, said.text("stop_sequence"), None if details is None else details.text("explanation")


def read_usage(said: Any) -> Usage | None:
    """Anthropic's input leaves out what its cache read and wrote; ours holds both."""
    usage = counts.read(said, _INPUT, "output_tokens")
    if usage is None or not isinstance(details := said.get("output_tokens_details"), dict):
        return usage
    thoughts = details.get("thinking_tokens")
    return usage._replace(reasoning_tokens=thoughts) if type(thoughts) is int and thoughts > 0 else usage


def write_reply(reply: ChatReply, request: ChatRequest) -> Json:
    """Of several choices the first: who speaks this dialect can't have asked for more."""
    choice = reply.choices[0] if reply.choices else Choice((), StopReason.END)
    declined = any(isinstance(part, Decline) for part in choice.parts)
    return {
        **message_head(reply.id, reply.model or request.model),
        "content": [block for part in choice.parts for block in _write_block(part)],
        **write_stop(choice.stop, choice.stop_sequence, declined=declined),
        "usage": write_usage(reply.usage),
    }


def message_head(reply_id: str, model: str) -> Json:
    return {"id": reply_id or "msg_0", "type": "message", "role": "assistant", "model": model}


def _write_block(part: Part) -> Sequence[Json]:
    match part:
        case Text(text) | Decline(text):
            return [{"type": "text", "text": text}] if text else []
        case Reasoning(redacted=str(data)):
            return [{"type": "redacted_thinking", "data": bare(Origin.ANTHROPIC, data)}]
        case Reasoning(text, signature):
            return [{"type": "thinking", "thinking": text, "signature": bare(Origin.ANTHROPIC, signature) or ""}]
        case ToolUse():
            call = {"type": "tool_use", "id": part.id, "name": part.name, "input": _input(part.arguments)}
            return [*_write_block(Reasoning("", part.signature)), call] if part.signature is not None else [call]
        case Media():
            return [{"type": "text", "text": as_markdown(part)}]
    return []


def _input(arguments: str) -> Json:
    """A model may write arguments that are no object; the client shall see what it wrote."""
    value = as_object(arguments)
    return value if value is not None else {"arguments": arguments}


def as_markdown(media: Media) -> str:
    url = media.url or (f"data:{media.mime};base64,{media.data}" if media.data is not None else media.file_id or "")
    return f"![]({url})" if media.kind is MediaKind.IMAGE else f"[{media.name or media.kind}]({url})"


def write_stop(reason: StopReason, sequence: str | None, *, declined: bool) -> Json:
    said = "refusal" if declined and reason is StopReason.END else _STOPS[reason]
    return {"stop_reason": said, "stop_sequence": sequence if said == "stop_sequence" else None}


def write_usage(usage: Usage | None) -> Json:
    """Clients insist on numbers: where nothing is known, they are 0."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    thoughts = {"output_tokens_details": {"thinking_tokens": usage.reasoning_tokens}} if usage.reasoning_tokens else {}
    return {
        "input_tokens": max(usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens, 0),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
        **thoughts,
    }
