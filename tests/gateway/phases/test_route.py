"""A name is looked up before anything is spent on the call."""

from dataclasses import replace

import pytest

from gateway.errors import ModelNotAllowed, ModelNotFound
from gateway.phases.route import find_route
from tests.gateway.scripted import ALICE, ScriptedReply, ScriptedUpstream, World, make_call, make_config


def test_a_model_must_exist_and_be_allowed() -> None:
    world = World(make_config("a"), {"a": ScriptedUpstream(ScriptedReply())})
    catalog, call = world.services.routing.catalog, make_call(model="none")
    with pytest.raises(ModelNotFound):
        find_route(call, ALICE, catalog)
    with pytest.raises(ModelNotAllowed):  # and it is not told whether it exists
        find_route(call, replace(ALICE, allowed_models=frozenset({"m"})), catalog)
    assert find_route(make_call(), replace(ALICE, allowed_models=frozenset({"m"})), catalog).name == "m"
