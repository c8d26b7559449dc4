"""A name becomes an ordered list of targets that speak the endpoint's dialect."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from gateway.errors import InvalidRequest, ModelNotAllowed, ModelNotFound
from gateway.exchange import Endpoint, ModelCall
from gateway.phases.route import candidates, find_route
from tests.gateway.scripted import ALICE, ScriptedReply, ScriptedUpstream, World, make_call, make_config


def world(*names: str, fallbacks: tuple[str, ...] = ()) -> World:
    return World(make_config(*names, fallbacks=fallbacks), {n: ScriptedUpstream(ScriptedReply()) for n in names})


def found(w: World, call: ModelCall | None = None, seed: int = 1) -> list[str]:
    routing, call = w.services.routing, call or make_call()
    route = find_route(call, ALICE, routing.catalog)
    rng = random.Random(seed)
    return [target.key for target in candidates(call, route, routing.catalog, routing.connections, rng)]


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


def test_a_model_must_exist_and_be_allowed() -> None:
    catalog, call = world("a").services.routing.catalog, make_call(model="none")
    with pytest.raises(ModelNotFound):
        find_route(call, ALICE, catalog)
    with pytest.raises(ModelNotAllowed):  # and it is not told whether it exists
        find_route(call, replace(ALICE, allowed_models=frozenset({"m"})), catalog)
    assert find_route(make_call(), replace(ALICE, allowed_models=frozenset({"m"})), catalog).name == "m"
