"""A cache in Redis whose connection is there: the first look-up only begins to make it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.cache.redis import RedisCache
from gateway.wire.redis import RedisPipe


@asynccontextmanager
async def opened_redis(url: str, most_bytes: int = 1 << 24) -> AsyncIterator[RedisCache]:
    pipe = RedisPipe(url, backoff_s=0.01)
    store = RedisCache(pipe, lambda: most_bytes)
    await store.start()
    try:
        await connected(store, pipe)
        yield store
    finally:
        await store.close()


async def connected(store: RedisCache, pipe: RedisPipe) -> None:
    async with asyncio.timeout(5):
        while not pipe.available:
            await store.find("anything")
            await asyncio.sleep(0.001)
