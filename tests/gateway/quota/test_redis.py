"""What only the Redis store can do: many processes on one count, leases, and outliving Redis itself."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from gateway.errors import Refusal
from gateway.exchange import Grant
from gateway.quota.base import LEASE_S, QuotaUnavailable, Spent
from gateway.quota.redis import RedisQuotaStore
from gateway.wire.redis import RedisPipe
from tests.contracts.quota_worlds import (
    NOON,
    Books,
    World,
    ask,
    read_script_with_test_clock,
    redis_pipe,
    redis_store,
    redis_world,
    scope,
)
from tests.gateway.own_valkey import OwnValkey, own_valkey

ALL = {"rpm": 100, "tpm": 10_000, "daily_tokens": 10_000, "monthly_tokens": 10_000, "concurrent": 100}

AS_BEFORE = """
local sums = {cmsgpack.unpack(redis.call('GET', KEYS[1]))}
redis.call('SET', KEYS[1], cmsgpack.pack(unpack(sums, 1, 16)))
"""

TAKE_MANY = """
import asyncio, sys
from gateway.errors import Refusal
from gateway.quota.redis import RedisQuotaStore
from tests.contracts.quota_worlds import Books, ask, redis_pipe, scope

async def main(name, url):
    async with redis_pipe(url) as pipe:
        store = RedisQuotaStore(pipe, Books())
        async def take(number):
            wanted = ask(scope(rpm=100, monthly_tokens=10_000))
            try:
                await store.reserve(type(wanted)(f"{name}-{number}", wanted.scopes, 10, 10))
            except Refusal:
                return 0
            return 1
        print(sum(await asyncio.gather(*(take(number) for number in range(300)))))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest_asyncio.fixture
async def world(redis_url: str) -> AsyncIterator[World]:
    async with redis_world(lambda: redis_url) as world:
        yield world


@pytest.fixture
def valkey() -> Iterator[OwnValkey]:
    with own_valkey(durable=True) as server:
        yield server


def redis_of(world: World) -> RedisPipe:
    assert world.pipe is not None
    return world.pipe


@asynccontextmanager
async def short_fused(url: str, books: Books, *, most_pending: int = 1000) -> AsyncIterator[RedisQuotaStore]:
    pipe = RedisPipe(url, timeout_s=0.2, backoff_s=0.05)
    await pipe.start()
    store = RedisQuotaStore(pipe, books, most_pending=most_pending)
    await store.start()
    yield store
    await store.close(timeout_s=1.0)
    await pipe.close()


async def until_settled(store: RedisQuotaStore) -> None:
    async with asyncio.timeout(10):
        while store.pending_settles or not store.available:
            await asyncio.sleep(0.005)


@pytest.mark.slow
async def test_processes_that_share_a_redis_share_a_limit(redis_url: str) -> None:
    takers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", TAKE_MANY, f"p{number}", redis_url, stdout=asyncio.subprocess.PIPE
        )
        for number in range(3)
    ]
    taken = [int((await taker.communicate())[0]) for taker in takers]
    assert sum(taken) == 100


async def test_two_stores_on_one_redis_share_a_limit(world: World) -> None:
    user = scope(tpm=1000, daily_tokens=1000)
    async with redis_store(redis_of(world), Books()) as other:
        stores = (world.store, other)
        outcomes = await asyncio.gather(
            *(stores[n % 2].reserve(ask(user, tokens=10)) for n in range(300)), return_exceptions=True
        )
    assert sum(isinstance(outcome, Grant) for outcome in outcomes) == 100
    assert sum(isinstance(outcome, Refusal) for outcome in outcomes) == 200


async def test_what_a_dead_process_held_is_released_when_its_lease_ends(world: World) -> None:
    user = scope(concurrent=1, daily_tokens=100)
    await world.store.reserve(ask(user, tokens=100))
    await world.pass_time(LEASE_S - 0.001)
    assert isinstance(await world.take(ask(user, tokens=100)), Refusal)
    await world.pass_time(0.001)
    assert isinstance(await world.take(ask(user, tokens=100)), Grant)
    usage = await world.usage(user)
    assert (usage.concurrent.used, usage.daily_tokens.reserved, usage.daily_tokens.used) == (1, 100, 0)


async def test_a_settle_after_the_lease_ended_charges_once(world: World) -> None:
    user = scope(concurrent=5, daily_tokens=1000, tpm=1000)
    late = ask(user, tokens=100)
    await world.store.reserve(late)
    await world.pass_time(LEASE_S + 1)
    assert (await world.usage(user)).concurrent.used == 0
    await world.settle(late, 70)
    await world.settle(late, 70)
    usage = await world.usage(user)
    assert (usage.daily_tokens.used, usage.daily_tokens.reserved) == (70, 0)
    assert usage.tokens_per_minute.used == 0  # it was admitted more than a minute ago


async def test_a_living_process_renews_its_leases(redis_url: str) -> None:
    async with redis_pipe(redis_url) as pipe:
        store = RedisQuotaStore(pipe, Books(), renew_every_s=0.01, read_script=read_script_with_test_clock)
        world = World(store, Books(), pipe)
        await world.at(NOON)
        await store.start()
        user = scope(concurrent=1)
        long_call = ask(user)
        await store.reserve(long_call)
        for _ in range(5):
            await world.pass_time(LEASE_S / 2)
            await asyncio.sleep(0.05)
            await pipe.call("PING")
            assert isinstance(await world.take(ask(user)), Refusal)
        await world.settle(long_call, 5)
        assert isinstance(await world.take(ask(user)), Grant)
        await store.close()


async def test_every_key_expires_and_keys_of_a_user_share_a_slot(world: World) -> None:
    await world.spend(ask(scope(**ALL), scope(token_id=3, rpm=5)), 7)
    await world.store.reserve(ask(scope(**ALL), scope(token_id=3, rpm=5)))
    await world.store.reserve(ask(scope(**ALL)))
    await world.usage(scope(**ALL))
    pipe = redis_of(world)
    keys = [key for key in await pipe.call("KEYS", "*") if key != b"test:clock"]
    assert len(keys) == 3 + 2 * 3
    for key in keys:
        assert await pipe.call("PTTL", key) > 0, key
        assert b"{u1}" in key


async def test_counters_of_the_release_before_are_asked_of_the_ledger_anew(world: World) -> None:
    """They knew no money of days and weeks; what they hold is let go all the same."""
    user = scope(daily_tokens=1000, daily_budget_micros=1000)
    pipe = redis_of(world)
    held = ask(user, tokens=10, cost=30)
    await world.store.reserve(held)
    await pipe.call("EVAL", AS_BEFORE, 1, "gf:{u1}:u1")
    world.books.entries[1, None] = Spent(day_tokens=70, day_cost_micros=70)
    usage = await world.usage(user)
    assert (usage.daily_budget_micros.used, usage.daily_budget_micros.reserved) == (70, 30)
    await world.settle(held, 10, 20)
    usage = await world.usage(user)
    assert (usage.daily_budget_micros.used, usage.daily_budget_micros.reserved) == (90, 0)
    assert (usage.daily_tokens.used, usage.daily_tokens.reserved) == (80, 0)


async def test_a_caller_that_leaves_while_reserving_holds_nothing(world: World) -> None:
    user = scope(concurrent=1, rpm=100, tpm=100)
    leaving = asyncio.ensure_future(world.store.reserve(ask(user, tokens=100)))
    await asyncio.sleep(0)  # the reservation is on its way
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    usage = await world.usage(user)
    assert (usage.concurrent.used, usage.tokens_per_minute.reserved, usage.requests_per_minute.used) == (0, 0, 0)


async def test_a_forgotten_script_is_no_reason_to_fail(world: World) -> None:
    user = scope(**ALL)
    await world.spend(ask(user), 10)
    await redis_of(world).call("SCRIPT", "FLUSH")
    await world.spend(ask(user), 10)
    assert (await world.usage(user)).daily_tokens.used == 20


async def test_a_charge_from_before_the_counters_were_seeded_is_in_the_ledger_already(world: World) -> None:
    """Redis lost everything while this call's settle could not be delivered; the ledger has its row."""
    user = scope(daily_tokens=1000)
    pipe = redis_of(world)
    store = world.store
    assert isinstance(store, RedisQuotaStore)
    old, new = ask(user, tokens=50), ask(user, tokens=50)
    world.books.entries[1, None] = Spent(day_tokens=50, month_tokens=50)
    await store.usage(user)
    keys = ("2", f"gf:{{u1}}:a:{old.id}", "gf:{u1}:u1")
    await store._outbox._settle.call(*keys, f"{old.id} 50 0 30000000 charge")
    assert (await store.usage(user)).daily_tokens.used == 50
    await store._outbox._settle.call("2", f"gf:{{u1}}:a:{new.id}", "gf:{u1}:u1", f"{new.id} 40 0 0 charge")
    assert (await store.usage(user)).daily_tokens.used == 90
    await pipe.call("PING")


@pytest.mark.slow
async def test_settles_wait_for_a_redis_that_is_away(valkey: OwnValkey) -> None:
    user = scope(daily_tokens=1000, concurrent=10)
    async with short_fused(valkey.url, Books()) as store:
        calls = [ask(user, tokens=50) for _ in range(5)]
        for call in calls:
            await store.reserve(call)
        await asyncio.sleep(1.1)  # the append-only file is synced each second
        valkey.kill()
        for call in calls:
            store.settle(call, 20, 0)
            store.settle(call, 20, 0)
        with pytest.raises(QuotaUnavailable):
            await store.reserve(ask(user))
        assert store.pending_settles == 10
        valkey.start()
        await until_settled(store)
        usage = await store.usage(user)
        assert (usage.daily_tokens.used, usage.daily_tokens.reserved, usage.concurrent.used) == (100, 0, 0)


@pytest.mark.slow
async def test_settles_beyond_what_is_kept_are_left_to_the_ledger(valkey: OwnValkey) -> None:
    user, other = scope(1, daily_tokens=1000), scope(2, daily_tokens=1000)
    books = Books()
    async with short_fused(valkey.url, books, most_pending=1) as store:
        await store.usage(user)
        await store.usage(other)
        await asyncio.sleep(1.1)
        valkey.kill()
        with pytest.raises(QuotaUnavailable):
            await store.usage(user)
        store.settle(ask(other), 10, 0)
        store.settle(ask(user), 10, 0)
        assert store.pending_settles == 1
        books.entries[1, None] = Spent(day_tokens=10, month_tokens=10)
        valkey.start()
        await until_settled(store)
        async with asyncio.timeout(5):
            while (await store.usage(user)).daily_tokens.used != 10:
                await asyncio.sleep(0.01)
        assert (await store.usage(other)).daily_tokens.used == 10


async def test_a_frozen_redis_is_unavailable_in_time(valkey: OwnValkey) -> None:
    async with short_fused(valkey.url, Books()) as store:
        await store.reserve(ask(scope(rpm=5)))
        valkey.freeze()
        async with asyncio.timeout(1.0):
            with pytest.raises(QuotaUnavailable):
                await store.reserve(ask(scope(rpm=5)))
        valkey.thaw()


async def test_closing_delivers_what_is_pending(redis_url: str) -> None:
    user = scope(daily_tokens=1000)
    async with redis_pipe(redis_url) as pipe:
        store = RedisQuotaStore(pipe, Books())
        await store.start()
        calls = [ask(user, tokens=5) for _ in range(50)]
        for call in calls:
            await store.reserve(call)
        for call in calls:
            store.settle(call, 3, 0)
        await store.close()
        assert store.pending_settles == 0
        assert (await store.usage(user)).daily_tokens.used == 150


@pytest.mark.slow
async def test_ten_thousand_calls_leave_the_window_in_one_go(world: World) -> None:
    user = scope(rpm=100_000, tpm=10**9)
    for _ in range(10):
        await asyncio.gather(*(world.store.reserve(ask(user)) for _ in range(1000)))
    assert (await world.usage(user)).requests_per_minute.used == 10_000
    await world.pass_time(60)
    usage = await world.usage(user)
    assert (usage.requests_per_minute.used, usage.tokens_per_minute.reserved) == (0, 0)
