"""Two are asked, one answers, one is charged."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.breaker import FAILURES_TO_EJECT
from gateway.errors import Refusal, UpstreamError
from gateway.exchange import Meter, Target
from gateway.phases.relay import Relay
from gateway.providers.base import ConnectFailed
from gateway.routing.load import ENOUGH
from gateway.routing.types import ON_ILLNESS, Plan
from tests.gateway.phases.test_stream import DONE, ROLE, STOP, word
from tests.gateway.scripted import (
    ListDownstream,
    ScriptedReply,
    ScriptedUpstream,
    World,
    for_ever,
    make_call,
    make_config,
    make_inbound,
)

AFTER_S = 0.02


def after(seconds: float) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        await asyncio.sleep(seconds)

    return wait


def stream(text: str, *, waits_s: float = 0.0) -> ScriptedReply:
    return ScriptedReply(after(waits_s), ROLE, word(text), STOP, DONE)


class Hedged:
    """A stream that may be asked for at `a` and `b`; `a` has begun its last ones within AFTER_S."""

    def __init__(self, a: ScriptedReply | Exception, b: ScriptedReply | Exception, known: int = ENOUGH) -> None:
        self.upstreams = {"a": ScriptedUpstream(a), "b": ScriptedUpstream(b)}
        config = make_config("a", "b", first_byte_timeout_s=5, idle_timeout_s=5, retries=0)
        self.world = World(config, self.upstreams)
        self.meter, self.down = Meter(), ListDownstream()
        for _ in range(known):
            self.world.services.load.streamed("a/m", AFTER_S)

    async def call(self) -> str:
        s = self.world.services
        relay = Relay(make_inbound(), make_call(stream=True), s, s.routing, self.down, self.meter, {})
        plan = Plan([Target("a", "m"), Target("b", "m")], [ON_ILLNESS, ON_ILLNESS], None, hedged=True)
        try:
            async with asyncio.timeout(3):
                await relay.run(plan)
        finally:
            self.holds_nothing()
        await self.down.finish()
        return self.down.headers["x-guardflow-model"]

    def holds_nothing(self) -> None:
        s = self.world.services
        assert s.load.calls == {}
        assert (s.retry_budget.active, s.retry_budget.retrying) == (0, 0)
        assert [c.bulkhead.inside for c in s.routing.connections.values()] == [0, 0]

    @property
    def asked(self) -> list[int]:
        return [len(upstream.requests) for upstream in self.upstreams.values()]


async def test_whoever_answers_first_wins_and_the_other_is_cancelled() -> None:
    slow = ScriptedReply(for_ever)
    hedged = Hedged(slow, stream("second"))
    assert await hedged.call() == "b/m"
    assert hedged.asked == [1, 1]
    assert slow.aborted
    assert hedged.down.sent == ROLE + word("second") + STOP + DONE
    meter = hedged.meter
    assert meter.target == Target("b", "m")
    assert meter.complete
    assert b"".join(meter.relayed) == ROLE + word("second") + STOP
    assert (meter.attempts, meter.flags) == (2, {"hedge:won"})
    assert meter.upstream_s >= AFTER_S


async def test_the_first_may_still_win() -> None:
    late = stream("second", waits_s=1)
    hedged = Hedged(stream("first", waits_s=2 * AFTER_S), late)
    assert await hedged.call() == "a/m"
    assert hedged.asked == [1, 1]
    assert late.aborted
    assert hedged.down.sent == ROLE + word("first") + STOP + DONE
    assert (hedged.meter.attempts, hedged.meter.flags) == (2, {"hedge:lost"})


async def test_nobody_else_is_asked_while_the_first_is_in_time() -> None:
    hedged = Hedged(stream("first"), stream("second"))
    assert await hedged.call() == "a/m"
    assert hedged.asked == [1, 0]
    assert (hedged.meter.attempts, hedged.meter.flags) == (1, set())


async def test_nobody_else_is_asked_where_too_little_is_known() -> None:
    hedged = Hedged(stream("first", waits_s=3 * AFTER_S), stream("second"), known=ENOUGH - 1)
    assert await hedged.call() == "a/m"
    assert hedged.asked == [1, 0]


async def test_nobody_else_is_asked_who_is_ejected_meanwhile_or_when_the_budget_is_spent() -> None:
    for spent in (True, False):
        hedged = Hedged(stream("first", waits_s=3 * AFTER_S), stream("second"))
        services = hedged.world.services
        call = asyncio.create_task(hedged.call())
        await asyncio.sleep(AFTER_S / 4)
        taken = sum(services.retry_budget.take() for _ in range(100)) if spent else 0
        for _ in range(0 if spent else FAILURES_TO_EJECT):
            services.breakers.failed("b/m")
        await asyncio.sleep(2 * AFTER_S)
        services.retry_budget.retrying -= taken
        assert await call == "a/m"
        assert hedged.asked == [1, 0]
        assert hedged.meter.flags == set()


async def test_a_first_that_fails_at_once_is_an_ordinary_failure() -> None:
    hedged = Hedged(ConnectFailed("refused"), stream("second"))
    assert await hedged.call() == "b/m"
    assert (hedged.meter.attempts, hedged.meter.flags) == (2, {"retry:error"})


async def test_one_that_fails_leaves_the_race_to_the_other() -> None:
    hedged = Hedged(stream("first", waits_s=3 * AFTER_S), ConnectFailed("refused"))
    assert await hedged.call() == "a/m"
    assert hedged.meter.flags == {"hedge:lost"}


async def test_where_both_fail_the_refusal_is_the_firsts_and_nothing_is_charged() -> None:
    first = ScriptedReply(after(2 * AFTER_S), b"data: {broken\n\n")
    hedged = Hedged(first, ConnectFailed("refused"))
    with pytest.raises(UpstreamError, match="broken"):
        await hedged.call()
    assert not hedged.meter.answered
    assert hedged.meter.attempts == 2


async def test_a_client_that_leaves_pays_for_what_the_winner_gave() -> None:
    hedged = Hedged(ScriptedReply(for_ever), ScriptedReply(ROLE, word("some"), for_ever))
    task = asyncio.create_task(hedged.call())
    async with asyncio.timeout(3):
        while not hedged.down.pieces:
            await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert hedged.meter.answered
    assert hedged.meter.target == Target("b", "m")
    assert hedged.meter.relayed


async def test_a_winner_that_is_cut_is_an_error_in_the_stream() -> None:
    hedged = Hedged(ScriptedReply(for_ever), ScriptedReply(ROLE, ConnectFailed("cut")))
    with pytest.raises(Refusal):
        await hedged.call()
    assert hedged.down.sent == ROLE
    assert hedged.meter.answered
    assert hedged.asked == [1, 1]
