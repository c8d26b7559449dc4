"""A breaker per target: five failures in a row eject it, for longer each time; then one probe decides.

Ejection time grows with the number of ejections in a row (Envoy's outlier detection: base × n, capped) and starts over
after a success. Pure but for the clock it is given.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

FAILURES_TO_EJECT = 5
BASE_EJECTION_S = 30.0
MAX_EJECTION_S = 300.0
MAX_TARGETS = 10_000
"""Clients may name models of their own where names pass through: the oldest trouble is forgotten."""


@dataclass(slots=True)
class _State:
    failures: int = 0
    ejections: int = 0
    open_until: float = 0.0
    probing_since: float | None = None


@dataclass(slots=True)
class Breakers:
    """`clock` returns monotonic seconds. A probe whose outcome is never told (a cancelled call) is given up after
    BASE_EJECTION_S, so that a target can't be lost for ever."""

    clock: Callable[[], float]
    _states: dict[str, _State] = field(default_factory=dict)

    def allows(self, key: str) -> bool:
        """May a call go to this target? Changes nothing: `begin` claims the probe."""
        state = self._states.get(key)
        if state is None or not state.open_until:
            return True
        now = self.clock()
        probing = state.probing_since is not None and now - state.probing_since < BASE_EJECTION_S
        return now >= state.open_until and not probing

    def begin(self, key: str) -> None:
        state = self._states.get(key)
        if state is not None and state.open_until:
            state.probing_since = self.clock()

    def succeeded(self, key: str) -> None:
        self._states.pop(key, None)

    def failed(self, key: str) -> None:
        state = self._states.setdefault(key, _State())
        if state.probing_since is None and self.clock() < state.open_until:
            return  # it was on its way when the target was ejected: no news
        state.failures += 1
        if state.probing_since is not None or state.failures >= FAILURES_TO_EJECT:
            state.ejections += 1
            state.open_until = self.clock() + min(BASE_EJECTION_S * state.ejections, MAX_EJECTION_S)
            state.probing_since = None
            state.failures = 0
        if len(self._states) > MAX_TARGETS:
            del self._states[next(iter(self._states))]

    def retry_after_s(self, key: str) -> float:
        """Seconds until the next probe may go; 0 where calls are allowed."""
        state = self._states.get(key)
        return max(0.0, state.open_until - self.clock()) if state else 0.0

    def open_keys(self) -> list[str]:
        return [key for key, state in self._states.items() if state.open_until > self.clock()]
