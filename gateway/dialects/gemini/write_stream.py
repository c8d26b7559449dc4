"""Gemini's stream, written for a client: each event is a whole response with some more of the answer.

A call is one part, so its arguments are held until they are complete. The finish reasons and the usage wait for the end
of all, in the last event. Without `alt=sse` the same responses are the elements of one JSON array.
"""

from collections.abc import Sequence

import orjson

from gateway.dialects.arguments import as_object
from gateway.dialects.gemini.reply import write_candidate, write_part, write_stop, write_usage
from gateway.dialects.gemini_error import write_error
from gateway.dialects.neutral import (
    Begin,
    ChatRequest,
    Decline,
    DeclineDelta,
    Delta,
    End,
    Failed,
    MediaDelta,
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
from gateway.exchange import Json, Usage


class _Choice:
    """What is held back of a choice: its calls, a signature that waits for its part, and why it ended."""

    __slots__ = ("calls", "carried", "failed", "stop")

    def __init__(self) -> None:
        self.calls: dict[int, tuple[ToolBegin, list[str]]] = {}
        self.carried: str | None = None
        self.failed = False
        self.stop = StopReason.END


class Writer:
    def __init__(self, request: ChatRequest, *, wants_usage: bool, as_array: bool = False) -> None:
        """`wants_usage` has no say: this dialect always tells usage."""
        self._head: Json = {"modelVersion": request.model, "responseId": ""}
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None
        self._as_array = as_array
        self._begun = False

    def write(self, delta: Delta) -> bytes:
        match delta:
            case Begin():
                self._head = {"modelVersion": delta.model or self._head["modelVersion"], "responseId": delta.id}
            case Stop():
                self._choice(delta.choice).stop = delta.reason
                return self._called(delta.choice)
            case UsageDelta():
                self._usage = delta.usage
            case Failed():
                return self._event(write_error(delta.refusal)) + (b"]" if self._as_array else b"")
            case End():
                pass
            case _:
                return self._said(delta)
        return b""

    def _said(self, delta: TextDelta | ReasoningDelta | DeclineDelta | MediaDelta | ToolBegin | ToolDelta) -> bytes:
        match delta:
            case TextDelta():
                return self._part(delta.choice, Text(delta.text), delta.logprobs) if delta.text else b""
            case DeclineDelta():
                return self._part(delta.choice, Decline(delta.text))
            case MediaDelta():
                return self._part(delta.choice, delta.media)
            case ReasoningDelta():
                return self._thoughts(delta)
            case ToolBegin():
                self._choice(delta.choice).calls[delta.call] = (delta, [])
            case ToolDelta():
                if (held := self._choice(delta.choice).calls.get(delta.call)) is not None:
                    held[1].append(delta.arguments)
        return b""

    def terminal(self) -> bytes:
        said = b"".join(self._called(index) for index in self._choices)
        candidates = [self._last(index, choice) for index, choice in sorted((self._choices or {0: _Choice()}).items())]
        usage = {"usageMetadata": write_usage(self._usage)} if self._usage is not None else {}
        return said + self._event({"candidates": candidates, **usage, **self._head}) + (b"]" if self._as_array else b"")

    def _last(self, index: int, choice: _Choice) -> Json:
        parts = [write_part(Text(""), choice.carried)]
        return {**write_candidate(index, parts, None), "finishReason": write_stop(choice.stop, failed=choice.failed)}

    def _choice(self, index: int) -> _Choice:
        return self._choices.setdefault(index, _Choice())

    def _thoughts(self, delta: ReasoningDelta) -> bytes:
        choice, said = self._choice(delta.choice), b""
        if choice.carried is not None:  # the signature of the thought before this one
            said = self._part(delta.choice, Text(""))
        if delta.text:
            said += self._part(delta.choice, Reasoning(delta.text))
        choice.carried = delta.signature
        return said

    def _called(self, index: int) -> bytes:
        """The calls that were held back, whole."""
        choice = self._choice(index)
        calls, choice.calls = choice.calls, {}
        said = b""
        for begin, pieces in calls.values():
            arguments = "".join(pieces)
            choice.failed |= as_object(arguments) is None
            said += self._part(index, ToolUse(begin.id, begin.name, arguments, begin.signature))
        return said

    def _part(self, index: int, part: Part, logprobs: Sequence[TokenLogprob] | None = None) -> bytes:
        choice = self._choice(index)
        signature, choice.carried = choice.carried, None
        candidate = write_candidate(index, [write_part(part, signature)], logprobs)
        return self._event({"candidates": [candidate], **self._head})

    def _event(self, said: Json) -> bytes:
        if not self._as_array:
            return b"data: %b\n\n" % orjson.dumps(said)
        begin, self._begun = b"[" if not self._begun else b",\r\n", True
        return begin + orjson.dumps(said)


def writer(request: ChatRequest, *, wants_usage: bool, as_array: bool = False) -> Writer:
    return Writer(request, wants_usage=wants_usage, as_array=as_array)
