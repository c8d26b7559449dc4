"""A stream of OpenAI's response events, written for a client. The last event waits until the call is on record."""

import time
from collections.abc import Iterator

import orjson

from gateway.dialects.neutral import (
    Begin,
    ChatRequest,
    Delta,
    End,
    Failed,
    Stop,
    StopReason,
    UsageDelta,
)
from gateway.dialects.responses.answer import Answer
from gateway.dialects.responses.envelope import ending, envelope, is_cut
from gateway.errors import Refusal
from gateway.exchange import Json, Usage


class Writer:
    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._answer = Answer("")
        self._response = envelope("", request.model, 0, request)
        self._stop = StopReason.END
        self._usage: Usage | None = None
        self._number = 0
        self._last = b""

    def write(self, delta: Delta) -> bytes:
        if isinstance(delta, End):
            self._last = b"".join([self._event(event) for event in self._end()])
            return b""
        return b"".join([self._event(event) for event in self._events(delta)])

    def terminal(self) -> bytes:
        return self._last

    def _events(self, delta: Delta) -> Iterator[Json]:
        match delta:
            case Begin():
                yield from self._begin(delta)
            case Stop():
                self._stop = delta.reason
                yield from self._answer.close(cut=is_cut(delta.reason, declined=self._answer.declined))
            case UsageDelta():
                self._usage = delta.usage
            case Failed():
                yield from self._fail(delta.refusal)
            case _:
                yield from self._answer.grow(delta)

    def _begin(self, delta: Begin) -> Iterator[Json]:
        self._answer = Answer(delta.id)
        created = delta.created or int(time.time())
        self._response = envelope(delta.id, delta.model or self._request.model, created, self._request)
        yield {"type": "response.created", "response": self._response}
        yield {"type": "response.in_progress", "response": self._response}

    def _end(self) -> Iterator[Json]:
        yield from self._answer.close()
        answer = self._answer
        self._response |= ending(self._stop, answer.output, self._usage, declined=answer.declined)
        yield {"type": f"response.{self._response['status']}", "response": self._response}

    def _fail(self, refusal: Refusal) -> Iterator[Json]:
        yield from self._answer.close(cut=True)
        code = "rate_limit_exceeded" if refusal.status == 429 else "server_error"
        error = {"code": code, "message": refusal.message}
        self._response |= {"status": "failed", "error": error, "output": self._answer.output}
        yield {"type": "response.failed", "response": self._response}

    def _event(self, event: Json) -> bytes:
        number, self._number = self._number, self._number + 1
        written = orjson.dumps({**event, "sequence_number": number})
        return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), written)


def writer(request: ChatRequest, *, wants_usage: bool) -> Writer:
    """Usage is always told: the dialect leaves no choice."""
    return Writer(request)
