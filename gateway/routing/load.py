"""What each target has to carry, as this worker sees it: calls under way, and how long it takes to begin an answer.

The time is a peak EWMA, as in Finagle's load balancer (P2CPeakEwma, from where linkerd has it too): a slower answer
counts at once and whole, quicker ones little by little, w = e^(-dt/tau), and without news the memory fades, so that
whoever was slow is tried again. The load is that time × (calls under way + 1).
"""

import time
from collections import deque
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
LATEST = 100
ENOUGH = 20
"""So many of a target's streams tell how long the next one may take."""


@dataclass(slots=True)
class Load:
    """`clock` returns monotonic seconds. Each `begin` is followed by one `end`, however the attempt went. `calls` are
    those under way, by target; what has none is not in it."""

    clock: Callable[[], float] = time.monotonic
    calls: dict[str, int] = field(default_factory=dict)
    _took: dict[str, tuple[float, float]] = field(default_factory=dict)
    """The peak EWMA of each target, and when it was that."""
    _streams: dict[str, deque[float]] = field(default_factory=dict)
    """Times to the first bytes of a target's latest streams."""

    def begin(self, key: str) -> None:
        self.calls[key] = self.calls.get(key, 0) + 1

    def end(self, key: str, took_s: float | None = None) -> None:
        """`took_s`: until the answer began, where it did."""
        left = self.calls.get(key, 1) - 1
        if left:
            self.calls[key] = left
        else:
            self.calls.pop(key, None)
        if took_s is not None:
            self.took(key, took_s)

    def took(self, key: str, seconds: float) -> None:
        now, before = self.clock(), self._took.pop(key, None)
        if before is not None and seconds < before[0]:
            weight = exp((before[1] - now) / FADES_IN_S)
            seconds = before[0] * weight + seconds * (1 - weight)
        self._took[key] = seconds, now
        if len(self._took) > MAX_TARGETS:  # clients may name models of their own where names pass through
            del self._took[next(iter(self._took))]

    def streamed(self, key: str, took_s: float) -> None:
        """The same of a stream, for those who ask twice."""
        times = self._streams.get(key)
        if times is None:
            times = self._streams[key] = deque(maxlen=LATEST)
            if len(self._streams) > MAX_TARGETS:
                del self._streams[next(iter(self._streams))]
        times.append(took_s)

    def nearly_always_s(self, key: str) -> float | None:
        """The 95th percentile of the time to a stream's first byte; None until there is enough to tell."""
        times = self._streams.get(key)
        if times is None or len(times) < ENOUGH:
            return None
        return sorted(times)[int(len(times) * 0.95)]

    def failed(self, key: str) -> None:
        self.took(key, FAILED_S)

    def cost(self, key: str) -> float:
        return self._cost(key, self.clock())

    def is_less(self, key: str, than: str) -> bool:
        now = self.clock()
        return self._cost(key, now) < self._cost(than, now)

    def _cost(self, key: str, now: float) -> float:
        calls, took = self.calls.get(key, 0), self._took.get(key)
        if took is None:
            return UNKNOWN_S + calls if calls else 0.0
        return took[0] * exp((took[1] - now) / FADES_IN_S) * (calls + 1)
