"""Anthropic's stream, read. Blocks come one after another, each with a number; calls are counted apart.

A block of a kind that can't have been asked for is passed over with its deltas; a delta for a block that never began is
a broken stream.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from gateway.dialects.base import BrokenReply
from gateway.dialects.fields import Fields, answered
from gateway.dialects.messages.reply import read_input, read_stop, read_usage
from gateway.dialects.neutral import (
    Begin,
    DeclineDelta,
    Delta,
    End,
    Failed,
    ReasoningDelta,
    Stop,
    StopReason,
    TextDelta,
    ToolBegin,
    ToolDelta,
    UsageDelta,
)
from gateway.dialects.signature import Origin, signed_by
from gateway.errors import UpstreamError
from gateway.exchange import Json
from gateway.providers.rejection import redact

_SAID_NOTHING = "The model's provider failed."


class _Block:
    """An open block. `call` is the number of a tool call; `unsaid` its arguments, until a delta says them."""

    __slots__ = ("call", "unsaid")

    def __init__(self, call: int | None = None, unsaid: str | None = None) -> None:
        self.call = call
        self.unsaid = unsaid


class Reader:
    def __init__(self) -> None:
        self._begun = False
        self._stopped = False
        self._over = False
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._usage: Json = {}

    def read(self, data: bytes) -> Iterable[Delta]:
        if self._over:
            return []
        try:
            event = answered(orjson.loads(data))
        except orjson.JSONDecodeError as error:
            raise BrokenReply("an event is not JSON") from error
        return list(self._event(event))

    def _event(self, event: Fields) -> Iterator[Delta]:
        kind = event.text("type")
        if kind == "error":
            self._over = True
            yield Failed(UpstreamError(_failure(event.value("error"))))
        elif kind == "message_start":
            yield self._begin(event.need_child("message"))
        elif kind in ("content_block_start", "content_block_delta", "content_block_stop"):
            yield from self._block_event(kind, event)
        elif kind == "message_delta":
            yield from self._message_delta(event)
        elif kind == "message_stop":
            yield from self._end(event)

    def _begin(self, message: Fields) -> Begin:
        if self._begun:
            message.refuse("", "begins twice")
        self._begun = True
        self._count(message.value("usage"))
        return Begin(message.text("id") or "", message.text("model") or "")

    def _count(self, said: Any) -> None:
        """The counts are cumulative, and said in part: the input at the start, the output at the end."""
        if isinstance(said, dict):
            self._usage |= {name: value for name, value in said.items() if value is not None}

    def _block_event(self, kind: str, event: Fields) -> Iterator[Delta]:
        index = event.need_integer("index", 0)
        if not self._begun or self._stopped:
            event.refuse("", "comes before the message began or after it ended")
        if kind == "content_block_start":
            yield from self._block(index, event.need_child("content_block"))
            return
        block = self._blocks.get(index)
        if block is None:
            event.refuse("index", "names a block that is not open")
        if kind == "content_block_delta":
            yield from _delta(block, event.need_child("delta"))
        else:
            del self._blocks[index]
            if block.call is not None and block.unsaid is not None:
                yield ToolDelta(block.call, block.unsaid)

    def _block(self, index: int, block: Fields) -> Iterator[Delta]:
        if index in self._blocks:
            block.refuse("", "begins twice")
        self._blocks[index] = _Block()
        match block.need_text("type"):
            case "text":
                yield from _some(TextDelta(block.text("text") or ""))
            case "thinking":
                yield from _thoughts(block)
            case "redacted_thinking":
                yield ReasoningDelta(redacted=signed_by(Origin.ANTHROPIC, block.need_text("data")))
            case "tool_use":
                self._blocks[index] = _Block(self._calls, read_input(block))
                yield ToolBegin(self._calls, block.need_text("id"), block.need_text("name"))
                self._calls += 1

    def _message_delta(self, event: Fields) -> Iterator[Delta]:
        if not self._begun:
            event.refuse("", "comes before the message began")
        self._count(event.value("usage"))
        delta = event.child("delta")
        if delta is not None and delta.has("stop_reason") and not self._stopped:
            reason, sequence, declined = read_stop(delta)
            if declined:
                yield DeclineDelta(declined)
            yield self._stop(reason, sequence)

    def _stop(self, reason: StopReason, sequence: str | None = None) -> Stop:
        self._stopped = True
        return Stop(reason, sequence)

    def _end(self, event: Fields) -> Iterator[Delta]:
        if not self._begun:
            event.refuse("", "comes before the message began")
        self._over = True
        if not self._stopped:  # it was said that nothing is missing
            yield self._stop(StopReason.TOOL_USE if self._calls else StopReason.END)
        if (usage := read_usage(self._usage)) is not None:
            yield UsageDelta(usage)
        yield End()


def _delta(block: _Block, delta: Fields) -> Iterator[Delta]:
    match delta.need_text("type"):
        case "text_delta":
            yield from _some(TextDelta(delta.text("text") or ""))
        case "thinking_delta" | "signature_delta":
            yield from _thoughts(delta)
        case "input_json_delta" if block.call is not None:
            if said := delta.text("partial_json"):
                block.unsaid = None
                yield ToolDelta(block.call, said)


def _some(delta: TextDelta) -> Iterable[Delta]:
    return [delta] if delta.text else []


def _thoughts(said: Fields) -> Iterator[Delta]:
    if text := said.text("thinking"):
        yield ReasoningDelta(text)
    if (signature := signed_by(Origin.ANTHROPIC, said.text("signature"))) is not None:
        yield ReasoningDelta(signature=signature)


def _failure(error: Any) -> str:
    message = error.get("message") if isinstance(error, dict) else None
    return redact(message) if isinstance(message, str) and message else _SAID_NOTHING


def reader() -> Reader:
    return Reader()
