"""What each target has to carry, as this worker sees it: calls under way, and how long it takes to begin an answer.

The time is a peak EWMA, as in Finagle's load balancer (P2CPeakEwma, from where linkerd has it too): a slower answer
counts at once and whole, quicker ones little by little, w = e^(-dt/tau), and without news the memory fades, so that
whoever was slow is tried again. The load is that time × (calls under way + 1).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp

FADES_IN_S = 10.0
"""tau, Finagle's default decay time."""
FAILED_S = 5.0
"""What a failed attempt counts for: a server that fails fast must not look quick."""
UNKNOWN_S = 1e6
"""A target that has not answered yet has the next call only if nobody waits for it already (Finagle's penalty)."""
MAX_TARGETS = 10_000


@dataclass(slots=True)
class _Seen:
    in_flight: int = 0
    seconds: float = 0.0
    at: float = 0.0


@dataclass(slots=True)
class Load:
    """`clock` returns monotonic seconds. Each `begin` is followed by one `end`, however the attempt went."""

    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def begin(self, key: str) -> None:
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen()
            if len(self._seen) > MAX_TARGETS:  # clients may name models of their own where names pass through
                del self._seen[next(iter(self._seen))]
        seen.in_flight += 1

    def end(self, key: str) -> None:
        seen = self._seen.get(key)
        if seen is not None and seen.in_flight:
            seen.in_flight -= 1

    def took(self, key: str, seconds: float) -> None:
        """The answer began after so many seconds."""
        seen = self._seen.get(key)
        if seen is None:
            return
        now = self.clock()
        if seconds >= seen.seconds:
            seen.seconds = seconds
        else:
            weight = exp((seen.at - now) / FADES_IN_S)
            seen.seconds = seen.seconds * weight + seconds * (1 - weight)
        seen.at = now

    def failed(self, key: str) -> None:
        self.took(key, FAILED_S)

    def in_flight(self, key: str) -> int:
        seen = self._seen.get(key)
        return seen.in_flight if seen is not None else 0

    def cost(self, key: str) -> float:
        seen = self._seen.get(key)
        if seen is None:
            return 0.0
        if not seen.seconds:
            return UNKNOWN_S + seen.in_flight if seen.in_flight else 0.0
        return seen.seconds * exp((seen.at - self.clock()) / FADES_IN_S) * (seen.in_flight + 1)
