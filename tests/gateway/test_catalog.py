"""Where a name leads."""

import random
from collections import Counter
from typing import Any

import pytest

from gateway.catalog import DEFAULT_MAX_OUTPUT_TOKENS, Catalog
from gateway.config import Config
from gateway.exchange import Target
from gateway.prices import UNKNOWN
from tests.gateway.scripted import priced


def catalog(
    models: dict[str, Any] | None = None, known: dict[str, tuple[str, ...]] | None = None, *names: str
) -> Catalog:
    providers = {name: {"type": "openai"} for name in names or ("a", "b")}
    return Catalog(Config.model_validate({"providers": providers, "models": models or {}}), known)


def target(provider: str = "a", **more: Any) -> dict[str, Any]:
    return {"provider": provider, "model": "m", **more}


def test_with_models_only_those_names_are_served() -> None:
    made = catalog(
        {"fast": {"targets": [target()], "price": {"input": 1, "output": 2}, "fallbacks": ["fast"],
                  "max_output_tokens": 7}}
    )  # fmt: skip
    route = made.find("fast")
    assert route is not None
    assert route.targets == ((Target("a", "m", priced(1, 2)), 1.0),)
    assert (route.fallbacks, route.max_output_tokens) == (("fast",), 7)
    assert made.find("a/m") is made.find("m") is None
    assert list(made.names()) == [("fast", "a")]


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("a/x", "a", "x"), ("a/x/y", "a", "x/y"), ("gpt", "a", "gpt"), ("llama", "b", "llama"),
        ("b/gpt", "b", "gpt"),
    ],
)  # fmt: skip
def test_without_models_names_pass_through(name: str, provider: str, model: str) -> None:
    route = catalog(None, {"a": ("gpt", "both"), "b": ("llama", "both")}).find(name)
    assert route is not None
    assert route.targets == ((Target(provider, model), 1.0),)
    assert route.max_output_tokens == DEFAULT_MAX_OUTPUT_TOKENS


@pytest.mark.parametrize("name", ["both", "unknown", "c/x", "a/", "/x"])
def test_a_name_that_may_mean_two_leads_nowhere(name: str) -> None:
    assert catalog(None, {"a": ("gpt", "both"), "b": ("both",)}).find(name) is None


def test_one_provider_takes_every_name() -> None:
    route = catalog(None, None, "only").find("meta/llama")
    assert route is not None
    assert route.targets[0][0] == Target("only", "meta/llama")


def test_known_models_are_listed_so_that_they_can_be_found() -> None:
    two = catalog(None, {"a": ("gpt", "both"), "b": ("both",)})
    assert [name for name, _ in two.names()] == ["a/gpt", "a/both", "b/both"]
    one = catalog(None, {"only": ("gpt",)}, "only")
    assert list(one.names()) == [("gpt", "only")]
    for made in (two, one):
        assert all(made.find(name) for name, _ in made.names())


def test_the_first_choice_is_drawn_by_weight_and_zero_is_only_a_stand_in() -> None:
    made = catalog({"m": {"targets": [target(weight=3), target("b"), target("a", model="z", weight=0)]}})
    route = made.find("m")
    assert route is not None
    rng = random.Random(7)
    orders = [route.in_order(rng) for _ in range(4000)]
    firsts = Counter(order[0].provider for order in orders)
    assert firsts["a"] / 4000 == pytest.approx(0.75, abs=0.03)
    assert all(order[-1].upstream_model == "z" and len(order) == 3 for order in orders)


def test_a_price_is_the_model_s_own_or_the_table_s() -> None:
    table = {"a/*": {"input": 7, "output": 8}}
    tree = {
        "providers": {name: {"type": "openai"} for name in ("a", "b")},
        "models": {
            "own": {"targets": [target()], "price": {"input": 1, "output": 2}},
            "both": {"targets": [target(), target("b")]},
        },
        "prices": table,
    }
    made = Catalog(Config.model_validate(tree))
    own, both = made.find("own"), made.find("both")
    assert own is not None
    assert both is not None
    assert own.prices == (priced(1, 2),)
    assert both.prices == (priced(7, 8), UNKNOWN)
    passed = Catalog(Config.model_validate({**tree, "models": {}})).find("a/anything")
    assert passed is not None
    assert passed.prices == (priced(7, 8),)
