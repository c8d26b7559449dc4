"""What is asked for often is fetched once; what is old, elsewhere or cancelled is no different for it."""

import asyncio
from asyncio import Future

from gateway.cache.memory import MemoryCache
from gateway.cache.near import NearCache


class Far(MemoryCache):
    """Counts who comes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def find(self, key: str) -> "Future[bytes | None]":
        self.asked.append(key)
        return super().find(key)


async def test_what_was_fetched_or_put_is_near() -> None:
    far = Far()
    far.put("a", b"value", 60)
    cache = NearCache(far)
    for _ in range(3):
        assert await cache.find("a") == b"value"
        await asyncio.sleep(0)
    cache.put("b", b"other", 60)
    assert await cache.find("b") == b"other"
    assert far.asked == ["a"]


async def test_what_is_nowhere_is_asked_for_each_time() -> None:
    far = Far()
    cache = NearCache(far)
    assert [await cache.find("a"), await cache.find("a")] == [None, None]
    far.put("a", b"value", 60)
    assert await cache.find("a") == b"value"
    assert len(far.asked) == 3


async def test_what_one_worker_puts_all_have() -> None:
    far = Far()
    one, other = NearCache(far), NearCache(far)
    one.put("a", b"value", 60)
    assert await other.find("a") == b"value"


async def test_who_goes_away_brings_nothing_near_and_breaks_nothing() -> None:
    far = Far()
    far.put("a", b"value", 60)
    cache = NearCache(far)
    cache.find("a").cancel()
    await asyncio.sleep(0)
    assert await cache.find("a") == b"value"


async def test_the_little_is_bounded() -> None:
    far = Far()
    cache = NearCache(far, lambda: 1000)
    for name in "abc":
        cache.put(name, b"x" * 400, 60)
    for name in "abc":
        assert await cache.find(name) is not None
    assert far.asked == ["a", "b"]
