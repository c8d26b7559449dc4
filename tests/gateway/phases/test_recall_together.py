"""Of identical calls at the same time one goes to the provider; whatever becomes of it, nobody waits in vain."""

import asyncio
import time

import pytest

from gateway.cache.base import CacheStore
from gateway.phases.recall import FLAG, HEADER
from tests.gateway.phases.cached import BOBS, BODY, Cached, whole
from tests.gateway.phases.test_stream import CHAT, DONE, ROLE, STOP, word
from tests.gateway.scripted import ScriptedReply, bearer, make_config, make_inbound


async def a_moment() -> None:
    await asyncio.sleep(0.01)


class Held:
    """A provider that answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self) -> None:
        await self.go.wait()


async def until(life: Cached, *, calls: int) -> None:
    async with asyncio.timeout(5):
        while life.calls < calls:
            await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_hundred_identical_calls_are_one_to_the_provider(shelf: CacheStore, stream: bool) -> None:
    held = Held()
    reply = ScriptedReply(CHAT[0], held, *CHAT[1:]) if stream else whole(BODY, held)
    life = Cached(reply, store=shelf)
    many = asyncio.ensure_future(life.ask_many(100, stream=stream))
    await until(life, calls=1)
    held.go.set()
    downs = await many
    assert life.calls == 1
    assert sorted(down.headers[HEADER] for down in downs) == ["hit"] * 99 + ["miss"]
    assert len({down.sent or down.body for down in downs}) == 1
    assert len(life.log.rows) == 100
    assert sum(row["total_tokens"] for row in life.log.rows) == (12 if stream else 11)
    assert len(life.quotas.settled) == 100
    assert len(life.services.flights) == 0
    usage = await life.quotas.usage(life.quotas.asked[0].scopes[0])
    assert (usage.concurrent.used, usage.tokens_per_minute.reserved) == (0, 0)


async def test_waiting_for_another_is_not_the_gateways_own_time() -> None:
    held = Held()
    life = Cached(whole(BODY, held))
    many = asyncio.ensure_future(life.ask_many(2))
    await until(life, calls=1)
    await asyncio.sleep(0.05)
    held.go.set()
    await many
    follower = next(row for row in life.log.rows if FLAG in row["flags"])
    assert follower["total_ms"] >= 50
    assert follower["overhead_ms"] < 40


async def test_who_asks_something_else_does_not_wait() -> None:
    held = Held()
    life = Cached(whole(BODY, held), whole())
    first = asyncio.ensure_future(life.ask())
    await until(life, calls=1)
    assert await life.told(temperature=0.5) == "miss"
    assert (await life.ask(make_inbound(headers=bearer(BOBS)))).headers[HEADER] == "miss"
    assert await life.told("no-cache") == "bypass"
    assert await life.told("no-store") == "bypass"
    assert not first.done()
    held.go.set()
    await first


async def test_when_the_first_ones_client_leaves_the_next_takes_its_place() -> None:
    held = Held()
    life = Cached(whole(BODY, held), whole(BODY, a_moment))
    first = asyncio.ensure_future(life.ask())
    await until(life, calls=1)
    rest = asyncio.ensure_future(life.ask_many(10))
    await until(life, calls=1)
    first.cancel()
    downs = await rest
    assert life.calls == 2
    assert sorted(down.headers[HEADER] for down in downs) == ["hit"] * 9 + ["miss"]
    with pytest.raises(asyncio.CancelledError):
        await first
    assert sorted(row["status"] for row in life.log.rows) == [200] * 10 + [499]


async def test_who_leaves_while_waiting_takes_nobody_along() -> None:
    held = Held()
    life = Cached(whole(BODY, held))
    calls = [asyncio.ensure_future(life.ask()) for _ in range(3)]
    await until(life, calls=1)
    calls[1].cancel()
    held.go.set()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in done] == [False, True, False]
    assert life.calls == 1
    left = next(row for row in life.log.rows if row["status"] == 499)
    assert left["total_tokens"] == 0
    usage = await life.quotas.usage(life.quotas.asked[0].scopes[0])
    assert usage.concurrent.used == 0


def alone(life: Cached) -> Cached:
    """Without a fallback."""
    life.config = make_config("a", retries=0, idle_timeout_s=5, first_byte_timeout_s=5)
    life.rule()
    return life


async def test_when_the_first_fails_the_next_takes_its_place() -> None:
    held = Held()
    life = alone(Cached(ScriptedReply(held, b"{}", status=500), whole(BODY, a_moment)))
    many = asyncio.ensure_future(life.ask_many(10))
    await until(life, calls=1)
    held.go.set()
    downs = await many
    assert life.calls == 2
    assert sorted(down.status or 0 for down in downs) == [200] * 9 + [502]


async def test_what_would_be_refused_again_is_not_waited_for_twice() -> None:
    held = Held()
    life = alone(Cached(ScriptedReply(held, b"{}", status=400)))
    many = asyncio.ensure_future(life.ask_many(10))
    await until(life, calls=1)
    held.go.set()
    assert [down.status for down in await many] == [400] * 10
    assert life.calls == 10
    assert len(life.services.flights) == 0


async def test_an_answer_too_large_to_share_holds_nobody_up() -> None:
    held = Held()
    large = word("x" * 3000)
    life = Cached(ScriptedReply(ROLE, large, held, STOP, DONE), ScriptedReply(ROLE, large, STOP, DONE))
    life.rule(max_entry_bytes=2000)
    first = asyncio.ensure_future(life.ask(make_inbound(stream=True)))
    await until(life, calls=1)
    others = await life.ask_many(5, stream=True)
    assert not first.done()
    assert [down.sent for down in others] == [ROLE + large + STOP + DONE] * 5
    held.go.set()
    assert (await first).sent == others[0].sent


async def test_nobody_waits_longer_than_the_rule_says() -> None:
    held = Held()
    life = Cached(whole(BODY, held), whole())
    life.rule(wait_s=0.02)
    first = asyncio.ensure_future(life.ask())
    await until(life, calls=1)
    began = time.monotonic()
    assert await life.told() == "miss"
    assert 0.02 <= time.monotonic() - began < 2
    assert not first.done()
    held.go.set()
    await first
    assert life.calls == 2


async def test_by_the_rule_nobody_waits_at_all() -> None:
    held = Held()
    life = Cached(whole(BODY, held), whole())
    life.rule(wait_s=0)
    first = asyncio.ensure_future(life.ask())
    await until(life, calls=1)
    assert await life.told() == "miss"
    held.go.set()
    await first


async def test_each_who_shares_is_charged_by_the_rule() -> None:
    held = Held()
    life = Cached(whole(BODY, held), charge="full")
    many = asyncio.ensure_future(life.ask_many(5))
    await until(life, calls=1)
    held.go.set()
    await many
    assert [row["total_tokens"] for row in life.log.rows] == [11] * 5


async def test_a_broken_call_does_not_leave_others_waiting(caplog: pytest.LogCaptureFixture) -> None:
    life = alone(Cached(RuntimeError("a bug"), whole()))
    downs = await life.ask_many(3)
    assert sorted(down.status or 0 for down in downs) == [200, 200, 500]
    assert len(life.services.flights) == 0
    assert "failed" in caplog.text
