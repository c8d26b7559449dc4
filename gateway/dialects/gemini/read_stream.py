"""Gemini's stream, read: each event is a whole response with some more of the answer. There is no last word but the
finish reason, which ends a candidate; when all have ended, so has the stream."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from gateway.dialects.base import BrokenReply
from gateway.dialects.fields import Fields, answered
from gateway.dialects.gemini.reply import (
    CANDIDATES_MAX,
    blocked,
    candidates,
    made_id,
    read_logprobs,
    read_parts,
    read_stop,
    read_usage,
)
from gateway.dialects.neutral import (
    Begin,
    Delta,
    End,
    Failed,
    Media,
    MediaDelta,
    Part,
    Reasoning,
    ReasoningDelta,
    Stop,
    StopReason,
    Text,
    TextDelta,
    ToolBegin,
    ToolDelta,
    ToolUse,
    UsageDelta,
)
from gateway.errors import UpstreamError
from gateway.exchange import Usage
from gateway.providers.rejection import redact

_SAID_NOTHING = "The model's provider failed."


class Reader:
    def __init__(self) -> None:
        self._begun = False
        self._over = False
        self._calls: dict[int, int] = {}
        self._running: set[int] = set()
        self._stopped: set[int] = set()
        self._usage: Usage | None = None

    def read(self, data: bytes) -> Iterable[Delta]:
        if self._over:
            return []
        try:
            event = answered(orjson.loads(data))
        except orjson.JSONDecodeError as error:
            raise BrokenReply("an event is not JSON") from error
        return list(self._event(event))

    def _event(self, event: Fields) -> Iterator[Delta]:
        if event.has("error"):
            self._over = True
            yield Failed(UpstreamError(_failure(event.value("error"))))
            return
        if not self._begun:
            self._begun = True
            yield Begin(event.text("responseId") or "", event.text("modelVersion") or "")
        self._usage = read_usage(event) or self._usage
        for candidate in candidates(event):
            yield from self._candidate(candidate, event)
        if blocked(event) and not self._running and not self._stopped:
            self._stopped.add(0)
            yield Stop(StopReason.CONTENT_FILTER)
        if self._stopped and not self._running:
            self._over = True
            if self._usage is not None:
                yield UsageDelta(self._usage)
            yield End()

    def _candidate(self, candidate: Fields, event: Fields) -> Iterator[Delta]:
        index = candidate.integer("index", 0, CANDIDATES_MAX) or 0
        if index in self._stopped:
            candidate.refuse("index", "says more after the candidate has ended")
        self._running.add(index)
        logprobs = read_logprobs(candidate)
        for part in read_parts(candidate):
            for delta in self._deltas(part, index, event):
                if isinstance(delta, TextDelta) and logprobs is not None:
                    delta, logprobs = delta._replace(logprobs=logprobs), None
                yield delta
        if (stop := read_stop(candidate, called=index in self._calls)) is not None:
            self._running.remove(index)
            self._stopped.add(index)
            yield Stop(stop, choice=index)

    def _deltas(self, part: Part, index: int, event: Fields) -> Iterator[Delta]:
        match part:
            case Text(text):
                yield TextDelta(text, index)
            case Reasoning(text, signature):
                if text:
                    yield ReasoningDelta(text, choice=index)
                if signature is not None:
                    yield ReasoningDelta(signature=signature, choice=index)
            case ToolUse():
                call = self._calls.get(index, 0)
                self._calls[index] = call + 1
                call_id = part.id or made_id(event, index, call, part)
                yield ToolBegin(call, call_id, part.name, index, part.signature)
                yield ToolDelta(call, part.arguments, index)
            case Media():
                yield MediaDelta(part, index)


def _failure(error: Any) -> str:
    message = error.get("message") if isinstance(error, dict) else None
    return redact(message) if isinstance(message, str) and message else _SAID_NOTHING


def reader() -> Reader:
    return Reader()
