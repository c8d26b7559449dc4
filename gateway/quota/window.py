"""A true sliding window: the calls of the last 60 s by time of admission, and what they come to.

The sums always equal what is in the window; each call is added once and leaves once.
"""

from dataclasses import dataclass

from gateway.quota.base import WINDOW_S


@dataclass(slots=True)
class _Call:
    """One call, or several known only as a number."""

    at: float
    calls: int
    tokens: int
    settled: bool


class SlidingWindow:
    """`calls` and `tokens` are everything in the window, `held` the tokens of it that are only reserved."""

    __slots__ = ("_calls", "calls", "held", "tokens")

    def __init__(self) -> None:
        self._calls: dict[str, _Call] = {}
        self.calls = 0
        self.tokens = 0
        self.held = 0

    def slide(self, now: float) -> None:
        gone = []
        for call_id, call in self._calls.items():
            if call.at > now - WINDOW_S:
                break
            gone.append(call_id)
        for call_id in gone:
            self.remove(call_id)

    def admit(self, call_id: str, tokens: int, now: float, *, settled: bool = False, calls: int = 1) -> None:
        self._calls[call_id] = _Call(now, calls, tokens, settled)
        self.calls += calls
        self.tokens += tokens
        self.held += 0 if settled else tokens

    def settle(self, call_id: str, tokens: int) -> None:
        """Replace what a call reserved by what it used; a call that has left the window stays out."""
        if (call := self._calls.get(call_id)) is not None:
            self.tokens += tokens - call.tokens
            self.held -= 0 if call.settled else call.tokens
            call.tokens, call.settled = tokens, True

    def remove(self, call_id: str) -> None:
        if (call := self._calls.pop(call_id, None)) is not None:
            self.calls -= call.calls
            self.tokens -= call.tokens
            self.held -= 0 if call.settled else call.tokens

    def oldest_leaves_at(self, now: float) -> float:
        return next((call.at + WINDOW_S for call in self._calls.values()), now)

    def wait_for_calls(self, missing: int, now: float) -> float:
        """How long until `missing` calls have left."""
        for call in self._calls.values():
            missing -= call.calls
            if missing <= 0:
                return call.at + WINDOW_S - now
        return WINDOW_S

    def wait_for_tokens(self, missing: int, now: float) -> float:
        """How long until `missing` tokens have left; looks at the 100 oldest calls, so that a refusal stays cheap."""
        for rank, call in enumerate(self._calls.values(), 1):
            missing -= call.tokens
            if missing <= 0 or rank == 100:
                return call.at + WINDOW_S - now
        return WINDOW_S
