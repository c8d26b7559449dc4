"""Two calls share an answer only where everything that the answer depends on is the same."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.key import ENDPOINTS, MAX_BODY_BYTES, key_of
from gateway.cache.rule import Among
from gateway.exchange import Endpoint, Principal, Target
from gateway.phases.parse import parse_body, parse_generate
from tests.gateway.scripted import ALICE, BODIES, bearer, make_call, make_inbound

BOB = replace(ALICE, user_id=2, token_id=22, email="bob@example.org")
TARGET = Target("a", "m")
FUNCTION = {"type": "function", "function": {"name": "f"}}


def key(
    endpoint: Endpoint = Endpoint.CHAT,
    who: Principal = ALICE,
    target: Target = TARGET,
    headers: Mapping[str, str] | None = None,
    scope: Among = "user",
    **changes: Any,
) -> str | None:
    inbound = make_inbound(endpoint, headers=headers)
    return key_of(make_call(endpoint, **changes), inbound, who, target, scope)


def test_the_same_call_has_the_same_key_that_shows_nothing_of_it() -> None:
    assert key() == key()
    said = key()
    assert said is not None
    assert said.startswith("gf:{u1}:c:")
    assert len(said) == len("gf:{u1}:c:") + 64


def test_every_endpoint_has_keys_of_its_own() -> None:
    keys = [key(endpoint) for endpoint in ENDPOINTS - {Endpoint.GENERATE}]
    assert None not in keys
    assert len(set(keys)) == len(keys) == 6


@pytest.mark.parametrize("endpoint", sorted(set(Endpoint) - ENDPOINTS))
def test_an_endpoint_whose_question_is_more_than_json_has_none(endpoint: Endpoint) -> None:
    assert key_of(make_call()._replace(endpoint=endpoint), make_inbound(), ALICE, TARGET, "user") is None


@pytest.mark.parametrize(
    "change",
    [
        {"model": "only-a"}, {"temperature": 0}, {"temperature": 0.5}, {"n": 2}, {"seed": 1}, {"max_tokens": 5},
        {"stream": True}, {"stop": "x"}, {"logprobs": True}, {"response_format": {"type": "json_object"}},
        {"service_tier": "flex"}, {"tools": [FUNCTION]}, {"never_heard_of": 1}, {"store": False},
        {"messages": [{"role": "system", "content": "Hello there"}]},
        {"messages": [{"role": "user", "content": "Hello there "}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello there"}]}]},
        {"messages": [{"role": "user", "content": "Hello"}, {"role": "user", "content": "there"}]},
    ],
)  # fmt: skip
def test_whatever_may_change_the_answer_changes_the_key(change: dict[str, Any]) -> None:
    assert key(**change) not in (None, key())


def test_streams_with_and_without_usage_are_not_the_same_bytes() -> None:
    options = {"include_usage": True}
    assert key(stream=True) != key(stream=True, stream_options=options)
    assert key(stream=True, stream_options={**options, "x": 1}) != key(stream=True, stream_options=options)


@pytest.mark.parametrize("name", ["anthropic-version", "anthropic-beta", "openai-beta"])
def test_headers_that_reach_the_provider_change_the_key(name: str) -> None:
    assert key(headers={**bearer(), name: "x"}) != key()


def test_headers_that_do_not_reach_it_do_not() -> None:
    assert key(headers={**bearer(), "x-anything": "x", "cookie": "x", "user-agent": "x"}) == key()


def test_a_model_that_leads_elsewhere_has_other_answers() -> None:
    assert key(target=Target("a", "other")) != key()
    assert key(target=Target("b", "m")) != key()


def test_names_can_not_be_shifted_into_one_another() -> None:
    assert key(target=Target("a/b", "c"), model="m") != key(target=Target("a", "b"), model="c/m")


# Whose it is.


def test_each_user_has_keys_of_their_own() -> None:
    assert key(who=BOB) != key()
    assert key(who=replace(ALICE, token_id=99)) == key()


def test_an_organisation_shares_and_does_not_meet_its_users() -> None:
    assert key(who=BOB, scope="organisation") == key(scope="organisation")
    assert key(scope="organisation") != key()


def test_a_team_shares_with_nobody_else_and_who_has_none_with_nobody() -> None:
    ann, ben, cleo = (replace(who, team_id=team) for who, team in ((ALICE, 1), (BOB, 1), (ALICE, 2)))
    assert key(who=ann, scope="team") == key(who=ben, scope="team")
    assert key(who=ann, scope="team") != key(who=cleo, scope="team")
    assert key(who=ann, scope="team") not in (key(), key(scope="organisation"), key(scope="team"))
    assert key(scope="team") == key() != key(who=BOB, scope="team")


@pytest.mark.parametrize(
    "change",
    [
        {"user": "u1"}, {"user": 1}, {"metadata": {"user_id": 1}}, {"tenant": "u1"}, {"who": "u1"}, {"scope": "u1"},
        {"model": "m\x22,\x22u1"}, {"user_id": 1},
    ],
)  # fmt: skip
def test_nothing_in_a_body_makes_one_user_another(change: dict[str, Any]) -> None:
    body = {**BODIES[Endpoint.CHAT], **change}
    call = make_call()._replace(body=body, model=str(body["model"]))
    mine = key_of(call, make_inbound(), BOB, TARGET, "user")
    assert mine is not None
    assert mine.startswith("gf:{u2}:c:")
    assert mine[10:] != str(key())[10:]


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers(0, 2**53) | st.text(), max_size=4))
def test_no_body_of_another_has_a_users_hash(more: dict[str, Any]) -> None:
    call = make_call()
    mine = key_of(call, make_inbound(), ALICE, TARGET, "user")
    other = key_of(call._replace(body={**call.body, **more}), make_inbound(), BOB, TARGET, "user")
    assert mine is not None
    assert other is None or other[10:] != mine[10:]


# What is said about a call and what is asked for.


@pytest.mark.parametrize("endpoint", [Endpoint.CHAT, Endpoint.MESSAGES, Endpoint.EMBEDDINGS, Endpoint.COMPLETIONS])
def test_what_is_said_about_the_caller_changes_no_answer(endpoint: Endpoint) -> None:
    about: dict[str, Any] = {"metadata": {"user_id": "x"}, "safety_identifier": "x", "prompt_cache_key": "x"}
    assert key(endpoint, user="x", **about) == key(endpoint)


@pytest.mark.parametrize("name", ["user", "metadata", "safety_identifier", "prompt_cache_key"])
def test_replies_that_repeat_it_are_each_callers_own(name: str) -> None:
    said: dict[str, Any] = {name: "x"}
    assert key(Endpoint.RESPONSES, **said) != key(Endpoint.RESPONSES)


def test_a_task_and_white_space_change_no_answer_the_order_of_keys_may() -> None:
    body = BODIES[Endpoint.CHAT]
    spaced = parse_body(Endpoint.CHAT, orjson.dumps({**body, "task_id": 7}, option=orjson.OPT_INDENT_2))
    turned = parse_body(Endpoint.CHAT, orjson.dumps(dict(reversed(body.items()))))
    assert key_of(spaced, make_inbound(), ALICE, TARGET, "user") == key()
    assert key_of(turned, make_inbound(), ALICE, TARGET, "user") != key()


@pytest.mark.parametrize(
    ("endpoint", "change"),
    [
        (Endpoint.CHAT, {"store": True}), (Endpoint.CHAT, {"web_search_options": {"a": 1}}),
        (Endpoint.CHAT, {"tools": [FUNCTION, {"type": "web_search"}]}), (Endpoint.CHAT, {"tools": "x"}),
        (Endpoint.RESPONSES, {"background": True}), (Endpoint.RESPONSES, {"conversation": "conv_1"}),
        (Endpoint.RESPONSES, {"tools": [{"type": "mcp", "server_url": "x"}]}),
        (Endpoint.MESSAGES, {"container": "c"}), (Endpoint.MESSAGES, {"mcp_servers": [{"url": "x"}]}),
        (Endpoint.MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
    ],
)  # fmt: skip
def test_a_call_that_asks_for_more_than_an_answer_has_no_key(endpoint: Endpoint, change: dict[str, Any]) -> None:
    assert key(endpoint, **change) is None


def test_the_clients_own_tools_are_part_of_the_question() -> None:
    assert key(Endpoint.MESSAGES, tools=[{"name": "f", "input_schema": {"type": "object"}}]) is not None
    assert key(Endpoint.RESPONSES, tools=[{"type": "function", "name": "f"}]) is not None


def test_geminis_call_says_in_its_path_what_others_say_in_the_body() -> None:
    def generate(model: str = "m", query: str = "", *, stream: bool = False, **changes: Any) -> str | None:
        body = orjson.dumps({"contents": [{"parts": [{"text": "Hello"}]}], **changes})
        inbound = make_inbound(Endpoint.GENERATE)._replace(query=query)
        return key_of(parse_generate(model, stream, body), inbound, ALICE, TARGET, "user")

    ways = [
        generate(), generate("n"), generate(stream=True), generate(query="alt=sse", stream=True),
        generate(tools=[{"functionDeclarations": []}]),
    ]  # fmt: skip
    assert None not in ways
    assert len(set(ways)) == len(ways)
    assert generate(query="key=gf_x") == generate()
    assert generate(tools=[{"googleSearch": {}}]) is None


def test_a_huge_body_is_not_hashed() -> None:
    content = "x" * (MAX_BODY_BYTES + 1)
    assert key(messages=[{"role": "user", "content": content}]) is None
