"""Where a name leads."""

from typing import Any

import pytest

from gateway.catalog import DEFAULT_MAX_OUTPUT_TOKENS, Catalog
from gateway.config import Config
from gateway.exchange import Target
from gateway.prices import UNKNOWN
from gateway.routing.types import Fallback, Shadow, When, make_terms, option
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
    assert [one.target for one in route.terms.general] == [Target("a", "m", priced(1, 2))]
    assert (route.fallbacks, route.max_output_tokens) == ((Fallback("fast"),), 7)
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
    assert route.terms == make_terms((option(Target(provider, model)),))
    assert route.max_output_tokens == DEFAULT_MAX_OUTPUT_TOKENS


@pytest.mark.parametrize("name", ["both", "unknown", "c/x", "a/", "/x"])
def test_a_name_that_may_mean_two_leads_nowhere(name: str) -> None:
    assert catalog(None, {"a": ("gpt", "both"), "b": ("both",)}).find(name) is None


def test_one_provider_takes_every_name() -> None:
    route = catalog(None, None, "only").find("meta/llama")
    assert route is not None
    assert route.terms.general[0].target == Target("only", "meta/llama")


def test_known_models_are_listed_so_that_they_can_be_found() -> None:
    two = catalog(None, {"a": ("gpt", "both"), "b": ("both",)})
    assert [name for name, _ in two.names()] == ["a/gpt", "a/both", "b/both"]
    one = catalog(None, {"only": ("gpt",)}, "only")
    assert list(one.names()) == [("gpt", "only")]
    for made in (two, one):
        assert all(made.find(name) for name, _ in made.names())


def test_a_route_is_what_the_file_says() -> None:
    made = catalog(
        {
            "m": {
                "targets": [target(weight=3), target("b", when={"intents": ["coding"], "tasks": ["ops"]})],
                "strategy": "cheapest", "sticky": "conversation", "price": {"input": 1, "output": 9},
                "canary": {"target": target("b", price={"input": 5, "output": 6}), "percent": 5, "by": "conversation"},
                "fallbacks": ["n", {"model": "n", "on": ["context_length"]}],
                "hedge": True, "shadow": {"target": target("b", model="next"), "percent": 10},
            },
            "n": {"targets": [target()]},
        }
    )  # fmt: skip
    route = made.find("m")
    assert route is not None
    terms = route.terms
    assert [(one.target.provider, one.weight) for one in terms.general] == [("a", 3)]
    assert [one.when for one in terms.special] == [When(frozenset({"coding"}), frozenset({"ops"}))]
    assert (terms.strategy, terms.sticky) == ("cheapest", True)
    assert terms.canary is not None
    assert (terms.canary.option.target, terms.canary.share) == (Target("b", "m", priced(5, 6)), 0.05)
    assert terms.canary.by_conversation
    assert route.fallbacks == (
        Fallback("n", frozenset({"error", "timeout", "rate_limit"})),
        Fallback("n", frozenset({"context_length"})),
    )
    assert route.prices == (priced(1, 9), priced(5, 6))
    assert route.owner == "a"
    assert route.hedge
    assert route.shadow == Shadow(Target("b", "next", priced(1, 9)), 0.1)
    plain = made.find("n")
    assert plain is not None
    assert (plain.hedge, plain.shadow, plain.terms.canary) == (False, None, None)


@pytest.mark.parametrize(
    ("given", "found"), [((None, None, None), [0, 1, 2]), ((1, None, 5), [1, 0, 5]), ((7, 7, 7), [7, 7, 7])]
)
def test_a_priority_is_the_place_in_the_file_unless_there_are_numbers(
    given: tuple[int | None, ...], found: list[int]
) -> None:
    route = catalog({"m": {"targets": [target(priority=number) for number in given]}}).find("m")
    assert route is not None
    assert [one.rank for one in route.terms.general] == found


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
    assert passed.admits_unpriced
    strict = {**tree, "defaults": {"unpriced": "refuse"}}
    for made in (Catalog(Config.model_validate(strict)), Catalog(Config.model_validate({**strict, "models": {}}))):
        found = made.find("both") or made.find("a/anything")
        assert found is not None
        assert not found.admits_unpriced
