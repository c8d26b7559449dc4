"""The cache in Redis, over a connection of its own: a large answer on its way never makes a quota late.

The connection is made by the first look-up, so a gateway that caches nothing has none.
"""

import asyncio
import time
from asyncio import Future
from collections.abc import Callable
from functools import partial
from typing import Any

from gateway.cache.room import Room
from gateway.tasks import spawn
from gateway.wire.redis import RedisPipe


class RedisCache:
    """`close` lets go of the connection. Whatever Redis says or doesn't say: no answer is a miss."""

    def __init__(self, pipe: RedisPipe, most_bytes: Callable[[], int]) -> None:
        self._pipe = pipe
        self._room = Room(most_bytes)
        self._opening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Nothing yet."""

    async def close(self) -> None:
        if self._opening is not None:
            await self._opening
            await self._pipe.close()

    def find(self, key: str) -> "Future[bytes | None]":
        if self._opening is None:
            self._opening = spawn(self._pipe.start(), name="cache-pipe")
        found: Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._pipe.send("GET", key, on_reply=partial(_found, found))
        return found

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        if not self._pipe.available:
            return
        self._pipe.send("SET", key, value, "PX", max(1, int(ttl_s * 1000)), on_reply=_whatever)
        if gone := self._room.take(key, len(value), time.monotonic(), ttl_s).given_up:
            self._pipe.send("UNLINK", *gone, on_reply=_whatever)


def _found(found: "Future[bytes | None]", reply: Any) -> None:
    if not found.done():
        found.set_result(reply if isinstance(reply, bytes) else None)


def _whatever(_: Any) -> None:
    """What could not be kept is asked for again, and what could not be dropped expires."""
