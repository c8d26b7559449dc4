"""Attempts until one answers; never a second one once the client has had a byte."""

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import Any

import orjson
import pytest

from gateway.breaker import BASE_EJECTION_S, FAILURES_TO_EJECT
from gateway.errors import (
    ClientGone,
    Overloaded,
    Refusal,
    UpstreamDenied,
    UpstreamError,
    UpstreamRejected,
    UpstreamTimeout,
)
from gateway.exchange import Endpoint, Meter, ModelCall, Target
from gateway.phases.relay import MAX_ERROR_BYTES, Relay
from gateway.providers.base import ConnectFailed, Provider, UpstreamCut, UpstreamSilent
from gateway.providers.openai import OpenAIProvider
from gateway.routing.bulkhead import Bulkhead
from gateway.routing.keys import KeyRing
from gateway.routing.load import FAILED_S
from gateway.routing.types import ON_ILLNESS, Plan
from tests.gateway.phases.test_stream import CHAT, DONE, ERROR, MESSAGES, ROLE, STOP, word
from tests.gateway.scripted import (
    JSON,
    ListDownstream,
    ScriptedReply,
    ScriptedUpstream,
    World,
    for_ever,
    make_call,
    make_config,
    make_inbound,
    priced,
)

REPLY = {"choices": [{"message": {"content": "hello world"}}], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}


def ok() -> ScriptedReply:
    return ScriptedReply(orjson.dumps(REPLY), headers=JSON)


def failed(status: int, message: str = "no", **headers: str) -> ScriptedReply:
    body = orjson.dumps({"error": {"message": message, "type": "some_error", "code": "some_code"}})
    return ScriptedReply(body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})


def stream(*words: str) -> ScriptedReply:
    return ScriptedReply(ROLE, *map(word, words), STOP, DONE)


class Calls:
    """Calls over scripted upstreams, named `a`, `b`, …, in the order of the model's fallbacks."""

    def __init__(self, *upstreams: ScriptedUpstream, **defaults: Any) -> None:
        self.upstreams = dict(zip("abc", upstreams, strict=False))
        fallbacks = [f"only-{name}" for name in list(self.upstreams)[1:]]
        self.world = World(make_config(*self.upstreams, fallbacks=fallbacks, **defaults), self.upstreams)
        self.targets = [Target(name, "m", priced(2, 10)) for name in self.upstreams]
        self.plan = Plan(self.targets, [ON_ILLNESS] * len(self.targets))
        self.meter = Meter()
        self.down = ListDownstream()

    async def call(self, call: ModelCall | None = None, down: ListDownstream | None = None) -> ListDownstream:
        self.meter, self.down, s = Meter(), down or ListDownstream(), self.world.services
        call = call or make_call()
        await Relay(make_inbound(), call, s, s.routing, self.down, self.meter, {"x": "y"}).run(self.plan)
        await self.down.finish()
        return self.down

    async def refused(self, call: ModelCall | None = None, down: ListDownstream | None = None) -> Refusal:
        with pytest.raises(Refusal) as caught:
            await self.call(call, down)
        return caught.value

    @property
    def asked(self) -> list[int]:
        """How often each upstream was asked."""
        return [len(upstream.requests) for upstream in self.upstreams.values()]

    @property
    def slept(self) -> list[float]:
        return self.world.clock.slept


# Good replies.


async def test_a_whole_reply_is_passed_on_as_it_came() -> None:
    calls = Calls(ScriptedUpstream(ok()))
    down = await calls.call()
    assert (down.status, down.body) == (200, orjson.dumps(REPLY))
    assert down.headers == {"x": "y", "x-guardflow-model": "a/m", "content-type": "application/json"}
    assert calls.meter.usage is not None
    assert (calls.meter.usage.prompt_tokens, calls.meter.usage.completion_tokens) == (9, 2)
    assert calls.meter.complete
    assert calls.meter.attempts == 1
    assert calls.world.services.retry_budget.active == 0


async def test_a_stream_is_passed_on() -> None:
    calls = Calls(ScriptedUpstream(stream("a", "b")))
    down = await calls.call(make_call(stream=True))
    assert down.sent == ROLE + word("a") + word("b") + STOP + DONE
    assert calls.meter.first_byte_at is not None


async def test_a_stream_asked_for_and_answered_with_json_is_that_json() -> None:
    down = await Calls(ScriptedUpstream(ok())).call(make_call(stream=True))
    assert down.body == orjson.dumps(REPLY)
    assert not down.committed


async def test_only_known_headers_of_the_upstream_reach_the_client() -> None:
    headers = {**JSON, "openai-processing-ms": "5", "set-cookie": "a=b", "x-ratelimit-remaining-requests": "1"}
    down = await Calls(ScriptedUpstream(ScriptedReply(b"{}", headers=headers))).call()
    assert down.headers["openai-processing-ms"] == "5"
    assert not {"set-cookie", "x-ratelimit-remaining-requests"} & set(down.headers)


async def test_every_reply_is_closed() -> None:
    replies = [failed(503), ScriptedReply(b"nonsense", headers=JSON), ok()]
    await Calls(ScriptedUpstream(*replies)).call()
    assert all(reply.aborted for reply in replies)


# What is tried again, and where.

FAULTS = [
    ConnectFailed("refused"),
    UpstreamCut("reset"),
    UpstreamSilent("no head"),
    failed(500),
    failed(503),
    failed(529),
    ScriptedReply(b"<html>", headers=JSON),
    ScriptedReply(b'{"cut":', UpstreamCut("reset"), headers=JSON),
    ScriptedReply(for_ever, headers=JSON),
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_ill_upstream_is_asked_again_after_a_while(fault: ScriptedReply | Exception) -> None:
    calls = Calls(ScriptedUpstream(fault, ok()))
    assert (await calls.call()).status == 200
    assert calls.asked == [2]
    assert calls.meter.attempts == 2
    assert 0.2 < calls.slept[0] < 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_ill_upstream_is_given_up_after_the_retries(fault: ScriptedReply | Exception) -> None:
    calls = Calls(ScriptedUpstream(fault), retries=1)
    refusal = await calls.refused()
    assert refusal.status in (502, 504)
    assert calls.asked == [2]
    assert not calls.meter.answered
    assert calls.meter.usage is None


async def test_a_fallback_is_asked_at_once() -> None:
    calls = Calls(ScriptedUpstream(failed(500)), ScriptedUpstream(ok()))
    down = await calls.call()
    assert down.headers["x-guardflow-model"] == "b/m"
    assert calls.asked == [1, 1]
    assert calls.slept == [0.0]


async def test_every_target_is_asked_once_even_beyond_the_retries() -> None:
    calls = Calls(*(ScriptedUpstream(failed(500)) for _ in range(3)), retries=0)
    await calls.refused()
    assert calls.asked == [1, 1, 1]


async def test_after_all_targets_the_first_is_asked_again_with_a_pause() -> None:
    calls = Calls(ScriptedUpstream(failed(500), ok()), ScriptedUpstream(failed(500)), retries=3)
    await calls.call()
    assert calls.asked == [2, 1]
    assert calls.slept[0] == 0.0 < calls.slept[1]


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_a_bad_request_is_never_tried_again_and_told_as_it_is(status: int) -> None:
    calls = Calls(ScriptedUpstream(failed(status, "too long")), ScriptedUpstream(ok()))
    refusal = await calls.refused()
    assert isinstance(refusal, UpstreamRejected)
    assert (refusal.status, refusal.message, refusal.code) == (status, "too long", "some_code")
    assert calls.asked == [1, 0]


# Fallbacks for a trouble.


def too_long() -> ScriptedReply:
    body = orjson.dumps({"error": {"message": "too long", "code": "context_length_exceeded"}})
    return ScriptedReply(body, status=400, headers=JSON)


async def test_a_call_that_is_too_long_goes_where_there_is_room() -> None:
    calls = Calls(ScriptedUpstream(too_long()), ScriptedUpstream(ok()), ScriptedUpstream(ok()))
    calls.plan = Plan(calls.targets, [ON_ILLNESS, ON_ILLNESS, frozenset({"context_length"})])
    down = await calls.call()
    assert down.headers["x-guardflow-model"] == "c/m"
    assert calls.asked == [1, 0, 1]
    assert calls.slept == [0.0]
    assert calls.meter.flags == {"retry:context_length"}


async def test_a_call_that_is_too_long_for_all_is_told_so_at_once() -> None:
    calls = Calls(ScriptedUpstream(failed(500)), ScriptedUpstream(too_long()), retries=5)
    refusal = await calls.refused()
    assert (refusal.status, refusal.code) == (400, "context_length_exceeded")
    assert calls.asked == [1, 1]


async def test_a_fallback_for_another_trouble_is_left_alone() -> None:
    calls = Calls(ScriptedUpstream(failed(500), ok()), ScriptedUpstream(ok()))
    calls.plan = Plan(calls.targets, [ON_ILLNESS, frozenset({"content_filter"})])
    await calls.call()
    assert calls.asked == [2, 0]
    for _ in range(FAILURES_TO_EJECT):
        calls.world.services.breakers.failed("a/m")
    assert isinstance(await calls.refused(), Overloaded)
    assert calls.asked == [2, 0]


async def test_where_the_next_target_is_tried_the_row_says_why() -> None:
    calls = Calls(ScriptedUpstream(failed(429)), ScriptedUpstream(failed(500)), ScriptedUpstream(ok()))
    await calls.call()
    assert calls.meter.flags == {"retry:rate_limit", "retry:error"}
    await Calls(ScriptedUpstream(ok())).call()
    calls = Calls(ScriptedUpstream(ok()))
    await calls.call()
    assert calls.meter.flags == set()


# What choices go by.


async def test_calls_under_way_are_counted_until_they_end() -> None:
    calls = Calls(ScriptedUpstream(ScriptedReply(ROLE, for_ever)), idle_timeout_s=9)
    load = calls.world.services.load
    task = asyncio.create_task(calls.call(make_call(stream=True)))
    async with asyncio.timeout(3):
        while not calls.down.committed:
            await asyncio.sleep(0)
    assert load.calls == {"a/m": 1}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert load.calls == {}


async def test_the_time_to_the_first_byte_is_what_latency_means() -> None:
    async def slow() -> None:
        await asyncio.sleep(0.02)

    calls = Calls(ScriptedUpstream(ScriptedReply(ROLE, slow, STOP, DONE)), first_byte_timeout_s=5, idle_timeout_s=5)
    await calls.call(make_call(stream=True))
    assert 0 < calls.world.services.load.cost("a/m") < 0.02


@pytest.mark.parametrize("fault", [failed(500), failed(429), failed(401), ConnectFailed("refused")])
async def test_who_fails_fast_does_not_look_quick(fault: ScriptedReply | Exception) -> None:
    calls = Calls(ScriptedUpstream(fault), retries=0)
    await calls.refused()
    assert calls.world.services.load.cost("a/m") == FAILED_S


async def test_a_bad_request_says_nothing_of_the_target() -> None:
    calls = Calls(ScriptedUpstream(failed(400)))
    await calls.refused()
    assert calls.world.services.load.cost("a/m") == 0


# Several keys, and bulkheads.


def two_keys(*replies: ScriptedReply) -> Calls:
    calls = Calls(ScriptedUpstream(*replies), ScriptedUpstream(ok()))
    connections, services = calls.world.services.routing.connections, calls.world.services
    ring: KeyRing[Provider] = KeyRing([OpenAIProvider("k1"), OpenAIProvider("k2")], services.breakers.clock)
    connections["a"] = replace(connections["a"], keys=ring)
    return calls


def keys_of(calls: Calls) -> list[str]:
    sent = calls.upstreams["a"].requests
    return [dict(request.headers)["authorization"].removeprefix("Bearer ") for request in sent]


@pytest.mark.parametrize("status", [429, 401, 403])
async def test_where_one_key_is_turned_down_the_next_is_tried_at_once(status: int) -> None:
    calls = two_keys(failed(status), ok())
    await calls.call()
    assert keys_of(calls) == ["k1", "k2"]
    assert calls.asked == [2, 0]
    assert calls.slept == []
    assert (calls.meter.attempts, calls.meter.flags) == (2, {"retry:key"})
    await calls.call()
    assert keys_of(calls) == ["k1", "k2", "k2"]


async def test_where_all_keys_are_turned_down_it_is_the_next_targets_turn() -> None:
    calls = two_keys(failed(429))
    await calls.call()
    assert calls.asked == [2, 1]
    assert calls.meter.flags == {"retry:key", "retry:rate_limit"}


async def test_a_bad_request_and_a_failure_say_nothing_of_the_key() -> None:
    for status in (400, 500):
        calls = two_keys(failed(status), ok())
        with contextlib.suppress(Refusal):
            await calls.call()
        assert keys_of(calls) == ["k1"]


async def test_a_slow_provider_holds_up_only_so_many_calls() -> None:
    calls = Calls(ScriptedUpstream(for_ever), ScriptedUpstream(ok()), first_byte_timeout_s=5)
    bulkhead = Bulkhead(2)
    connections = calls.world.services.routing.connections
    connections["a"] = replace(connections["a"], bulkhead=bulkhead)
    waiting = [asyncio.create_task(calls.call()) for _ in range(2)]
    async with asyncio.timeout(3):
        while calls.asked != [2, 0]:
            await asyncio.sleep(0)
    assert (await calls.call()).headers["x-guardflow-model"] == "b/m"
    calls.plan = Plan(calls.targets[:1], [ON_ILLNESS])
    assert isinstance(await calls.refused(), Overloaded)
    assert calls.asked == [2, 1]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert bulkhead.inside == 0


# What is denied, limited, late.


@pytest.mark.parametrize("status", [301, 307, 401, 403])
async def test_a_denied_key_or_a_redirect_is_only_another_targets_chance(status: int) -> None:
    calls = Calls(ScriptedUpstream(failed(status, "key sk-secret123 is bad")), retries=3)
    refusal = await calls.refused()
    assert isinstance(refusal, UpstreamDenied)
    assert refusal.status == 502
    assert "sk-" not in refusal.message
    assert calls.asked == [1]
    calls = Calls(ScriptedUpstream(failed(status)), ScriptedUpstream(ok()))
    assert (await calls.call()).status == 200


async def test_a_target_that_denied_us_is_not_asked_again_when_the_other_fails() -> None:
    calls = Calls(ScriptedUpstream(failed(401)), ScriptedUpstream(failed(500)), retries=4)
    await calls.refused()
    assert calls.asked == [1, 5 - 1]


async def test_a_denied_key_is_not_tried_again_when_the_other_target_is_ejected() -> None:
    calls = Calls(ScriptedUpstream(failed(401)), ScriptedUpstream(ok()))
    for _ in range(FAILURES_TO_EJECT):
        calls.world.services.breakers.failed("b/m")
    assert isinstance(await calls.refused(), UpstreamDenied)
    assert calls.asked == [1, 0]


async def test_a_rate_limit_is_waited_for_as_the_upstream_asks() -> None:
    calls = Calls(ScriptedUpstream(failed(429, retry_after="3"), ok()))
    await calls.call()
    assert calls.slept == [3.0]


async def test_a_rate_limit_of_one_target_is_anothers_chance() -> None:
    calls = Calls(ScriptedUpstream(failed(429, retry_after="30")), ScriptedUpstream(ok()))
    await calls.call()
    assert calls.slept == [0.0]


async def test_a_target_keeps_its_pause_when_the_other_fails_meanwhile() -> None:
    calls = Calls(ScriptedUpstream(failed(429, retry_after="4"), ok()), ScriptedUpstream(failed(500)), retries=2)
    await calls.call()
    assert calls.slept == [0.0, 4.0]


@pytest.mark.parametrize("wait", ["11", "3600"])
async def test_a_wait_that_is_too_long_is_the_clients(wait: str) -> None:
    calls = Calls(ScriptedUpstream(failed(429, retry_after=wait), ok()))
    refusal = await calls.refused()
    assert (refusal.status, refusal.retry_after_s) == (429, float(wait))
    assert calls.slept == []


async def test_an_error_larger_than_we_read_is_told_by_its_status() -> None:
    reply = ScriptedReply(b"x" * (MAX_ERROR_BYTES + 1), status=400)
    assert (await Calls(ScriptedUpstream(reply)).refused()).status == 400


# Once the client has had a byte.


@pytest.mark.parametrize("fault", [UpstreamCut("reset"), UpstreamSilent("idle"), ERROR, b"data: {broken\n\n"])
async def test_nothing_is_tried_again_once_the_client_has_had_a_byte(fault: Exception | bytes) -> None:
    calls = Calls(ScriptedUpstream(ScriptedReply(ROLE, fault)), ScriptedUpstream(stream("x")))
    down = ListDownstream()
    assert (await calls.refused(make_call(stream=True), down)).status in (502, 504)
    assert calls.asked == [1, 0]
    assert down.sent == ROLE
    assert calls.meter.answered
    assert calls.meter.relayed_bytes == len(ROLE)


@pytest.mark.parametrize(
    "reply",
    [
        ScriptedReply(UpstreamCut("reset")),
        ScriptedReply((ROLE + word("lost"), UpstreamCut("reset"))),
        ScriptedReply(ERROR),
        ScriptedReply(),
    ],
)
async def test_a_stream_that_fails_before_the_first_byte_is_tried_again_and_leaves_no_trace(
    reply: ScriptedReply,
) -> None:
    calls = Calls(ScriptedUpstream(reply, stream("kept")))
    down = await calls.call(make_call(stream=True))
    assert down.sent == ROLE + word("kept") + STOP + DONE
    assert b"".join(calls.meter.relayed) == ROLE + word("kept") + STOP


async def test_what_the_client_never_saw_is_not_charged() -> None:
    calls = Calls(ScriptedUpstream(ScriptedReply((MESSAGES[0], UpstreamCut("reset")))), retries=0)
    calls.world.services.routing.connections["a"] = World(
        make_config("claude"), {"claude": calls.upstreams["a"]}
    ).services.routing.connections["claude"]
    await calls.refused(make_call(Endpoint.MESSAGES, stream=True))
    assert calls.meter.usage is None
    assert not calls.meter.answered
    assert not calls.meter.relayed


async def test_a_client_that_leaves_is_not_the_upstreams_failure() -> None:
    calls = Calls(ScriptedUpstream(ScriptedReply(*CHAT)))
    for _ in range(FAILURES_TO_EJECT + 1):
        assert isinstance(await calls.refused(make_call(stream=True), ListDownstream(leaves_after=5)), ClientGone)
    assert calls.world.services.breakers.open_keys() == []
    assert calls.meter.answered


# Time.


async def test_no_first_byte_in_time_is_a_timeout() -> None:
    refusal = await Calls(ScriptedUpstream(for_ever), first_byte_timeout_s=0.01, retries=0).refused()
    assert isinstance(refusal, UpstreamTimeout)
    assert refusal.status == 504


@pytest.mark.parametrize("reply", [for_ever, ScriptedReply(for_ever, headers=JSON)])
async def test_the_whole_time_is_bounded(reply: ScriptedReply) -> None:
    calls = Calls(ScriptedUpstream(reply), timeout_s=0.01, first_byte_timeout_s=9, idle_timeout_s=9)
    assert (await calls.refused()).status == 504
    assert calls.asked == [1]
    assert not calls.meter.answered
    assert calls.world.services.retry_budget.active == 0


async def test_the_whole_time_is_bounded_in_the_middle_of_a_stream_too() -> None:
    reply = ScriptedReply(ROLE, for_ever)
    calls = Calls(ScriptedUpstream(reply), timeout_s=0.02, idle_timeout_s=9)
    down = ListDownstream()
    assert (await calls.refused(make_call(stream=True), down)).status == 504
    assert down.sent == ROLE
    assert calls.meter.answered
    assert reply.aborted


@pytest.mark.parametrize("late", [for_ever, ScriptedReply(for_ever, headers=JSON), ScriptedReply(ROLE, for_ever)])
async def test_a_call_whose_time_is_over_goes_nowhere_else_and_blames_nobody(late: ScriptedReply) -> None:
    calls = Calls(
        ScriptedUpstream(late), ScriptedUpstream(ok()), timeout_s=0.01, first_byte_timeout_s=9, idle_timeout_s=9
    )
    for _ in range(FAILURES_TO_EJECT):
        refusal = await calls.refused(make_call(stream=True))
        assert isinstance(refusal, UpstreamTimeout)
        assert "too long" in refusal.message
    assert calls.asked == [FAILURES_TO_EJECT, 0]
    assert calls.world.services.breakers.open_keys() == []
    assert calls.world.services.metrics.counters["upstream_errors"] == {}


async def test_a_wait_beyond_the_end_of_the_call_is_the_clients_at_once() -> None:
    calls = Calls(ScriptedUpstream(failed(429, retry_after="3"), ok()), timeout_s=2)
    refusal = await calls.refused()
    assert (refusal.status, refusal.retry_after_s) == (429, 3)
    assert calls.slept == []


@pytest.mark.parametrize("reply", [stream("a"), ScriptedReply(STOP.rstrip())], ids=["in the middle", "at the end"])
async def test_a_client_that_is_too_slow_is_cut_off_when_the_time_is_over(reply: ScriptedReply) -> None:
    class Stuck(ListDownstream):
        async def drained(self) -> None:
            await for_ever()

    calls = Calls(ScriptedUpstream(reply), timeout_s=0.02)
    assert isinstance(await calls.refused(make_call(stream=True), Stuck(congested=True)), UpstreamTimeout)


# Breakers and the retry budget.


async def test_an_ill_target_is_ejected_and_refused_within_milliseconds() -> None:
    calls = Calls(ScriptedUpstream(failed(500)), retries=0)
    for _ in range(FAILURES_TO_EJECT):
        assert isinstance(await calls.refused(), UpstreamError)
    began = time.perf_counter()
    refusal = await calls.refused()
    assert time.perf_counter() - began < 0.01
    assert isinstance(refusal, Overloaded)
    assert refusal.retry_after_s == BASE_EJECTION_S
    assert calls.asked == [FAILURES_TO_EJECT]
    assert calls.meter.attempts == 0


async def test_an_ejected_target_is_passed_over() -> None:
    calls = Calls(ScriptedUpstream(failed(500)), ScriptedUpstream(ok()))
    for _ in range(FAILURES_TO_EJECT + 3):
        await calls.call()
    assert calls.asked == [FAILURES_TO_EJECT, FAILURES_TO_EJECT + 3]


@pytest.mark.parametrize(
    ("probe", "open_again"), [(ok(), True), (failed(429), True), (failed(400), True), (failed(500), False)]
)
async def test_one_probe_decides_and_any_answer_is_a_sign_of_life(probe: ScriptedReply, open_again: bool) -> None:
    calls = Calls(ScriptedUpstream(*[failed(500)] * FAILURES_TO_EJECT, probe), retries=0)
    for _ in range(FAILURES_TO_EJECT):
        await calls.refused()
    calls.world.clock.now += BASE_EJECTION_S
    with contextlib.suppress(UpstreamRejected, UpstreamError):
        await calls.call()
    assert calls.world.services.breakers.allows("a/m") is open_again


@pytest.mark.parametrize("fault", [failed(429), failed(401), failed(400)])
async def test_a_limit_a_bad_key_and_a_bad_request_eject_nobody(fault: ScriptedReply) -> None:
    calls = Calls(ScriptedUpstream(fault), retries=0)
    for _ in range(2 * FAILURES_TO_EJECT):
        assert (await calls.refused()).status != 503
    assert calls.world.services.metrics.counters["upstream_errors"] == {}


async def test_failures_are_counted_by_provider() -> None:
    calls = Calls(ScriptedUpstream(failed(500)), retries=1)
    await calls.refused()
    assert list(calls.world.services.metrics.counters["upstream_errors"].values()) == [2]


async def test_an_outage_is_not_made_worse_by_its_victims() -> None:
    """Of fifty calls at once at most a fifth are trying again at any time."""

    async def fail_together() -> None:
        await asyncio.sleep(0.01)
        raise ConnectFailed("down")

    calls = Calls(ScriptedUpstream(fail_together), ScriptedUpstream(ok()), retries=1)
    budget, most = calls.world.services.retry_budget, 0

    async def sleep(seconds: float) -> None:
        nonlocal most
        most = max(most, budget.retrying)
        await asyncio.sleep(0.005)

    calls.world.services.sleep = sleep
    everyone = [asyncio.create_task(Calls.call(calls)) for _ in range(50)]
    results = await asyncio.gather(*everyone, return_exceptions=True)
    assert 3 <= most <= 10
    assert any(isinstance(result, UpstreamError) for result in results)
    assert (budget.active, budget.retrying) == (0, 0)


async def test_a_cancelled_call_gives_everything_back() -> None:
    reply = ScriptedReply(ROLE, for_ever)
    calls = Calls(ScriptedUpstream(failed(500), reply), idle_timeout_s=9)
    task = asyncio.create_task(calls.call(make_call(stream=True)))
    while calls.asked != [2]:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    budget = calls.world.services.retry_budget
    assert (budget.active, budget.retrying) == (0, 0)
    assert reply.aborted
