"""What every CacheStore must do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from gateway.cache.base import CacheStore
from gateway.cache.memory import MemoryCache
from gateway.cache.near import NearCache
from gateway.cache.room import ENTRY_BYTES
from tests.gateway.cache.opened import opened_redis

Opened = Callable[[int], AbstractAsyncContextManager[CacheStore]]
PLENTY = 1 << 24


@asynccontextmanager
async def memory(url: str, most_bytes: int) -> AsyncIterator[CacheStore]:
    yield MemoryCache(lambda: most_bytes)


@asynccontextmanager
async def redis(url: str, most_bytes: int) -> AsyncIterator[CacheStore]:
    async with opened_redis(url, most_bytes) as store:
        yield store


@asynccontextmanager
async def near(url: str, most_bytes: int) -> AsyncIterator[CacheStore]:
    async with opened_redis(url, most_bytes) as store:
        yield NearCache(store, lambda: most_bytes)


@pytest.fixture(params=[memory, redis, near], ids=lambda make: make.__name__)
def opened(request: pytest.FixtureRequest, redis_url: str) -> Opened:
    return lambda most_bytes: request.param(redis_url, most_bytes)


@pytest.mark.parametrize(
    "value", [b"x", b"", b"\r\n$-1\r\n\x00\xff", b"y" * 1_000_000], ids=["x", "none", "odd", "1 MB"]
)
async def test_what_is_put_is_found_byte_for_byte(opened: Opened, value: bytes) -> None:
    async with opened(PLENTY) as store:
        store.put("gf:{u1}:c:a", value, 60)
        assert await store.find("gf:{u1}:c:a") == value


async def test_what_was_never_put_is_none(opened: Opened) -> None:
    async with opened(PLENTY) as store:
        store.put("a", b"value", 60)
        assert await store.find("b") is None


async def test_what_is_put_last_counts(opened: Opened) -> None:
    async with opened(PLENTY) as store:
        store.put("a", b"first", 60)
        store.put("a", b"second", 60)
        assert await store.find("a") == b"second"


async def test_what_was_put_is_gone_when_its_time_is_over(opened: Opened) -> None:
    async with opened(PLENTY) as store:
        store.put("short", b"value", 0.03)
        store.put("long", b"value", 60)
        assert await store.find("short") == b"value"
        async with asyncio.timeout(2):
            while await store.find("short") is not None:
                await asyncio.sleep(0.005)
        assert await store.find("long") == b"value"


async def test_putting_again_begins_its_time_anew(opened: Opened) -> None:
    async with opened(PLENTY) as store:
        store.put("a", b"old", 0.02)
        store.put("a", b"new", 60)
        await asyncio.sleep(0.04)
        assert await store.find("a") == b"new"


async def test_the_oldest_make_room_for_the_newest(opened: Opened) -> None:
    async with opened(3 * (100 + ENTRY_BYTES)) as store:
        for name in "abcde":
            store.put(name, name.encode() * 100, 60)
        kept = [name for name in "abcde" if await store.find(name) is not None]
        assert kept == ["c", "d", "e"]


async def test_what_has_no_room_at_all_is_not_kept(opened: Opened) -> None:
    async with opened(1000) as store:
        store.put("a", b"x" * 1001, 60)
        assert await store.find("a") is None


async def test_who_does_not_wait_for_what_was_asked_leaves_nothing_behind(opened: Opened) -> None:
    """A future that holds an exception nobody looks at would be a warning, and so an error here."""
    async with opened(PLENTY) as store:
        unread = store.find("a")
        store.find("a").cancel()
        del unread
        store.put("a", b"value", 60)
        assert await store.find("a") == b"value"
