"""Redis lost and found: limits are never multiplied, and nothing that was spent is lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio

from gateway.errors import Refusal
from gateway.exchange import Grant, Limits
from gateway.quota.base import Ask, LedgerUnavailable, Scope, Spent
from gateway.quota.failover import MOST_SEEN, FailoverQuotaStore, share_of
from gateway.quota.redis import RedisQuotaStore
from gateway.wire.redis import RedisPipe
from tests.contracts.quota_worlds import NOWHERE, Books, ask, scope
from tests.gateway.own_valkey import OwnValkey, own_valkey


@dataclass
class Worker:
    store: FailoverQuotaStore
    primary: RedisQuotaStore

    async def take(self, wanted: Ask) -> Grant | Refusal:
        try:
            return await self.store.reserve(wanted)
        except Refusal as refusal:
            return refusal

    async def count(self, user: Scope, tries: int, tokens: int = 1) -> int:
        outcomes = [await self.take(ask(user, tokens=tokens)) for _ in range(tries)]
        return sum(isinstance(outcome, Grant) for outcome in outcomes)

    async def until_up(self) -> None:
        async with asyncio.timeout(10):
            while not self.primary.available:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def worker_on(url: str, workers: int, books: Books) -> AsyncIterator[Worker]:
    pipe = RedisPipe(url, timeout_s=0.3, backoff_s=0.05)
    await pipe.start()
    primary = RedisQuotaStore(pipe, books)
    store = FailoverQuotaStore(primary, workers, books)
    await store.start()
    yield Worker(store, primary)
    await primary.close(timeout_s=0.2)
    await pipe.close()


@pytest.fixture
def valkey() -> Iterator[OwnValkey]:
    with own_valkey() as server:
        yield server


@pytest_asyncio.fixture
async def books() -> Books:
    return Books()


@pytest_asyncio.fixture
async def worker(valkey: OwnValkey, books: Books) -> AsyncIterator[Worker]:
    async with worker_on(valkey.url, 4, books) as worker:
        yield worker


@pytest.mark.parametrize(("whole", "workers", "part"), [(100, 4, 25), (10, 4, 2), (3, 4, 1), (1, 8, 1), (0, 4, 0)])
def test_a_share_is_the_limit_divided_and_something_where_there_was_something(
    whole: int, workers: int, part: int
) -> None:
    limits = share_of(Scope(1, None, Limits(rpm=whole, daily_tokens=whole)), workers).limits
    assert (limits.rpm, limits.daily_tokens, limits.tpm) == (part, part, None)


async def test_all_workers_together_grant_the_limit_when_redis_is_away() -> None:
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(worker_on(NOWHERE, 4, Books())) for _ in range(4)]
        assert sum([await worker.count(scope(rpm=100), 60) for worker in workers]) == 100
        assert all(worker.store.degraded for worker in workers)


async def test_what_is_left_of_the_day_is_shared_when_redis_is_away(books: Books) -> None:
    books.entries[1, None] = Spent(day_tokens=60, month_tokens=60)
    async with worker_on(NOWHERE, 4, books) as worker:
        assert await worker.count(scope(daily_tokens=100), 50) == 10


async def test_an_outage_is_no_fresh_allowance(worker: Worker, valkey: OwnValkey) -> None:
    user = scope(rpm=40, tpm=400)
    assert await worker.count(user, 20) == 20
    valkey.kill()
    assert await worker.count(user, 40) == 5  # a quarter of the 20 left
    assert await worker.count(scope(2, rpm=40), 40) == 10  # nothing is known of this one


@pytest.mark.slow
async def test_what_was_seen_of_a_user_outlasts_a_crowd_of_others(worker: Worker, valkey: OwnValkey) -> None:
    user = scope(rpm=40)
    assert await worker.count(user, 20) == 20
    for first in range(2, MOST_SEEN + 2, 128):
        crowd = (scope(number, rpm=40) for number in range(first, first + 128))
        await asyncio.gather(*(worker.take(ask(other)) for other in crowd))
    valkey.kill()
    assert await worker.count(user, 20) == 5
    assert await worker.count(scope(MOST_SEEN, rpm=40), 20) == 9


async def test_calls_that_redis_granted_count_as_open_when_it_is_away(worker: Worker, valkey: OwnValkey) -> None:
    user = scope(concurrent=8)
    calls = [ask(user) for _ in range(2)]
    for call in calls:
        await worker.store.reserve(call)
    valkey.kill()
    assert await worker.count(user, 5) == 0
    worker.store.settle(calls[0], 1, 0)
    assert await worker.count(user, 5) == 1


async def test_what_was_granted_meanwhile_is_on_the_books_when_redis_is_back(worker: Worker, valkey: OwnValkey) -> None:
    user = scope(rpm=40, concurrent=40, daily_tokens=1000)
    valkey.kill()
    settled, still_open = ask(user, tokens=20), ask(user, tokens=30)
    await worker.store.reserve(settled)
    worker.store.settle(settled, 15, 0)
    await worker.store.reserve(still_open)
    valkey.start()
    await worker.until_up()
    usage = await worker.store.usage(user)
    assert (usage.requests_per_minute.used, usage.concurrent.used) == (2, 1)
    assert usage.daily_tokens.reserved == 30
    assert usage.daily_tokens.used == 0  # an empty Redis asks the ledger, which knows this charge
    worker.store.settle(still_open, 25, 0)
    usage = await worker.store.usage(user)
    assert (usage.daily_tokens.used, usage.daily_tokens.reserved, usage.concurrent.used) == (25, 0, 0)


async def test_going_and_coming_back_is_said_once_each(
    worker: Worker, valkey: OwnValkey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "guardflow.quota")
    user = scope(rpm=1000)
    await worker.count(user, 3)
    assert not worker.store.degraded
    valkey.kill()
    await worker.count(user, 5)
    assert worker.store.degraded
    valkey.start()
    await worker.until_up()
    await worker.count(user, 5)
    assert not worker.store.degraded
    assert len([record for record in caplog.records if record.name == "guardflow.quota"]) == 2


async def test_a_frozen_redis_delays_one_call_and_is_then_left_alone(worker: Worker, valkey: OwnValkey) -> None:
    user = scope(rpm=1000)
    await worker.count(user, 1)
    valkey.freeze()
    async with asyncio.timeout(2.0):
        assert await worker.count(user, 100) == 100
    valkey.thaw()


async def test_a_ledger_that_is_away_is_not_taken_for_a_redis_that_is(worker: Worker, books: Books) -> None:
    books.closed = True
    with pytest.raises(LedgerUnavailable):
        await worker.store.reserve(ask(scope(daily_tokens=10)))
    assert not worker.store.degraded


async def test_a_scope_forgotten_while_redis_is_away_is_forgotten_there_too(
    worker: Worker, valkey: OwnValkey, books: Books
) -> None:
    user = scope(daily_tokens=100)
    await worker.count(user, 1)
    valkey.freeze()
    with pytest.raises(Refusal):
        await worker.store.reserve(ask(scope(rpm=0)))
    books.entries[1, None] = Spent(day_tokens=77)
    await worker.store.forget(user)
    valkey.thaw()
    await worker.until_up()
    async with asyncio.timeout(5):
        while (await worker.store.usage(user)).daily_tokens.used != 77:
            await asyncio.sleep(0.01)
