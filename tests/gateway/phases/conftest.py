"""The stores that answers are kept in."""

from collections.abc import AsyncIterator

import pytest

from gateway.cache.base import CacheStore
from gateway.cache.memory import MemoryCache
from tests.gateway.cache.opened import opened_redis


@pytest.fixture(params=["memory", "redis"])
async def shelf(request: pytest.FixtureRequest) -> AsyncIterator[CacheStore]:
    if request.param == "memory":
        yield MemoryCache()
        return
    async with opened_redis(request.getfixturevalue("redis_url")) as store:
        yield store
