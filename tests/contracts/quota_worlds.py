"""The quota stores under one contract, each in a world whose clock a test can turn.

Redis keeps the time itself: there the scripts read a clock that lies in Redis, in place of TIME.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from gateway.errors import Refusal
from gateway.exchange import Grant, Limits
from gateway.quota.base import Ask, Left, QuotaStore, QuotaUsage, Scope, Spent, team_scope
from gateway.quota.failover import FailoverQuotaStore
from gateway.quota.memory import MemoryQuotaStore
from gateway.quota.redis import RedisQuotaStore, script_text
from gateway.wire.redis import RedisPipe

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
NOWHERE = "unix:///nonexistent/redis.sock"
_ids = count(1)


@dataclass
class Books:
    """A ledger that a test writes: by user and token, or by the scope's name."""

    entries: dict[tuple[int, int | None] | str, Spent] = field(default_factory=dict)
    asked: int = 0
    closed: bool = False

    async def spent(self, scope: Scope) -> Spent:
        self.asked += 1
        if self.closed:
            raise ConnectionError("the ledger is away")
        return self.entries.get((scope.user_id, scope.token_id) if scope.user_id else scope.name, Spent())


def read_script_with_test_clock(name: str) -> str:
    text = script_text(name)
    changed = text.replace("redis.call('TIME')", "redis.call('HMGET', 'test:clock', 's', 'us')")
    assert changed != text
    return changed


@dataclass
class World:
    store: QuotaStore
    books: Books
    pipe: RedisPipe | None
    now: float = NOON

    def clock(self) -> float:
        return self.now

    async def at(self, now: float) -> None:
        self.now = now
        if self.pipe is not None and self.pipe.available:
            micros = round(now * 1_000_000)
            await self.pipe.call("HSET", "test:clock", "s", micros // 1_000_000, "us", micros % 1_000_000)

    async def pass_time(self, seconds: float) -> None:
        await self.at(self.now + seconds)

    async def take(self, ask: Ask) -> Grant | Refusal:
        try:
            return await self.store.reserve(ask)
        except Refusal as refusal:
            return refusal

    async def spend(self, ask: Ask, tokens: int, cost_micros: int = 0) -> None:
        await self.store.reserve(ask)
        await self.settle(ask, tokens, cost_micros)

    async def settle(self, ask: Ask, tokens: int, cost_micros: int = 0) -> None:
        """Settle, and wait until it is so: commands of one pipe are answered in order."""
        self.store.settle(ask, tokens, cost_micros)
        if self.pipe is not None and self.pipe.available:
            await self.pipe.call("PING")

    @property
    def holds_outlive_their_process(self) -> bool:
        return self.pipe is not None and self.pipe.available

    async def recover(self, left: Left) -> None:
        """Recover, and wait until it is so."""
        self.store.recover(left)
        if self.pipe is not None and self.pipe.available:
            await self.pipe.call("PING")

    async def usage(self, scope: Scope) -> QuotaUsage:
        return await self.store.usage(scope)


def scope(user_id: int = 1, token_id: int | None = None, **limits: int) -> Scope:
    return Scope(user_id, token_id, Limits(**limits))


def team(team_id: int = 3, **limits: int) -> Scope:
    return team_scope(team_id, Limits(**limits))


def ask(*scopes: Scope, tokens: int = 10, least: int | None = None, cost: int = 0) -> Ask:
    least = tokens if least is None else least
    return Ask(f"ask{next(_ids)}", scopes, tokens, least, cost)


@asynccontextmanager
async def redis_pipe(url: str) -> AsyncIterator[RedisPipe]:
    pipe = RedisPipe(url, timeout_s=1.0)  # a busy test machine is not what these tests are about
    await pipe.start()
    try:
        yield pipe
    finally:
        await pipe.close()


@asynccontextmanager
async def redis_store(pipe: RedisPipe, books: Books) -> AsyncIterator[RedisQuotaStore]:
    store = RedisQuotaStore(pipe, books, read_script=read_script_with_test_clock)
    await store.start()
    try:
        yield store
    finally:
        await store.close(timeout_s=0.1)


@asynccontextmanager
async def memory_world(url: Callable[[], str]) -> AsyncIterator[World]:
    books = Books()
    world = World(MemoryQuotaStore(books, lambda: world.now), books, None)
    yield world


@asynccontextmanager
async def redis_world(url: Callable[[], str]) -> AsyncIterator[World]:
    books = Books()
    async with redis_pipe(url()) as pipe, redis_store(pipe, books) as store:
        world = World(store, books, pipe)
        await world.at(NOON)
        yield world


@asynccontextmanager
async def failover_world(url: Callable[[], str]) -> AsyncIterator[World]:
    books = Books()
    async with redis_pipe(url()) as pipe, redis_store(pipe, books) as primary:
        world = World(FailoverQuotaStore(primary, 4, books, lambda: world.now), books, pipe)
        await world.at(NOON)
        yield world


@asynccontextmanager
async def bereft_world(url: Callable[[], str]) -> AsyncIterator[World]:
    """Redis is away, and there is one worker: its share is everything."""
    books = Books()
    async with redis_pipe(NOWHERE) as pipe, redis_store(pipe, books) as primary:
        world = World(FailoverQuotaStore(primary, 1, books, lambda: world.now), books, pipe)
        yield world


WORLDS = {"memory": memory_world, "redis": redis_world, "failover": failover_world, "bereft": bereft_world}
