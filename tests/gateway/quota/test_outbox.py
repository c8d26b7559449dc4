"""Every settle arrives at a real Redis, or its counters are left to the ledger; none is lost in silence."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

import pytest
import pytest_asyncio

from gateway.exchange import Limits
from gateway.quota import outbox as module
from gateway.quota.base import RECORD_S, QuotaUnavailable, Scope
from gateway.quota.form import Form
from gateway.quota.outbox import Outbox
from gateway.wire.redis import RedisPipe

NOTE_DOWN = "return redis.call('RPUSH', 'test:arrived', ARGV[1])"
REFUSE_ONCE = "if redis.call('INCR', 'test:tries') == 1 then return redis.error_reply('BUSY later') end " + NOTE_DOWN


class Redis:
    """A Redis that is away until `pipe.start`, and writes down what arrives."""

    def __init__(self, url: str) -> None:
        self.pipe = RedisPipe(url, timeout_s=1.0)
        self.forgotten: list[str] = []
        self.refusals = 0

    def outbox(self, *, most: int = 10, script: str = NOTE_DOWN) -> Outbox:
        self.script = self.pipe.script(script)
        return Outbox(self.pipe, self.script, self.forget, most)

    def form(self, user_id: int) -> Form:
        scopes = (Scope(user_id, None, Limits(rpm=5)),)
        return Form(scopes, scopes, self.script, self.script)

    async def forget(self, base: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise QuotaUnavailable("not now")
        self.forgotten.append(base)

    async def arrived(self) -> list[str]:
        return [line.decode().split()[0] for line in await self.pipe.call("LRANGE", "test:arrived", "0", "-1")]


@pytest_asyncio.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    redis = Redis(redis_url)
    yield redis
    await redis.pipe.close()


async def test_a_settle_is_sent_at_once_and_pending_until_confirmed(redis: Redis) -> None:
    outbox = redis.outbox()
    await redis.pipe.start()
    outbox.put(redis.form(1), "a", 5, 0, "charge")
    assert len(outbox) == 1
    assert await redis.arrived() == ["a"]
    assert len(outbox) == 0


async def test_what_was_spent_while_redis_was_away_is_there_before_the_next_call(redis: Redis) -> None:
    outbox = redis.outbox()
    for ask_id in ("a", "b", "c"):
        outbox.put(redis.form(1), ask_id, 5, 0, "charge")
    assert len(outbox) == 3
    await redis.pipe.start()
    assert await redis.arrived() == ["a", "b", "c"]
    assert len(outbox) == 0


async def test_what_redis_refused_is_sent_again(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_AFTER_ERROR_S", 0.01)
    outbox = redis.outbox(script=REFUSE_ONCE)
    await redis.pipe.start()
    outbox.put(redis.form(1), "a", 5, 0, "charge")
    assert await redis.arrived() == []
    assert len(outbox) == 1
    await outbox.flush(5)
    assert await redis.arrived() == ["a"]


async def test_what_does_not_fit_is_left_to_the_ledger(redis: Redis) -> None:
    outbox = redis.outbox(most=2)
    for user_id in (1, 2, 3):
        outbox.put(redis.form(user_id), f"a{user_id}", 5, 0, "charge")
    assert len(outbox) == 2
    await redis.pipe.start()
    await outbox.flush(5)
    assert await redis.arrived() == ["a1", "a2"]
    assert redis.forgotten == list(redis.form(3).bases)


@pytest.mark.parametrize(("sent", "arrived", "left"), [(True, [], [1]), (False, ["old"], [])])
async def test_only_what_redis_may_have_taken_and_forgotten_is_not_sent_again(
    redis: Redis, sent: bool, arrived: list[str], left: list[int]
) -> None:
    outbox = redis.outbox()
    await redis.pipe.start()
    charge = (redis.form(1), "old", 5, 0, "charge", monotonic() - RECORD_S - 1)
    outbox.send_again(charge, sent=sent)
    await outbox.flush(5)
    assert await redis.arrived() == arrived
    assert redis.forgotten == [base for user_id in left for base in redis.form(user_id).bases]


async def test_a_scope_is_to_be_forgotten_until_it_is(redis: Redis) -> None:
    outbox = redis.outbox()
    redis.refusals = 2
    outbox.leave_to_ledger(["one", "other"])
    await redis.pipe.start()
    await outbox.flush(5)
    assert redis.forgotten == ["one", "other"]


async def test_a_scope_that_is_waiting_already_takes_no_room(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    outbox = redis.outbox(most=1)
    outbox.leave_to_ledger(["one", "one"])
    assert not caplog.records
    outbox.leave_to_ledger(["other"])
    assert "other is not among them" in caplog.text


async def test_a_scope_left_to_the_ledger_while_it_is_being_forgotten_is_forgotten_again(redis: Redis) -> None:
    outbox = redis.outbox()

    async def forget(base: str) -> None:
        redis.forgotten.append(base)
        if len(redis.forgotten) == 1:
            outbox.leave_to_ledger([base])

    outbox._forget = forget
    outbox.leave_to_ledger(["one"])
    await redis.pipe.start()
    await outbox.flush(5)
    assert redis.forgotten == ["one", "one"]


async def test_a_flush_ends_in_time_and_says_what_is_left(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    outbox = redis.outbox()
    outbox.put(redis.form(1), "a", 5, 0, "charge")
    async with asyncio.timeout(5):
        await outbox.flush(0.05)
    assert "1 settles could not be delivered" in caplog.text
    assert len(outbox) == 1
