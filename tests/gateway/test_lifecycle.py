"""However a request ends, it ends in one row, written before the last byte, and holds nothing any more."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from gateway.config import DefaultsConfig, PoliciesConfig
from gateway.count import count
from gateway.errors import RequestTooLarge
from gateway.exchange import Endpoint, Exchange, Inbound, Limits, Principal, Task
from gateway.lifecycle import serve
from gateway.logsink.base import COLUMNS, LogRow
from gateway.phases import settle
from gateway.policy import make_policy
from gateway.providers.base import UpstreamCut
from gateway.quota.base import QuotaUnavailable
from gateway.tasks import drain
from gateway.tokens.base import new_token
from gateway.tokens.cached import CachedTokenStore
from tests.gateway.phases.test_stream import CHAT, ERROR, MESSAGES, ROLE, word
from tests.gateway.scripted import (
    ALICE,
    BODIES,
    JSON,
    FixedClassifier,
    ListDownstream,
    ScriptedReply,
    ScriptedUpstream,
    World,
    bearer,
    for_ever,
    make_config,
    make_inbound,
    with_limits,
)

LIMITED = with_limits(ALICE, rpm=100, tpm=100_000, concurrent=5)
REPLY = {"choices": [{"message": {"content": "hello world"}}], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}


def whole(**changes: Any) -> ScriptedReply:
    return ScriptedReply(orjson.dumps({**REPLY, **changes}), headers=JSON)


class Life(World):
    """One provider, one caller, and what became of their requests."""

    def __init__(self, *replies: ScriptedReply | Exception, who: Principal = LIMITED, provider: str = "a") -> None:
        self.upstream = ScriptedUpstream(*(replies or (whole(),)))
        super().__init__(make_config(provider, retries=0), {provider: self.upstream}, who)
        self.down = ListDownstream()

    def routed(self, **changes: Any) -> None:
        self.services.routing = replace(self.services.routing, **changes)

    async def live(self, inbound: Inbound | None = None, down: ListDownstream | None = None) -> Exchange:
        self.down = down or ListDownstream()
        return await serve(inbound or make_inbound(), self.down, self.services)

    @property
    def row(self) -> LogRow:
        """The one row there is."""
        assert len(self.log.rows) == 1
        return self.log.rows[0]

    async def holds_nothing(self) -> bool:
        scope = self.quotas.asked[0].scopes[0]
        usage = await self.quotas.usage(scope)
        return usage.concurrent.used + usage.concurrent.reserved + usage.tokens_per_minute.reserved == 0


# The answered.


async def test_an_answered_call_is_charged_and_on_record_before_its_last_byte() -> None:
    life = Life()
    rows_then: list[int] = []
    down = ListDownstream(on_finish=lambda: rows_then.append(len(life.log.rows)))
    ex = await life.live(down=down)
    assert rows_then == [1]
    assert down.body == orjson.dumps(REPLY)
    assert [(tokens, cost) for _, tokens, cost in life.quotas.settled] == [(11, 9 * 2 + 2 * 10)]
    assert await life.holds_nothing()
    row = life.row
    assert tuple(row) == COLUMNS
    assert row["id"] == ex.inbound.id
    assert down.headers["x-request-id"] == row["request_id"] == f"req_{ex.inbound.id}"
    told = {name: row[name] for name in ("status", "error_code", "model", "provider", "total_tokens", "cost_micros")}
    assert told == {
        "status": 200, "error_code": None, "model": "m", "provider": "a", "total_tokens": 11, "cost_micros": 38,
    }  # fmt: skip


@pytest.mark.parametrize("pieces", [CHAT, [b"".join(CHAT)]])
async def test_the_end_of_a_stream_waits_for_the_record(pieces: list[bytes]) -> None:
    life = Life(ScriptedReply(*pieces))
    seen: list[tuple[int, bool]] = []
    down = ListDownstream(on_finish=lambda: seen.append((len(life.log.rows), b"[DONE]" in down.sent)))
    await life.live(make_inbound(stream=True), down)
    assert seen == [(1, False)]
    assert down.sent.endswith(b"data: [DONE]\n\n")
    assert life.row["stream"] is True
    assert life.row["total_tokens"] == 12


async def test_a_stream_without_usage_is_counted_before_its_end() -> None:
    life = Life(ScriptedReply(ROLE, word("hello world"), CHAT[-3]))
    await life.live(make_inbound(stream=True))
    assert life.row["flags"] == ["usage_counted"]
    assert (life.row["prompt_tokens"], life.row["completion_tokens"]) == (count("Hello there"), count("hello world"))
    assert life.quotas.settled[0][1] == life.row["total_tokens"]


async def test_the_phases_run_in_their_order() -> None:
    ex = await Life().live()
    assert list(ex.seconds) == ["authenticate", "parse", "route", "classify", "choose", "admit", "relay"]
    assert all(seconds >= 0 for seconds in ex.seconds.values())


async def test_models_are_listed_at_no_cost() -> None:
    life = Life()
    inbound = make_inbound(Endpoint.MODELS)
    await life.live(inbound)
    assert {model["id"] for model in orjson.loads(life.down.body)["data"]} == {"m", "only-a"}
    assert not life.quotas.asked
    assert not life.quotas.settled
    assert (life.row["status"], life.row["endpoint"], life.row["cost_micros"]) == (200, "models", None)


async def test_what_a_client_calls_guardflow_decides_nothing_and_goes_nowhere() -> None:
    life = Life()
    await life.live(make_inbound(headers=bearer(x_guardflow_intent="x", x_guardflow_model="y", cookie="z")))
    sent = dict(life.upstream.requests[0].headers)
    assert set(sent) == {"content-type", "user-agent", "authorization"}
    assert "gf_" not in sent["authorization"]


# The refused: each costs nothing and makes one row.


def blocked(**changes: Any) -> Life:
    return Life(who=replace(LIMITED, **changes))


def policed(intent: str = "other", misuse: float = 0.0, who: Principal = LIMITED) -> Life:
    life = Life(who=who)
    life.services.classifier = FixedClassifier(intent, misuse=misuse)
    return life


def quota_down() -> Life:
    life = Life()
    life.quotas.fails = QuotaUnavailable("away")
    return life


def tokens_down() -> Life:
    life = Life()
    life.store.is_down = True
    return life


async def too_large() -> bytes:
    raise RequestTooLarge("The body is too large.")


WRITING = replace(LIMITED, tasks={7: Task(7, "writing", frozenset({"writing"}))})
NOW = datetime.now(UTC)

REFUSED_EARLY: dict[str, tuple[Callable[[], Life], Callable[[], Inbound], int]] = {
    "invalid_api_key": (Life, lambda: make_inbound(headers={}), 401),
    "invalid_api_key ": (Life, lambda: make_inbound(headers=bearer(new_token())), 401),
    "invalid_api_key  ": (Life, lambda: make_inbound(headers=bearer("sk-wrong\udcff")), 401),
    "invalid_api_key   ": (lambda: blocked(token_expires_at=NOW - timedelta(1)), make_inbound, 401),
    "user_blocked": (lambda: blocked(is_active=False), make_inbound, 403),
    "user_blocked ": (lambda: blocked(blocked_until=NOW + timedelta(1)), make_inbound, 403),
    "overloaded": (tokens_down, make_inbound, 503),
    "invalid_request_error": (Life, lambda: make_inbound(body=b"{"), 400),
    "invalid_request_error ": (Life, lambda: make_inbound(task_id=9), 400),
    "request_too_large": (Life, lambda: make_inbound(read=too_large), 413),
    "unsupported_media_type": (Life, lambda: make_inbound(headers=bearer(content_encoding="br")), 415),
    "model_not_found": (Life, lambda: make_inbound(model="none"), 404),
    "model_not_found ": (Life, lambda: make_inbound(Endpoint.MODELS)._replace(model_id="none"), 404),
    "model_not_allowed": (lambda: blocked(allowed_models=frozenset({"x"})), make_inbound, 403),
    "misuse_blocked": (lambda: policed(misuse=0.95), make_inbound, 403),
    "intent_not_allowed": (lambda: policed("coding", who=WRITING), lambda: make_inbound(task_id=7), 403),
}


@pytest.mark.parametrize("code", list(REFUSED_EARLY))
async def test_a_call_that_is_refused_at_the_door_holds_nothing(code: str) -> None:
    make_life, ask, status = REFUSED_EARLY[code]
    life = make_life()
    ex = await life.live(ask())
    assert (life.down.status, life.row["status"], life.row["error_code"]) == (status, status, code.strip())
    assert life.down.refusal is ex.refusal
    assert life.down.finished
    assert life.down.headers["x-request-id"]
    assert not [*life.upstream.requests, *life.quotas.asked, *life.quotas.settled]
    assert (life.row["total_tokens"], life.row["attempts"]) == (0, 0)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(rpm=0), "rate_limit_exceeded"), (Limits(tpm=5), "rate_limit_exceeded"),
        (Limits(concurrent=0), "rate_limit_exceeded"), (Limits(daily_tokens=5), "insufficient_quota"),
        (Limits(monthly_tokens=5), "insufficient_quota"), (Limits(monthly_budget_micros=5), "insufficient_quota"),
    ],
)  # fmt: skip
async def test_a_call_that_a_limit_refuses_leaves_no_trace_but_its_row(limits: Limits, code: str) -> None:
    life = Life(who=replace(ALICE, user_limits=limits))
    await life.live(make_inbound(max_tokens=50))
    assert (life.down.status, life.row["error_code"]) == (429, code)
    assert int(life.down.headers["retry-after"]) >= 1
    assert life.quotas.settled == []
    assert len(life.quotas.asked) == 1


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (ScriptedReply(b"{}", status=400), 400, "invalid_request_error"),
        (ScriptedReply(b"{}", status=500), 502, "upstream_error"),
        (ScriptedReply(b"<html>", headers=JSON), 502, "upstream_error"),
        (ScriptedReply(MESSAGES[0][:30], UpstreamCut("reset")), 502, "upstream_error"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_call_that_the_upstream_fails_costs_nothing(
    fault: ScriptedReply, status: int, code: str, stream: bool
) -> None:
    life = Life(fault)
    await life.live(make_inbound(stream=stream))
    assert (life.down.status, life.row["status"], life.row["error_code"]) == (status, status, code)
    assert [settled[1:] for settled in life.quotas.settled] == [(0, 0)]
    assert life.row["total_tokens"] == 0
    assert await life.holds_nothing()


async def test_no_store_for_quotas_is_our_fault_and_gives_back_what_may_be_held() -> None:
    life = quota_down()
    await life.live()
    assert (life.down.status, life.row["error_code"]) == (503, "overloaded")
    assert len(life.quotas.settled) == 1


async def test_a_broken_part_is_an_answer_and_a_row(caplog: pytest.LogCaptureFixture) -> None:
    life = Life(RuntimeError("a bug with key sk-1234567890"))
    await life.live()
    assert (life.down.status, life.row["status"], life.row["error_code"]) == (500, 500, "internal_error")
    assert life.down.refusal is not None
    assert "bug" not in life.down.refusal.message
    assert "failed" in caplog.text
    assert len(life.quotas.settled) == 1
    assert await life.holds_nothing()


async def test_after_the_first_byte_an_error_is_part_of_the_stream() -> None:
    life = Life(ScriptedReply(ROLE, word("hello world"), ERROR))
    await life.live(make_inbound(stream=True))
    assert life.down.sent == ROLE + word("hello world")
    assert life.down.refusal is not None
    assert (life.row["status"], life.row["error_code"]) == (200, "upstream_error")
    assert life.row["completion_tokens"] == 2
    assert life.quotas.settled[0][1] == life.row["total_tokens"] == 2 + count("Hello there")


async def test_a_cut_stream_keeps_the_usage_the_upstream_told() -> None:
    life = Life(ScriptedReply(*MESSAGES[:4], UpstreamCut("reset")), provider="claude")
    await life.live(make_inbound(Endpoint.MESSAGES, stream=True))
    assert (life.row["prompt_tokens"], life.row["completion_tokens"]) == (12, count("Hi there"))


async def test_a_client_that_stopped_reading_pays_for_what_it_got() -> None:
    life = Life(ScriptedReply(*CHAT))
    ex = await life.live(make_inbound(stream=True), ListDownstream(leaves_after=len(ROLE + word("The ")) + 20))
    assert (life.row["status"], life.row["error_code"]) == (499, "client_closed_request")
    assert life.row["completion_tokens"] >= 1
    assert ex.meter.flags == {"usage_counted"}
    assert await life.holds_nothing()


async def test_a_shadow_policy_refuses_nobody_and_is_on_record() -> None:
    life = policed(misuse=0.95)
    life.routed(policy=make_policy(PoliciesConfig(mode="shadow"), {"block": 0.9}))
    await life.live()
    assert (life.down.status, life.row["action"], life.row["misuse_score"]) == (200, "block", 0.95)


async def test_without_rules_nothing_is_judged() -> None:
    life = Life()
    life.routed(policy=make_policy(PoliciesConfig(mode="off"), {}))
    await life.live()
    assert life.classifier.judged == []
    assert life.row["intent"] is None


async def test_a_reload_in_the_middle_of_a_call_changes_nothing_for_it() -> None:
    life = Life()

    async def reload() -> None:
        life.routed(connections={}, defaults=DefaultsConfig())

    life.quotas.waits = reload
    await life.live()
    assert life.down.status == 200


# The abandoned: cut off at every place where a request can wait.


class Leaves:
    """Cancels the request at its n-th wait, and again at each wait that follows."""

    def __init__(self, n: int, *, again: bool) -> None:
        self._left, self._again, self.task, self.cancelled = n, again, asyncio.current_task(), False

    def wait(self) -> None:
        self._left -= 1
        if self._left == 0 or (self._left < 0 and self._again):
            self.cancelled = True
            assert self.task is not None
            self.task.cancel()


class LeavingDownstream(ListDownstream):
    def __init__(self, leaves: Leaves) -> None:
        super().__init__(on_finish=leaves.wait)
        self._leaves = leaves

    async def begin(self, headers: Mapping[str, str]) -> None:
        self._leaves.wait()
        await super().begin(headers)

    async def drained(self) -> None:
        self._leaves.wait()
        await super().drained()


async def abandoned(n: int, *, again: bool, reply: ScriptedReply | None = None) -> tuple[Life, LeavingDownstream, bool]:
    """Serve a stream whose client leaves at the n-th wait; tell whether it got so far."""
    leaves: Leaves

    async def wait() -> None:
        leaves.wait()
        await asyncio.sleep(0)

    async def read() -> bytes:
        await wait()
        return orjson.dumps({**BODIES[Endpoint.CHAT], "stream": True})

    life = Life(reply or ScriptedReply(ROLE, wait, word("hello"), wait, word(" world"), wait))
    life.quotas.waits = wait
    life.services.tokens = CachedTokenStore(SlowTokens(life.store.find))

    async def client() -> LeavingDownstream:
        nonlocal leaves
        leaves = Leaves(n, again=again)
        down = LeavingDownstream(leaves)
        with contextlib.suppress(asyncio.CancelledError):
            await serve(make_inbound(read=read), down, life.services)
        return down

    down = await asyncio.create_task(client())
    await drain(1)
    return life, down, leaves.cancelled


class SlowTokens:
    """A token store that takes a turn of the loop."""

    def __init__(self, find: Callable[[bytes], Awaitable[Principal | None]]) -> None:
        self._find = find

    async def find(self, token_hash: bytes) -> Principal | None:
        await asyncio.sleep(0)
        return await self._find(token_hash)


@pytest.mark.parametrize("again", [False, True], ids=["once", "again and again"])
@pytest.mark.parametrize("n", range(1, 11))
async def test_a_client_that_leaves_at_any_wait_leaves_one_row_and_holds_nothing(n: int, again: bool) -> None:
    life, down, left = await abandoned(n, again=again)
    assert len(life.log.rows) == 1
    assert len(life.quotas.settled) == (1 if life.quotas.asked else 0)
    if life.quotas.asked:
        assert await life.holds_nothing()
    if left and not down.finished:
        assert b"[DONE]" not in down.sent
    if life.row["error_code"] == "client_closed_request":
        assert life.row["status"] == 499


async def test_the_waits_of_a_request_are_all_tried() -> None:
    """Else the test above would prove less than it says."""
    reached = [(await abandoned(n, again=False))[2] for n in range(1, 11)]
    assert 6 <= sum(reached) < 10


async def test_a_client_that_leaves_while_the_tokens_are_counted_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counting, go_on = asyncio.Event(), asyncio.Event()

    async def to_thread(function: Callable[..., Any], *args: Any) -> Any:
        counting.set()
        await go_on.wait()
        return function(*args)

    monkeypatch.setattr(settle.asyncio, "to_thread", to_thread)  # type: ignore[attr-defined]
    life = Life(ScriptedReply(ROLE, word("hello world"), CHAT[-3]))
    task = asyncio.create_task(life.live(make_inbound(stream=True)))
    await counting.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert task.done()
    assert not life.log.rows
    assert not life.quotas.settled
    go_on.set()
    assert await drain(1) == 0
    assert life.row["status"] == 200
    assert life.row["completion_tokens"] == 2
    assert len(life.quotas.settled) == 1
    assert not life.down.finished


async def test_a_client_that_leaves_a_silent_upstream_pays_for_its_question() -> None:
    reply = ScriptedReply(for_ever, headers=JSON)
    life = Life(reply)
    life.routed(defaults=DefaultsConfig())
    task = asyncio.create_task(life.live())
    while not life.upstream.requests:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reply.aborted
    assert (life.row["status"], life.row["prompt_tokens"]) == (499, count("Hello there"))
    assert await life.holds_nothing()
