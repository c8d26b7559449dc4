"""Whatever Redis does or doesn't: nobody fails, and nobody waits for long."""

import asyncio
import time
from pathlib import Path

import redis.asyncio

from gateway.cache.redis import RedisCache
from gateway.wire.redis import RedisPipe
from tests.gateway.cache.opened import connected, opened_redis
from tests.gateway.own_valkey import own_valkey


async def connections(url: str) -> int:
    async with redis.asyncio.Redis.from_url(url) as client:
        return len(await client.client_list()) - 1


async def test_a_gateway_that_looks_nothing_up_has_no_connection(redis_url: str) -> None:
    before = await connections(redis_url)
    store = RedisCache(RedisPipe(redis_url), lambda: 1 << 20)
    await store.start()
    store.put("a", b"value", 60)
    assert await connections(redis_url) == before
    await store.close()


async def test_the_first_look_up_finds_nothing_and_does_not_wait(redis_url: str) -> None:
    pipe = RedisPipe(redis_url)
    store = RedisCache(pipe, lambda: 1 << 20)
    first = store.find("a")
    assert first.done()
    assert first.result() is None
    await connected(store, pipe)
    store.put("a", b"value", 60)
    assert await store.find("a") == b"value"
    await store.close()


async def test_what_one_worker_puts_another_finds(redis_url: str) -> None:
    async with opened_redis(redis_url) as one, opened_redis(redis_url) as other:
        one.put("a", b"value", 60)
        await one.find("a")
        assert await other.find("a") == b"value"


async def test_no_redis_is_an_empty_cache(tmp_path: Path) -> None:
    store = RedisCache(RedisPipe(f"unix://{tmp_path}/none.sock"), lambda: 1 << 20)
    for _ in range(3):
        assert await store.find("a") is None
        store.put("a", b"value", 60)
        await asyncio.sleep(0)
    await store.close()


async def test_a_value_of_another_kind_is_nothing(redis_url: str) -> None:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await client.hset("a", "field", "value")
    async with opened_redis(redis_url) as store:
        assert await store.find("a") is None


async def test_a_redis_that_answers_nothing_costs_a_moment_once() -> None:
    with own_valkey() as server:
        async with opened_redis(server.url) as store:
            store.put("a", b"value", 60)
            assert await store.find("a") == b"value"
            server.freeze()
            began = time.monotonic()
            assert await store.find("a") is None
            assert time.monotonic() - began < 0.5  # 150 ms on a machine that has nothing else to do
            assert store.find("a").done()
            server.thaw()
            async with asyncio.timeout(5):
                while await store.find("a") != b"value":
                    await asyncio.sleep(0.01)


async def test_a_full_redis_keeps_nothing_and_harms_nobody() -> None:
    with own_valkey() as server:
        async with redis.asyncio.Redis.from_url(server.url) as client:
            await client.config_set("maxmemory", "1mb")
        async with opened_redis(server.url) as store:
            store.put("a", b"x" * 2_000_000, 60)
            store.put("b", b"y" * 2_000_000, 60)
            assert await store.find("b") is None
            assert store.find("a").done() is False
