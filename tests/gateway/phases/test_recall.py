"""What is known is given again: the same bytes, to whom they belong, and everybody is admitted and on record."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cache.base import CacheStore
from gateway.cache.memory import MemoryCache
from gateway.cache.redis import RedisCache
from gateway.cache.rule import AllCacheConfig
from gateway.count import count
from gateway.exchange import Endpoint, Principal
from gateway.phases.recall import FLAG, HEADER
from gateway.providers.base import ConnectFailed, UpstreamCut
from gateway.wire.redis import RedisPipe
from tests.gateway.phases.cached import BOBS, BODY, Cached, whole
from tests.gateway.phases.test_stream import CHAT, DONE, MESSAGES, RESPONSES, ROLE, STOP, USAGE, word
from tests.gateway.scripted import (
    ALICE,
    TOKEN,
    FixedClassifier,
    ListDownstream,
    ScriptedReply,
    World,
    bearer,
    make_config,
    make_inbound,
    with_limits,
)


class NeverAsked:
    """A store for a gateway that caches nothing."""

    def find(self, key: str) -> Any:
        raise AssertionError("looked up")

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        raise AssertionError("stored")


# Given again.


async def test_a_known_answer_is_given_again_and_costs_nothing(shelf: CacheStore) -> None:
    life = Cached(store=shelf)
    first, second = await life.ask(), await life.ask()
    assert (first.headers[HEADER], second.headers[HEADER]) == ("miss", "hit")
    assert life.calls == 1
    assert first.body == second.body == BODY
    assert (second.status, second.headers["content-type"]) == (200, "application/json")
    assert second.headers["x-guardflow-model"] == first.headers["x-guardflow-model"] == "a/m"
    assert 0 <= int(second.headers["age"]) < 5
    assert "age" not in first.headers
    row = life.last
    told = {name: row[name] for name in ("status", "provider", "upstream_model", "total_tokens", "attempts", "ttfb_ms")}
    assert told == {
        "status": 200, "provider": "a", "upstream_model": "m", "total_tokens": 0, "attempts": 0, "ttfb_ms": None,
    }  # fmt: skip
    assert FLAG in row["flags"]
    assert FLAG not in life.log.rows[0]["flags"]
    assert [settled[1:] for settled in life.quotas.settled] == [(11, 38), (0, 0)]
    assert len({row["id"] for row in life.log.rows}) == 2
    assert second.headers["x-request-id"] == row["request_id"] != first.headers["x-request-id"]


@pytest.mark.parametrize(
    ("endpoint", "events"), [(Endpoint.CHAT, CHAT), (Endpoint.MESSAGES, MESSAGES), (Endpoint.RESPONSES, RESPONSES)]
)
async def test_a_stream_is_given_again_as_a_stream_to_the_last_byte(
    shelf: CacheStore, endpoint: Endpoint, events: list[bytes]
) -> None:
    life = Cached(ScriptedReply(*events), store=shelf)
    if endpoint is Endpoint.MESSAGES:
        life = anthropic(ScriptedReply(*events), store=shelf)
    rows_at_the_end: list[int] = []
    first = await life.ask(make_inbound(endpoint, stream=True))
    down = ListDownstream(on_finish=lambda: rows_at_the_end.append(len(life.log.rows)))
    second = await life.ask(make_inbound(endpoint, stream=True), down)
    assert second.headers[HEADER] == "hit"
    assert second.sent == first.sent == b"".join(event for event in events if event is not USAGE)
    assert second.tail == events[-1]
    assert rows_at_the_end == [2]
    for name in ("content-type", "cache-control"):
        assert second.headers[name] == first.headers[name]
    assert life.last["stream"] is True


def anthropic(*replies: ScriptedReply, store: CacheStore) -> Cached:
    life = Cached(*replies, store=store)
    config = make_config("claude").model_copy(update={"cache": AllCacheConfig(mode="exact")})
    made = World(config, {"claude": life.upstream})
    life.services.routing = made.services.routing
    return life


async def test_usage_that_was_asked_for_is_in_the_stream_again() -> None:
    life = Cached(ScriptedReply(*CHAT))
    options: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    first, second = [await life.ask(make_inbound(**options)) for _ in range(2)]
    assert USAGE in second.sent
    assert second.sent == first.sent
    assert await life.told(stream=True) == "miss"


async def test_streams_and_whole_answers_are_kept_apart() -> None:
    life = Cached(whole(), ScriptedReply(*CHAT))
    assert [await life.told(), await life.told(stream=True)] == ["miss", "miss"]
    assert [await life.told(), await life.told(stream=True)] == ["hit", "hit"]


async def test_a_whole_answer_to_who_asked_for_a_stream_is_one_again() -> None:
    life = Cached(whole())
    await life.ask(make_inbound(stream=True))
    again = await life.ask(make_inbound(stream=True))
    assert (again.headers[HEADER], again.body, again.pieces) == ("hit", BODY, [])


async def test_a_hit_needs_no_provider() -> None:
    life = Cached(whole(), ConnectFailed("gone"))
    assert [await life.told(), await life.told()] == ["miss", "hit"]
    assert (await life.ask(make_inbound(temperature=1))).headers["x-guardflow-model"] == "b/m"


async def test_without_a_rule_nobody_is_asked() -> None:
    life = Cached(store=NeverAsked(), mode="off")
    assert [await life.told(), await life.told("no-cache"), await life.told("only-if-cached")] == ["nothing"] * 3
    assert life.calls == 3


# What it costs, by the rule.


async def test_by_the_rule_a_hit_costs_what_the_answer_had_cost() -> None:
    life = Cached(charge="full")
    await life.ask()
    await life.ask()
    assert [settled[1:] for settled in life.quotas.settled] == [(11, 38), (11, 38)]
    assert (life.last["total_tokens"], life.last["cost_micros"]) == (11, 38)
    assert (life.last["flags"], life.last["attempts"]) == ([FLAG], 0)


async def test_by_the_rule_an_answer_without_usage_is_counted_each_time() -> None:
    life = Cached(ScriptedReply(ROLE, word("hello world"), STOP, DONE), charge="full")
    for _ in range(2):
        await life.ask(make_inbound(stream=True))
        assert "usage_counted" in life.last["flags"]
        assert life.last["prompt_tokens"] == count("Hello there")
        assert life.last["completion_tokens"] == count("hello world")
    assert life.last["flags"] == sorted([FLAG, "usage_counted"])


async def test_a_hit_is_a_request_of_the_minute() -> None:
    life = Cached()
    life.store.add(TOKEN, with_limits(ALICE, rpm=2))
    life.services.tokens.invalidate()
    assert [await life.told(), await life.told(), await life.told()] == ["miss", "hit", "nothing"]
    assert life.last["error_code"] == "rate_limit_exceeded"


# Whose it is.


async def test_a_user_is_never_given_anothers_answer(shelf: CacheStore) -> None:
    life = Cached(store=shelf)
    assert await life.told() == "miss"
    forged: list[dict[str, Any]] = [
        {}, {"user": "1"}, {"user": 1}, {"metadata": {"user_id": "1"}}, {"safety_identifier": "u1"},
    ]  # fmt: skip
    for changes in forged:
        down = await life.ask(make_inbound(headers=bearer(BOBS, x_guardflow_user="1"), **changes))
        assert down.headers[HEADER] != "hit" or life.log.rows[-1]["user_id"] == 2
    assert life.calls == 2  # Bob's own, once: what he says about himself changes no answer
    assert await life.told() == "hit"


async def test_an_entry_moved_to_anothers_place_is_not_given() -> None:
    store = MemoryCache()
    life = Cached(store=store)
    await life.ask()
    (alices,) = store._values
    await life.ask(make_inbound(headers=bearer(BOBS)))
    (bobs,) = set(store._values) - {alices}
    store.put(bobs, store._values[alices][0], 60)
    assert (await life.ask(make_inbound(headers=bearer(BOBS)))).headers[HEADER] == "miss"


async def test_an_organisation_may_share() -> None:
    life = Cached(scope="organisation")
    assert await life.told() == "miss"
    bobs = await life.ask(make_inbound(headers=bearer(BOBS)))
    assert (bobs.headers[HEADER], bobs.body) == ("hit", BODY)
    assert life.last["user_id"] == 2


async def test_who_may_not_call_gets_nothing_from_the_cache() -> None:
    life = Cached(scope="organisation")
    await life.ask()
    now = datetime.now(UTC)
    refused: dict[str, Principal] = {
        "user_blocked": replace(ALICE, blocked_until=now + timedelta(hours=1)),
        "invalid_api_key": replace(ALICE, token_expires_at=now - timedelta(seconds=1)),
        "model_not_allowed": replace(ALICE, allowed_models=frozenset({"x"})),
        "rate_limit_exceeded": with_limits(ALICE, rpm=0),
        "insufficient_quota": with_limits(ALICE, daily_tokens=1),
    }
    for code, who in refused.items():
        life.store.add(TOKEN, who)
        life.services.tokens.invalidate()
        down = await life.ask()
        assert (life.last["error_code"], down.body) == (code, b"")
    life.store.revoke(TOKEN)
    life.services.tokens.invalidate()
    assert (await life.ask()).status == 401
    life.store.add(TOKEN, ALICE)
    life.services.tokens.invalidate()
    life.services.classifier = FixedClassifier(misuse=0.95)
    assert (await life.ask()).status == 403
    assert life.last["error_code"] == "misuse_blocked"
    life.services.classifier = FixedClassifier()
    assert await life.told() == "hit"


# What is not kept.

LAST = b'data: {"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"x"}}}\n\n'


@pytest.mark.parametrize(
    ("reply", "changes"),
    [
        (ScriptedReply(b"{}", status=400), {}),
        (ScriptedReply(b"{}", status=500), {}),
        (whole(b'{"error":{"message":"no"}}'), {}),
        (whole(b"x" * 10), {}),
        (whole(b'{"choices":["' + b"x" * 3000 + b'"]}'), {}),
        (ScriptedReply(*CHAT[:4], UpstreamCut("reset")), {"stream": True}),
        (ScriptedReply(*CHAT[:4]), {"stream": True}),
        (ScriptedReply(ROLE, word("x" * 3000), STOP, DONE), {"stream": True}),
        (ScriptedReply(RESPONSES[0], LAST), {"endpoint": Endpoint.RESPONSES, "stream": True}),
        (whole(b'{"id":"r","status":"failed","error":{"code":"x"}}'), {"endpoint": Endpoint.RESPONSES}),
        (whole(b'{"id":"r","status":"queued"}'), {"endpoint": Endpoint.RESPONSES}),
        (whole(), {"endpoint": Endpoint.RESPONSES, "background": True}),
        (whole(), {"store": True}),
    ],
    ids=["400", "500", "an error", "no JSON", "large", "cut", "without an end", "a large stream", "failed at the end",
         "failed", "queued", "background", "store"],
)  # fmt: skip
async def test_what_is_no_whole_good_answer_is_not_kept(reply: ScriptedReply, changes: dict[str, Any]) -> None:
    store = MemoryCache()
    life = Cached(reply, store=store, max_entry_bytes=2000)
    life.config = make_config("a", retries=0)
    life.rule(max_entry_bytes=2000)
    for _ in range(2):
        down = await life.ask(make_inbound(**changes))
        assert down.headers.get(HEADER) != "hit"
    assert life.calls == 2
    assert store._values == {}
    assert len(life.services.flights) == 0


async def test_a_stand_ins_answer_is_not_the_models() -> None:
    life = Cached(ConnectFailed("away"), whole())
    first = await life.ask()
    assert (first.headers["x-guardflow-model"], first.status) == ("b/m", 200)
    assert [await life.told(), await life.told()] == ["miss", "hit"]


async def test_a_client_that_left_in_the_middle_leaves_nothing() -> None:
    life = Cached(ScriptedReply(*CHAT))
    await life.ask(make_inbound(stream=True), ListDownstream(leaves_after=len(ROLE) + 10))
    assert life.last["status"] == 499
    assert await life.told(stream=True) == "miss"


async def test_what_is_too_old_is_asked_for_again() -> None:
    life = Cached(ttl_s=60)
    assert [await life.told(), await life.told()] == ["miss", "hit"]
    life.rule(ttl_s=1e-9)  # a reload: it holds for what is stored as well
    assert await life.told() == "miss"


async def test_what_a_reload_leads_elsewhere_is_asked_for_again() -> None:
    life = Cached()
    assert [await life.told(), await life.told()] == ["miss", "hit"]
    tree = life.config.model_dump(exclude_unset=True)
    tree["models"]["m"]["targets"] = [{"provider": "b", "model": "m"}]
    tree["models"]["m"]["fallbacks"] = []
    life.config = type(life.config).model_validate(tree)
    life.rule()
    assert (await life.ask()).headers["x-guardflow-model"] == "b/m"


# What the caller wants: RFC 9111, 5.2.1.


async def test_no_store_is_neither_looked_up_nor_kept() -> None:
    life = Cached()
    assert [await life.told("no-store"), await life.told()] == ["bypass", "miss"]
    assert [await life.told("no-store"), await life.told()] == ["bypass", "hit"]
    assert life.calls == 3


async def test_no_cache_asks_anew_and_keeps_the_answer() -> None:
    life = Cached(whole(), whole(b'{"choices":["new"]}'))
    assert [await life.told(), await life.told("no-cache")] == ["miss", "bypass"]
    again = await life.ask()
    assert (again.headers[HEADER], again.body) == ("hit", b'{"choices":["new"]}')


async def test_an_answer_may_be_too_old_for_one_and_not_for_another() -> None:
    life = Cached()
    assert [await life.told(), await life.told("max-age=0"), await life.told("max-age=x")] == ["miss"] * 3
    assert [await life.told("max-age=60"), await life.told()] == ["hit", "hit"]


@pytest.mark.parametrize("wish", ["only-if-cached", "only-if-cached, max-age=9", "only-if-cached, no-store"])
async def test_a_stored_answer_or_none(wish: str) -> None:
    life = Cached()
    down = await life.ask(make_inbound(headers=bearer(cache_control=wish)))
    assert (down.status, life.last["error_code"], life.last["total_tokens"]) == (504, "not_cached", 0)
    assert life.calls == 0
    assert life.quotas.settled[-1][1:] == (0, 0)
    await life.ask()
    assert await life.told("only-if-cached") == "hit"


# Damage.


class Damaged(MemoryCache):
    """Gives whatever it was told to."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = data

    def find(self, key: str) -> Any:
        found = asyncio.get_running_loop().create_future()
        found.set_result(self._data)
        return found


@given(st.binary())
@settings(max_examples=25, deadline=None)
def test_whatever_is_found_that_is_no_entry_is_a_miss(data: bytes) -> None:
    async def check() -> None:
        life = Cached(store=Damaged(data))
        down = await life.ask()
        assert (down.headers[HEADER], down.body) == ("miss", BODY)

    asyncio.run(check())


async def test_a_truncated_entry_is_replaced_by_a_whole_one() -> None:
    store = MemoryCache()
    life = Cached(ScriptedReply(*CHAT), store=store)
    await life.ask(make_inbound(stream=True))
    ((key, (value, _)),) = store._values.items()
    store.put(key, value[:-1], 60)
    assert [await life.told(stream=True), await life.told(stream=True)] == ["miss", "hit"]


async def test_no_redis_is_a_miss_each_time_and_nobodys_error(tmp_path: Any) -> None:
    store = RedisCache(RedisPipe(f"unix://{tmp_path}/none.sock"), lambda: 1 << 20)
    life = Cached(store=store)
    assert [await life.told() for _ in range(3)] == ["miss"] * 3
    await store.close()


async def test_the_numbers_say_how_often() -> None:
    life = Cached()
    for wish in ("", "", "", "no-store"):
        await life.told(wish)
    assert life.services.metrics.counters["cache"] == {"miss": 1, "hit": 2, "bypass": 1}
