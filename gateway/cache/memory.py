"""The cache in this process: for tests, and for a gateway without Redis."""

import asyncio
import time
from asyncio import Future
from collections.abc import Callable

from gateway.cache.room import Room

MOST_BYTES = 64 * 1024 * 1024


class MemoryCache:
    def __init__(self, most_bytes: Callable[[], int] = lambda: MOST_BYTES) -> None:
        self._room = Room(most_bytes)
        self._values: dict[str, tuple[bytes, float]] = {}

    def find(self, key: str) -> "Future[bytes | None]":
        value, until = self._values.get(key, (None, 0.0))
        found: Future[bytes | None] = asyncio.get_running_loop().create_future()
        found.set_result(value if until > time.monotonic() else None)
        return found

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        now = time.monotonic()
        self._values[key] = (value, now + ttl_s)
        given_up, expired = self._room.take(key, len(value), now, ttl_s)
        for gone in given_up + expired:
            del self._values[gone]
