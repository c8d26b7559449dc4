"""A ConverseStream, read event by event: each is one JSON object with one key, the event's type.

`metadata`, with the usage, is the last event of all. An event of a type that is new is passed over, as AWS asks; a
block of a kind that was not asked for is not.
"""

from collections.abc import Iterable, Iterator

import orjson

from gateway.dialects.base import BrokenReply
from gateway.dialects.converse.read import read_stop, read_thoughts, read_usage
from gateway.dialects.fields import Fields, answered
from gateway.dialects.neutral import (
    Begin,
    Delta,
    End,
    Failed,
    ReasoningDelta,
    Stop,
    TextDelta,
    ToolBegin,
    ToolDelta,
    UsageDelta,
)
from gateway.errors import Refusal
from gateway.providers.rejection import rejection

_STATUSES = {
    "validationException": 400,
    "throttlingException": 429,
    "serviceUnavailableException": 503,
    "internalServerException": 500,
}
_OTHER_FAILURE = 502
_CALLS_MAX = 1024


class Reader:
    def __init__(self) -> None:
        self._begun = False
        self._stopped = False
        self._over = False
        self._calls: dict[int, int] = {}
        self._said_nothing: set[int] = set()

    def read(self, data: bytes) -> Iterable[Delta]:
        if self._over:
            return []
        try:
            event = answered(orjson.loads(data))
        except orjson.JSONDecodeError as error:
            raise BrokenReply("an event is not JSON") from error
        if len(event.node) != 1:
            raise BrokenReply("an event must be of one type")
        [kind] = event.node
        if kind == "error" or kind.endswith("Exception"):
            self._over = True
            return [Failed(_failure(kind, event.value(kind)))]
        return list(self._event(kind, event))

    def _event(self, kind: str, event: Fields) -> Iterator[Delta]:
        if not self._begun and kind != "messageStart":
            raise BrokenReply("the stream does not begin with its message")
        match kind:
            case "messageStart":
                if not self._begun:
                    self._begun = True
                    yield Begin("", "")
            case "contentBlockStart" | "contentBlockDelta" | "contentBlockStop":
                if self._stopped:
                    raise BrokenReply("a block comes after the end of its message")
                yield from self._block(kind, event.need_child(kind))
            case "messageStop":
                if not self._stopped:
                    self._stopped = True
                    yield Stop(*read_stop(event.need_child(kind)))
            case "metadata":
                yield from self._metadata(event.need_child(kind))

    def _metadata(self, metadata: Fields) -> Iterator[Delta]:
        if not self._stopped:
            raise BrokenReply("the stream ends before its message")
        self._over = True
        if (usage := read_usage(metadata.value("usage"))) is not None:
            yield UsageDelta(usage)
        yield End()

    def _block(self, kind: str, event: Fields) -> Iterator[Delta]:
        index = event.need_integer("contentBlockIndex", 0)
        match kind:
            case "contentBlockStart":
                yield from self._begin(index, event.need_child("start"))
            case "contentBlockDelta":
                yield from self._delta(index, event.need_child("delta"))
            case _ if index in self._said_nothing:  # an empty text is no JSON
                self._said_nothing.discard(index)
                yield ToolDelta(self._calls[index], "{}")

    def _begin(self, index: int, start: Fields) -> Iterator[Delta]:
        if not start.node:  # of mere text, which needs no beginning
            return
        call = start.child("toolUse")
        if call is None or index in self._calls or len(self._calls) >= _CALLS_MAX:
            start.refuse("", "begins what was not asked for.")
        number = self._calls[index] = len(self._calls)
        self._said_nothing.add(index)
        yield ToolBegin(number, call.need_text("toolUseId"), call.need_text("name"))

    def _delta(self, index: int, delta: Fields) -> Iterator[Delta]:
        if (text := delta.text("text")) is not None:
            if text:
                yield TextDelta(text)
        elif (call := delta.child("toolUse")) is not None:
            if index not in self._calls:
                delta.refuse("toolUse", "goes on with a call that has not begun.")
            if arguments := call.need_text("input"):
                self._said_nothing.discard(index)
                yield ToolDelta(self._calls[index], arguments)
        elif (thoughts := delta.child("reasoningContent")) is not None:
            yield ReasoningDelta(*read_thoughts(thoughts))
        elif not delta.has("citation"):  # what a text rests on has no place in the form between dialects
            delta.refuse("", "is of a kind that was not asked for.")


def reader() -> Reader:
    return Reader()


def _failure(kind: str, said: object) -> Refusal:
    message = said.get("message") if isinstance(said, dict) else None
    body = orjson.dumps({"message": message if isinstance(message, str) else ""})
    return rejection(_STATUSES.get(kind, _OTHER_FAILURE), {}, body)
