"""Several keys of one provider: taken in turn, and left alone for a while once the provider has turned one down.

There is always a key to take: where all are left alone it is the one that has the least of it before it, so that what
the provider says of it reaches the client.
"""

import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from gateway.errors import Refusal, UpstreamDenied, UpstreamRejected

LIMITED_S = 10.0
"""How long a key is left alone after a 429 that doesn't say."""
DENIED_S = 300.0
"""After a 401 or 403: it may have been mended by then, without a reload."""
MAX_S = 600.0

K = TypeVar("K")


class KeyRing(Generic[K]):
    """`keys` are whatever holds a key; `clock` returns monotonic seconds."""

    def __init__(self, keys: Sequence[K], clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = tuple(keys)
        self._until = [0.0] * len(self._keys)
        self._next = 0
        self._clock = clock

    def take(self) -> K:
        count, now = len(self._keys), self._clock()
        turns = [(self._next + step) % count for step in range(count)]
        at = min(turns, key=lambda i: max(self._until[i], now))  # the first of equals
        self._next = (at + 1) % count
        return self._keys[at]

    def turned_down(self, key: K, refusal: Refusal) -> bool:
        """Note it, where `refusal` is about the key. Returns whether another key may do better."""
        if isinstance(refusal, UpstreamDenied):
            seconds = DENIED_S
        elif isinstance(refusal, UpstreamRejected) and refusal.status == 429:
            seconds = LIMITED_S if refusal.retry_after_s is None else min(refusal.retry_after_s, MAX_S)
        else:
            return False
        now = self._clock()
        self._until[self._keys.index(key)] = now + seconds
        return any(until <= now for until in self._until)
