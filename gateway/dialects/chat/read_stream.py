"""A stream of chat completion chunks, read from any server that speaks the dialect.

Servers differ: some number no calls, some number them all 0, some send usage with each chunk, some say again that a
choice has ended. What is sure is the order of what comes out.
"""

from collections.abc import Iterable, Iterator

import orjson

from gateway.dialects.base import BrokenReply
from gateway.dialects.chat.read_messages import read_call_signature
from gateway.dialects.chat.reply import (
    read_arguments,
    read_choice_logprobs,
    read_drawn,
    read_said,
    read_stop,
    read_usage,
)
from gateway.dialects.chat.thoughts import read_thoughts
from gateway.dialects.fields import Fields, answered
from gateway.dialects.neutral import (
    Begin,
    DeclineDelta,
    Delta,
    End,
    Failed,
    MediaDelta,
    Reasoning,
    ReasoningDelta,
    Stop,
    StopReason,
    TextDelta,
    ToolBegin,
    ToolDelta,
    UsageDelta,
)
from gateway.dialects.openai.failure import read_failure
from gateway.exchange import Usage

_CHOICES_MAX = 128
_CALLS_MAX = 1024
_PLAIN = frozenset(("content", "role"))


class _Choice:
    """What is known of one choice. `calls`: by the server's index, our number and the id of the latest call there."""

    __slots__ = ("calls", "count", "declined", "last", "stopped")

    def __init__(self) -> None:
        self.calls: dict[int, tuple[int, str]] = {}
        self.count = 0
        self.last = 0
        self.declined = False
        self.stopped = False


class Reader:
    def __init__(self) -> None:
        self._begun = False
        self._over = False
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None

    def read(self, data: bytes) -> Iterable[Delta]:
        if self._over:
            return []
        if data.strip() == b"[DONE]":
            return list(self._done())
        try:
            chunk = answered(orjson.loads(data))
        except orjson.JSONDecodeError as error:
            raise BrokenReply("a chunk is not JSON") from error
        return list(self._chunk(chunk))

    def _done(self) -> Iterator[Delta]:
        if not self._begun:
            raise BrokenReply("the stream ended before it began")
        self._over = True
        for index, choice in self._choices.items():
            if not choice.stopped:  # it was said that nothing is missing
                choice.stopped = True
                yield Stop(StopReason.TOOL_USE if choice.count else StopReason.END, choice=index)
        yield from self._counted()
        yield End()

    def _chunk(self, chunk: Fields) -> Iterator[Delta]:
        if chunk.value("error"):
            self._over = True
            yield Failed(read_failure(chunk.value("error")))
            return
        if not self._begun:
            if not chunk.value("choices") and not chunk.value("id"):
                return  # Azure judges the prompt in a chunk that knows nothing of the answer
            self._begun = True
            yield Begin(chunk.text("id") or "", chunk.text("model") or "", chunk.integer("created") or 0)
        for choice in chunk.children("choices"):
            yield from self._choice(choice)
        if (usage := read_usage(chunk.value("usage"))) is not None:
            self._usage = usage
        if self._choices and all(choice.stopped for choice in self._choices.values()):
            yield from self._counted()

    def _counted(self) -> Iterator[Delta]:
        """Usage is said once the choices have ended, however often the server says it."""
        if self._usage is not None:
            yield UsageDelta(self._usage)
            self._usage = None

    def _choice(self, choice: Fields) -> Iterator[Delta]:
        index = choice.integer("index", 0, _CHOICES_MAX - 1) or 0
        state = self._choices.setdefault(index, _Choice())
        delta = choice.child("delta")
        said = list(self._delta(delta, choice, index, state)) if delta is not None else []
        if state.stopped:
            if said:
                choice.refuse("delta", "says more after the choice has ended")
            return
        yield from said
        if choice.has("finish_reason"):
            reason, sequence = read_stop(choice, called=state.count > 0, declined=state.declined)
            state.stopped = True
            yield Stop(reason, sequence, index)

    def _delta(self, delta: Fields, choice: Fields, index: int, state: _Choice) -> Iterator[Delta]:
        if (text := _mere_text(delta, choice)) is not None:
            if text:
                yield TextDelta(text, index)
            return
        for thought in read_thoughts(delta):
            yield ReasoningDelta(*thought, choice=index)
        logprobs = read_choice_logprobs(choice) if choice.has("logprobs") else None
        for part in read_said(delta):
            if isinstance(part, Reasoning):
                yield ReasoningDelta(part.text, choice=index)
            else:
                yield TextDelta(part.text, index, logprobs)
                logprobs = None
        if refusal := delta.text("refusal"):
            state.declined = True
            yield DeclineDelta(refusal, index)
        for media in read_drawn(delta):
            yield MediaDelta(media, index)
        for call in delta.children("tool_calls"):
            yield from self._call(call, index, state)

    def _call(self, call: Fields, index: int, state: _Choice) -> Iterator[Delta]:
        function = call.child("function")
        name = function.text("name") if function is not None else None
        call_id = call.text("id") or ""
        place = call.integer("index", 0)
        if place is None:  # unnumbered: what has a name begins, what has none goes on
            place = state.count if name else state.last
        known = state.calls.get(place)
        if known is None or (name and call_id and call_id != known[1]):
            yield self._begin(call, name, place, index, state)
        state.last = place
        arguments = read_arguments(function) if function is not None else ""
        if arguments:
            yield ToolDelta(state.calls[place][0], arguments, index)

    def _begin(self, call: Fields, name: str | None, place: int, index: int, state: _Choice) -> ToolBegin:
        if not name or state.count >= _CALLS_MAX:
            call.refuse("function", "begins without a name" if not name else "is one call too many")
        number, state.count = state.count, state.count + 1
        call_id = call.text("id") or ""
        state.calls[place] = number, call_id
        return ToolBegin(number, call_id or f"call_{index}_{number}", name, index, read_call_signature(call))


def _mere_text(delta: Fields, choice: Fields) -> str | None:
    """The text of a delta that says nothing else, as nearly every one does: no field need be looked for."""
    text = delta.value("content")
    if not isinstance(text, str) or choice.value("logprobs"):
        return None
    return None if any(delta.node[name] for name in delta.node.keys() - _PLAIN) else text


def reader() -> Reader:
    return Reader()
