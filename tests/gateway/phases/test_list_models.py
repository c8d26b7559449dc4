"""The models a token may use, in the caller's dialect."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from gateway.catalog import Catalog
from gateway.config import Config
from gateway.errors import ModelNotFound
from gateway.exchange import Dialect, Endpoint, Principal
from gateway.phases.list_models import list_models
from tests.gateway.scripted import ALICE, make_config, make_inbound

CATALOG = Catalog(make_config("a", "b"))


def listed(dialect: Dialect = Dialect.OPENAI, who: Principal = ALICE, model: str | None = None) -> Any:
    inbound = make_inbound(Endpoint.MODELS)._replace(dialect=dialect, model_id=model)
    return orjson.loads(list_models(inbound, who, CATALOG))


def test_the_list_is_in_the_callers_dialect() -> None:
    openai = listed()
    assert openai["object"] == "list"
    assert [model["id"] for model in openai["data"]] == ["m", "only-a", "only-b"]
    assert set(openai["data"][0]) == {"id", "object", "created", "owned_by"}
    anthropic = listed(Dialect.ANTHROPIC)
    assert (anthropic["first_id"], anthropic["last_id"], anthropic["has_more"]) == ("m", "only-b", False)
    assert set(anthropic["data"][0]) == {"type", "id", "display_name", "created_at"}
    gemini = listed(Dialect.GEMINI)
    assert [model["name"] for model in gemini["models"]] == ["models/m", "models/only-a", "models/only-b"]
    assert "streamGenerateContent" in gemini["models"][0]["supportedGenerationMethods"]


def test_a_token_sees_only_what_it_may_use() -> None:
    who = replace(ALICE, allowed_models=frozenset({"only-b", "elsewhere"}))
    assert [model["id"] for model in listed(who=who)["data"]] == ["only-b"]
    assert listed(Dialect.ANTHROPIC, replace(ALICE, allowed_models=frozenset()))["first_id"] is None
    with pytest.raises(ModelNotFound):
        listed(who=who, model="m")


def test_one_model_is_shown_by_its_name() -> None:
    assert listed(model="only-a")["id"] == "only-a"
    assert listed(Dialect.ANTHROPIC, model="m")["type"] == "model"
    assert listed(Dialect.GEMINI, model="m")["name"] == "models/m"
    with pytest.raises(ModelNotFound):
        listed(model="none")


def test_an_empty_catalog_is_an_empty_list() -> None:
    inbound = make_inbound(Endpoint.MODELS)
    assert orjson.loads(list_models(inbound, ALICE, Catalog(Config())))["data"] == []
