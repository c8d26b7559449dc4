"""How much one process has put away: the oldest entries make room for the newest.

The bound is this process's own, so nobody has to ask the store how full it is.
"""

from collections.abc import Callable
from typing import NamedTuple

ENTRY_BYTES = 256
"""What an entry takes besides its value, in the store and here: so even empty ones are bounded in number."""


class Gone(NamedTuple):
    """Keys that are not kept any more: those that had to make room, and those whose time was over."""

    given_up: list[str]
    expired: list[str]


class Room:
    """`most_bytes` may change at run time."""

    def __init__(self, most_bytes: Callable[[], int]) -> None:
        self._most_bytes = most_bytes
        self._kept: dict[str, tuple[int, float]] = {}
        self._taken = 0

    @property
    def taken_bytes(self) -> int:
        return self._taken

    def take(self, key: str, size: int, now: float, ttl_s: float) -> Gone:
        """Note that `key` is kept from now on, and what is not: that may be `key` itself."""
        self._leave(key)
        self._kept[key] = (size + ENTRY_BYTES, now + ttl_s)
        self._taken += size + ENTRY_BYTES
        most, gone = self._most_bytes(), Gone([], [])
        while self._kept:
            oldest, (_, until) = next(iter(self._kept.items()))
            if self._taken <= most and until > now:
                break
            self._leave(oldest)
            (gone.given_up if until > now else gone.expired).append(oldest)
        return gone

    def _leave(self, key: str) -> None:
        size, _ = self._kept.pop(key, (0, 0.0))
        self._taken -= size
