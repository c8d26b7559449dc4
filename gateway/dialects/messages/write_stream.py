"""Anthropic's stream, written for a client. Every event names itself on an `event:` line: SDKs see no other.

Blocks follow one another; a tool's block stays open beside the next only while its arguments are not yet whole JSON,
since some providers mix the pieces of several calls. The last two events wait for the end of all.
"""

import orjson

from gateway.dialects.arguments import as_object
from gateway.dialects.messages.reply import as_markdown, message_head, write_stop, write_usage
from gateway.dialects.neutral import (
    Begin,
    ChatRequest,
    DeclineDelta,
    Delta,
    Failed,
    MediaDelta,
    ReasoningDelta,
    Stop,
    StopReason,
    TextDelta,
    ToolBegin,
    ToolDelta,
    UsageDelta,
)
from gateway.dialects.signature import Origin, bare
from gateway.errors import render
from gateway.exchange import Dialect, Json, Usage


class _Call:
    """A tool call's open block, and the arguments so far."""

    __slots__ = ("block", "said")

    def __init__(self, block: int) -> None:
        self.block = block
        self.said: list[str] = []


class Writer:
    def __init__(self, request: ChatRequest, *, wants_usage: bool) -> None:
        """`wants_usage` has no say: this dialect always tells usage."""
        self._model = request.model
        self._blocks = 0
        self._open: tuple[str, int] | None = None  # the kind and the number of an open block, a tool's apart
        self._calls: dict[int, _Call] = {}
        self._called = False
        self._declined = False
        self._stop: Stop | None = None
        self._usage: Usage | None = None

    def write(self, delta: Delta) -> bytes:
        match delta:
            case Begin():
                head = message_head(delta.id, delta.model or self._model)
                message = {
                    **head,
                    "content": [],
                    "stop_reason": None,
                    "stop_sequence": None,
                    "usage": write_usage(None),
                }
                return _event({"type": "message_start", "message": message})
            case TextDelta(text) | DeclineDelta(text):
                self._declined |= isinstance(delta, DeclineDelta)
                return self._text(text)
            case MediaDelta():
                return self._text(as_markdown(delta.media))
            case ReasoningDelta():
                return self._thoughts(delta)
            case ToolBegin():
                return self._call(delta)
            case ToolDelta():
                return self._arguments(delta)
            case Stop():
                self._stop = delta
                return self._close_all()
            case UsageDelta():
                self._usage = delta.usage
            case Failed():
                return b"event: error\ndata: %b\n\n" % render(delta.refusal, Dialect.ANTHROPIC, "")
        return b""

    def terminal(self) -> bytes:
        reason = StopReason.TOOL_USE if self._called else StopReason.END
        stop = self._stop if self._stop is not None else Stop(reason)
        said = write_stop(stop.reason, stop.stop_sequence, declined=self._declined)
        last = _event({"type": "message_delta", "delta": said, "usage": write_usage(self._usage)})
        return self._close_all() + last + _event({"type": "message_stop"})

    def _text(self, text: str) -> bytes:
        if not text:
            return b""
        begun, block = self._ensure("text", {"type": "text", "text": ""})
        return begun + _delta(block, {"type": "text_delta", "text": text})

    def _thoughts(self, delta: ReasoningDelta) -> bytes:
        if delta.redacted is not None:
            data = bare(Origin.ANTHROPIC, delta.redacted)
            begun, _ = self._ensure("redacted", {"type": "redacted_thinking", "data": data})
            return begun + self._close()
        if not delta.text and delta.signature is None:
            return b""
        said, block = self._ensure("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        if delta.text:
            said += _delta(block, {"type": "thinking_delta", "thinking": delta.text})
        if delta.signature is not None:
            signature = bare(Origin.ANTHROPIC, delta.signature)
            said += _delta(block, {"type": "signature_delta", "signature": signature}) + self._close()
        return said

    def _call(self, delta: ToolBegin) -> bytes:
        signed = self._thoughts(ReasoningDelta(signature=delta.signature)) if delta.signature is not None else b""
        self._called = True
        closed = signed + self._close() + self._close_whole_calls()
        self._calls[delta.call] = _Call(self._blocks)
        return closed + self._start({"type": "tool_use", "id": delta.id, "name": delta.name, "input": {}})

    def _arguments(self, delta: ToolDelta) -> bytes:
        call = self._calls.get(delta.call)
        if call is None or not delta.arguments:
            return b""
        call.said.append(delta.arguments)
        return _delta(call.block, {"type": "input_json_delta", "partial_json": delta.arguments})

    def _close_whole_calls(self) -> bytes:
        whole = [key for key, call in self._calls.items() if call.said and as_object("".join(call.said)) is not None]
        return b"".join(_stop(self._calls.pop(key).block) for key in whole)

    def _ensure(self, kind: str, block: Json) -> tuple[bytes, int]:
        """The number of an open block of `kind`, and the events that it took to open it."""
        if self._open is not None and self._open[0] == kind:
            return b"", self._open[1]
        begun = self._close() + self._close_whole_calls()
        self._open = kind, self._blocks
        return begun + self._start(block), self._open[1]

    def _start(self, block: Json) -> bytes:
        self._blocks += 1
        return _event({"type": "content_block_start", "index": self._blocks - 1, "content_block": block})

    def _close(self) -> bytes:
        closed = b"" if self._open is None else _stop(self._open[1])
        self._open = None
        return closed

    def _close_all(self) -> bytes:
        calls = b"".join(_stop(call.block) for call in self._calls.values())
        self._calls = {}
        return self._close() + calls


def _delta(block: int, delta: Json) -> bytes:
    return _event({"type": "content_block_delta", "index": block, "delta": delta})


def _stop(block: int) -> bytes:
    return _event({"type": "content_block_stop", "index": block})


def _event(event: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


def writer(request: ChatRequest, *, wants_usage: bool) -> Writer:
    return Writer(request, wants_usage=wants_usage)
