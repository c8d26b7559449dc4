"""A route becomes an ordered list of targets that speak the endpoint's dialect, and the row says why."""

import random
from collections import Counter
from typing import Any

import pytest

from gateway.config import ILLNESSES
from gateway.errors import InvalidRequest
from gateway.exchange import Action, Endpoint, ModelCall, Task, Verdict
from gateway.phases.choose import choose, plain_plan, what_is_asked
from gateway.phases.route import find_route
from gateway.routing.types import Plan
from tests.gateway.scripted import (
    ALICE,
    FixedClassifier,
    ScriptedReply,
    ScriptedUpstream,
    World,
    make_call,
    make_config,
    make_inbound,
)


def world(*names: str, fallbacks: tuple[Any, ...] = (), **model: Any) -> World:
    config = make_config(*names, fallbacks=fallbacks, model=model)
    return World(config, {n: ScriptedUpstream(ScriptedReply()) for n in names})


def plan(
    w: World, call: ModelCall | None = None, verdict: Verdict | None = None, task: Task | None = None, seed: int = 1
) -> Plan:
    s, call = w.services, call or make_call()
    route = find_route(call, ALICE, s.routing.catalog)
    asked = what_is_asked(make_inbound(), call, ALICE, route, verdict, task)
    return choose(asked, route, s.routing, s.load, random.Random(seed))


def found(w: World, call: ModelCall | None = None, seed: int = 1) -> list[str]:
    return [target.key for target in plan(w, call, seed=seed).targets]


def judged(intent: str) -> Verdict:
    return Verdict(FixedClassifier(intent).judge(()), None, Action.ALLOW, None, False)


def test_all_targets_stand_in_for_each_other_and_fallbacks_come_last() -> None:
    w = world("a", "b", "c", fallbacks=("only-c",))
    orders = Counter(tuple(found(w, seed=seed)) for seed in range(200))
    assert set(orders) == {("a/m", "b/m", "c/m"), ("b/m", "a/m", "c/m")}
    assert min(orders.values()) > 60


def test_only_targets_that_speak_the_dialect_are_tried() -> None:
    w = world("a", "claude")
    assert found(w, make_call(Endpoint.EMBEDDINGS)) == ["a/m"]
    assert sorted(found(w, make_call(Endpoint.MESSAGES))) == ["a/m", "claude/m"]  # a conversation can be carried over
    with pytest.raises(InvalidRequest, match="/v1/embeddings") as caught:
        found(world("claude"), make_call(Endpoint.EMBEDDINGS))
    assert caught.value.param == "model"


def test_a_target_whose_provider_is_not_there_is_passed_over() -> None:
    w = world("a", "b")
    del w.services.routing.connections["b"]
    assert found(w) == ["a/m"]


def test_a_fallback_that_is_a_target_already_is_not_tried_twice() -> None:
    assert sorted(found(world("a", "b", fallbacks=("only-a", "only-b"), targets=["a", "b"], price=None))) == [
        "a/m", "b/m",
    ]  # fmt: skip


def test_each_target_knows_which_troubles_lead_to_it() -> None:
    made = plan(world("a", "b", "c", fallbacks=("only-b", {"model": "only-c", "on": ["context_length"]})))
    assert [target.provider for target in made.targets] == ["a", "b", "c"]
    assert made.on == [frozenset(ILLNESSES), frozenset(ILLNESSES), frozenset({"context_length"})]


def test_the_row_says_why_where_there_was_a_choice() -> None:
    assert plan(world("a")).reason is None
    assert plan(world("a", "b", strategy="latency")).reason == "route:latency"
    assert plan(world("a", "b", sticky="conversation")).reason == "route:weighted+sticky"


def test_what_a_call_is_for_decides_where_it_goes() -> None:
    coding = {"provider": "b", "model": "m", "when": {"intents": ["coding"]}}
    support = {"provider": "c", "model": "m", "when": {"tasks": ["support"]}}
    w = world("a", "b", "c", targets=["a", coding, support])
    task = Task(7, "support")
    for verdict, given, providers, reason in (
        (None, None, "a", "route:weighted"),
        (judged("math"), None, "a", "route:weighted"),
        (judged("coding"), None, "ba", "route:intent+weighted"),
        (judged("math"), task, "ca", "route:task+weighted"),
    ):
        made = plan(w, verdict=verdict, task=given)
        assert "".join(target.provider for target in made.targets) == providers
        assert made.reason == reason
    made = plan(w, verdict=judged("coding"), task=task)
    assert {target.provider for target in made.targets[:2]} == {"b", "c"}


def test_a_call_is_judged_by_the_most_it_may_put_out() -> None:
    w = world("a")
    route = find_route(make_call(), ALICE, w.services.routing.catalog)
    for call, most in ((make_call(max_tokens=5), 5), (make_call(), route.max_output_tokens)):
        assert what_is_asked(make_inbound(), call, ALICE, route, None, None).output_tokens == most


def test_only_streams_are_hedged_and_only_where_the_file_says_so() -> None:
    stream = make_call(stream=True)
    assert plan(world("a", "b", hedge=True), stream).hedged
    assert not plan(world("a", "b", hedge=True)).hedged
    assert not plan(world("a", "b"), stream).hedged


def test_a_route_with_nothing_to_choose_has_one_plan_for_ever() -> None:
    s, call = world("a").services, make_call()
    route = find_route(call, ALICE, s.routing.catalog)
    only = plain_plan(call, route, s.routing)
    assert only is not None
    assert only == plan(world("a"))
    assert plain_plan(call, route, s.routing) is only
    assert plain_plan(make_call(Endpoint.MESSAGES), route, s.routing) is not only


WHEN = [{"provider": "a", "model": "m", "when": {"intents": ["coding"]}}]


@pytest.mark.parametrize("w", [world("a", "b"), world("a", targets=WHEN)], ids=["two", "a condition"])
def test_where_there_is_something_to_choose_nothing_is_kept(w: World) -> None:
    call = make_call()
    assert plain_plan(call, find_route(call, ALICE, w.services.routing.catalog), w.services.routing) is None


def test_a_plain_route_that_nobody_can_serve_is_refused_each_time() -> None:
    s, call = world("claude").services, make_call(Endpoint.EMBEDDINGS)
    route = find_route(call, ALICE, s.routing.catalog)
    for _ in range(2):
        with pytest.raises(InvalidRequest):
            plain_plan(call, route, s.routing)
