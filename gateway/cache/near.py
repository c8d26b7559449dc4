"""A little of the cache in the worker itself, in front of the one that all share: what is asked for often is not
fetched each time.

An entry never changes, it only grows old, and its age is in it. So nothing has to be told to the other workers; one
whose answer was replaced, dropped or outlived elsewhere goes on giving it for `NEAR_S` at most, and the phase that asks
looks at the age.
"""

from asyncio import Future
from collections.abc import Callable
from functools import partial

from gateway.cache.base import CacheStore
from gateway.cache.memory import MemoryCache

NEAR_S = 30.0
NEAR_BYTES = 16 * 1024 * 1024


class NearCache:
    def __init__(self, far: CacheStore, most_bytes: Callable[[], int] = lambda: NEAR_BYTES) -> None:
        self._far = far
        self._near = MemoryCache(lambda: min(most_bytes(), NEAR_BYTES))

    def find(self, key: str) -> "Future[bytes | None]":
        found = self._near.find(key)
        if found.result() is None:
            found = self._far.find(key)
            found.add_done_callback(partial(self._bring, key))
        return found

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        self._near.put(key, value, min(ttl_s, NEAR_S))
        self._far.put(key, value, ttl_s)

    def _bring(self, key: str, found: "Future[bytes | None]") -> None:
        value = None if found.cancelled() else found.result()
        if value is not None:
            self._near.put(key, value, NEAR_S)
