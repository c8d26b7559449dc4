"""What Ollama's `/api/chat` answers: one JSON object, or a line of them for each piece.

Both have one shape: a piece is a reply that isn't `done`. A reply has no id of its own, and where a tool call has none,
one is made up: later turns tell calls apart by it.
"""

import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import orjson

from gateway.dialects.arguments import as_json
from gateway.dialects.base import BrokenReply
from gateway.dialects.fields import Fields, answered
from gateway.dialects.neutral import (
    Begin,
    ChatReply,
    Choice,
    Delta,
    End,
    Failed,
    Media,
    MediaDelta,
    MediaKind,
    Part,
    Reasoning,
    ReasoningDelta,
    Stop,
    StopReason,
    Text,
    TextDelta,
    TokenLogprob,
    ToolBegin,
    ToolDelta,
    ToolUse,
    UsageDelta,
)
from gateway.dialects.openai.failure import read_failure
from gateway.dialects.openai.logprobs import read_logprobs
from gateway.exchange import Json, Usage
from gateway.providers import usage as counts

_IMAGE_HEADS = {"iVBOR": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}


def read_reply(reply: Json) -> ChatReply:
    fields = answered(reply)
    if fields.flag("done") is not True:
        fields.refuse("done", "must be true.")
    parts = _parts(fields.need_child("message"))
    choice = Choice(parts, _stop(fields, any(isinstance(part, ToolUse) for part in parts)), None, _logprobs(fields))
    return ChatReply("", fields.text("model") or "", [choice], _usage(fields), _created(fields))


class Reader:
    def __init__(self) -> None:
        self._begun = False
        self._over = False
        self._calls = 0

    def read(self, data: bytes) -> Iterable[Delta]:
        if self._over or not data.strip():
            return []
        try:
            line = answered(orjson.loads(data))
        except orjson.JSONDecodeError as error:
            raise BrokenReply("a line is not JSON") from error
        return list(self._line(line))

    def _line(self, line: Fields) -> Iterator[Delta]:
        if line.value("error"):
            self._over = True
            yield Failed(read_failure(line.value("error")))
            return
        if not self._begun:
            self._begun = True
            yield Begin("", line.text("model") or "", _created(line))
        if (message := line.child("message")) is not None:
            yield from self._said(_parts(message), _logprobs(line))
        if line.flag("done"):
            self._over = True
            yield Stop(_stop(line, self._calls > 0))
            if (usage := _usage(line)) is not None:
                yield UsageDelta(usage)
            yield End()

    def _said(self, parts: list[Part], logprobs: list[TokenLogprob] | None) -> Iterator[Delta]:
        for part in parts:
            match part:
                case Text():
                    yield TextDelta(part.text, logprobs=logprobs)
                    logprobs = None
                case Reasoning():
                    yield ReasoningDelta(part.text)
                case Media():
                    yield MediaDelta(part)
                case ToolUse():
                    yield ToolBegin(self._calls, part.id, part.name)
                    yield ToolDelta(self._calls, part.arguments)
                    self._calls += 1


def reader() -> Reader:
    return Reader()


def _parts(message: Fields) -> list[Part]:
    parts: list[Part] = []
    if thought := message.text("thinking"):
        parts.append(Reasoning(thought))
    if said := message.text("content"):
        parts.append(Text(said))
    parts += [Media(MediaKind.IMAGE, _mime(image), image) for image in message.texts("images")]
    parts += [_call(call) for call in message.children("tool_calls")]
    return parts


def _call(call: Fields) -> ToolUse:
    function = call.need_child("function")
    arguments = as_json(function.mapping("arguments") or {})
    if arguments is None:
        function.refuse("arguments", "is nested too deeply.")
    return ToolUse(call.text("id") or f"call_{uuid.uuid4().hex[:24]}", function.need_text("name"), arguments)


def _mime(image: str) -> str:
    return next((mime for head, mime in _IMAGE_HEADS.items() if image.startswith(head)), "image/png")


def _stop(fields: Fields, called: bool) -> StopReason:
    if fields.text("done_reason") == "length":
        return StopReason.LENGTH
    return StopReason.TOOL_USE if called else StopReason.END


def _usage(fields: Fields) -> Usage | None:
    """A count of 0 is left out by Ollama: without the prompt's there is none, since no prompt is empty."""
    return counts.read(fields.node, ("prompt_eval_count",), "eval_count")


def _logprobs(fields: Fields) -> list[TokenLogprob] | None:
    return read_logprobs(fields.children("logprobs")) or None


def _created(fields: Fields) -> int:
    """Unix seconds of an ISO time with any number of digits; 0 for what is none."""
    try:
        when = datetime.fromisoformat(fields.text("created_at") or "")
        return max(0, int(when.replace(tzinfo=when.tzinfo or UTC).timestamp()))
    except (ValueError, OverflowError):
        return 0
