"""A whole response: read from a provider, written for a client."""

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from gateway.dialects.chat.reply import read_arguments
from gateway.dialects.fields import Fields, answered
from gateway.dialects.neutral import (
    ChatReply,
    ChatRequest,
    Choice,
    Decline,
    DeclineDelta,
    Delta,
    Media,
    MediaDelta,
    MediaKind,
    Part,
    Reasoning,
    ReasoningDelta,
    StopReason,
    Text,
    TextDelta,
    TokenLogprob,
    ToolBegin,
    ToolDelta,
    ToolUse,
)
from gateway.dialects.openai.logprobs import read_logprobs
from gateway.dialects.responses.answer import Answer
from gateway.dialects.responses.envelope import ending, envelope, is_cut
from gateway.dialects.responses.read_items import read_thought
from gateway.exchange import Json, Usage
from gateway.providers import usage as counts

_INCOMPLETE = {"max_output_tokens": StopReason.LENGTH, "content_filter": StopReason.CONTENT_FILTER}
_LATEST = 2**53
_DONE = ("completed", "incomplete")


def read_reply(reply: Json) -> ChatReply:
    fields = answered(reply)
    if fields.need_text("status") not in _DONE:
        fields.refuse("status", "says that the answer isn't complete.")
    parts: list[Part] = []
    logprobs: list[TokenLogprob] = []
    for item in fields.children("output"):
        parts += _read_item(item, logprobs)
    called = any(isinstance(part, ToolUse) for part in parts)
    stop = read_stop(fields, called=called, declined=any(isinstance(part, Decline) for part in parts))
    return ChatReply(
        id=fields.text("id") or "",
        model=fields.text("model") or "",
        choices=[Choice(parts, stop, None, logprobs or None)],
        usage=read_usage(fields.value("usage")),
        created=read_created(fields),
    )


def read_created(response: Fields) -> int:
    """Whole seconds; a time that JSON can't say again is none."""
    return int(response.number("created_at", 0, _LATEST) or 0)


def read_usage(said: Any) -> Usage | None:
    return counts.read(said, ("input_tokens",), "output_tokens")


def read_stop(response: Fields, *, called: bool, declined: bool) -> StopReason:
    """The dialect has no word for an answer that ends in a call, or in a refusal."""
    if response.text("status") == "incomplete":
        details = response.child("incomplete_details")
        reason = details.text("reason") if details is not None else None
        return _INCOMPLETE.get(reason or "", StopReason.LENGTH)
    if called:
        return StopReason.TOOL_USE
    return StopReason.REFUSAL if declined else StopReason.END


def _read_item(item: Fields, logprobs: list[TokenLogprob]) -> Iterator[Part]:
    """What we know nothing of was made by a tool that we didn't ask for: it is no part of the answer."""
    match item.need_text("type"):
        case "message":
            for part in item.children("content"):
                if part.text("type") == "refusal":
                    yield Decline(part.need_text("refusal"))
                elif part.text("type") == "output_text":
                    logprobs += read_logprobs(part.children("logprobs"))
                    yield Text(part.need_text("text"))
        case "reasoning":
            yield read_thought(item)
        case "function_call":
            yield ToolUse(item.need_text("call_id"), item.need_text("name"), read_arguments(item))
        case "image_generation_call" if item.has("result"):
            yield Media(MediaKind.IMAGE, f"image/{item.text('output_format') or 'png'}", item.need_text("result"))


def write_reply(reply: ChatReply, request: ChatRequest) -> Json:
    """The dialect knows one answer: the first choice. It is written as a stream of one delta a part would be."""
    choice, answer = reply.choices[0], Answer(reply.id)
    growing = [answer.grow(delta) for delta in _deltas(choice)]
    declined = any(isinstance(part, Decline) for part in choice.parts)
    for events in (*growing, answer.close(cut=is_cut(choice.stop, declined=declined))):
        deque(events, maxlen=0)
    response = envelope(reply.id, reply.model or request.model, reply.created or int(time.time()), request)
    return response | ending(choice.stop, answer.output, reply.usage, declined=declined)


def _deltas(choice: Choice) -> Iterator[Delta]:
    logprobs = choice.logprobs
    for i, part in enumerate(choice.parts):
        match part:
            case Text():
                yield TextDelta(part.text, logprobs=logprobs)
                logprobs = None
            case Decline():
                yield DeclineDelta(part.text)
            case Reasoning():
                yield ReasoningDelta(*part)
            case ToolUse():
                yield ToolBegin(i, part.id, part.name, signature=part.signature)
                yield ToolDelta(i, part.arguments)
            case Media():
                yield MediaDelta(part)
