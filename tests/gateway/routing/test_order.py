"""The first target is the choice, the others stand in for it."""

import random
from collections import Counter
from datetime import UTC, datetime
from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Strategy
from gateway.exchange import Target
from gateway.prices import UNKNOWN
from gateway.routing.load import Load
from gateway.routing.order import Asked, in_order
from gateway.routing.types import Canary, Option, Terms, When, make_terms, option
from tests.gateway.scripted import Clock, make_call, priced

NOW = datetime.now(UTC)
STRATEGIES: tuple[Strategy, ...] = ("weighted", "priority", "least_in_flight", "latency", "cheapest")


def at(provider: str, weight: float = 1.0, priority: int = 0, price: float | None = None, **fits: str) -> Option:
    when = When(*(frozenset({fits[name]}) if name in fits else None for name in ("intent", "task"))) if fits else None
    prices = UNKNOWN if price is None else priced(price, price)
    return option(Target(provider, "m", prices), weight, priority, when)


def asked(text: str = "Hello", user_id: int = 1, intent: str | None = None, task: str | None = None) -> Asked:
    return Asked(make_call(messages=[{"role": "user", "content": text}]), NOW, user_id, intent, task, 100)


def order(terms: Terms, call: Asked | None = None, load: Load | None = None, seed: int = 1) -> str:
    options, _ = in_order("m", terms, call or asked(), load or Load(Clock()), random.Random(seed))
    return "".join(one.target.provider for one in options)


def firsts(terms: Terms, load: Load | None = None, many: int = 2_000) -> Counter[str]:
    rng, load, call = random.Random(7), load or Load(Clock()), asked()
    return Counter(in_order("m", terms, call, load, rng)[0][0].target.provider for _ in range(many))


def loaded(**seconds: float) -> Load:
    load = Load(Clock())
    for key, took in seconds.items():
        load.took(f"{key}/m", took)
    return load


# Weights.


@pytest.mark.parametrize("weights", [(3, 1), (1, 1, 1), (0.5, 0.25, 0.25), (10, 1, 0)])
def test_the_choice_is_drawn_by_weight(weights: tuple[float, ...]) -> None:
    drawn, many = firsts(make_terms(tuple(at(p, w) for p, w in zip("abc", weights, strict=False))), many=4_000), 4_000
    for provider, weight in zip("abc", weights, strict=False):
        share = weight / sum(weights)
        assert abs(drawn[provider] / many - share) <= 4 * sqrt(share * (1 - share) / many)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_weight_of_nothing_is_only_a_stand_in(strategy: Strategy) -> None:
    terms = make_terms((at("z", 0, 0, 0.1), at("a", 1, 1, 5), at("b", 2, 2, 5)), strategy)
    for seed in range(50):
        assert order(terms, load=loaded(a=3, b=4), seed=seed)[-1] == "z"


@given(
    strategy=st.sampled_from(STRATEGIES),
    given=st.lists(
        st.tuples(st.sampled_from([0, 0.1, 1, 7]), st.integers(0, 3), st.sampled_from([None, 0.1, 5])), min_size=1,
        max_size=6,
    ),
    seed=st.integers(0, 2**32),
)  # fmt: skip
def test_every_target_is_there_once_whatever_the_terms(
    strategy: Strategy, given: list[tuple[float, int, float | None]], seed: int
) -> None:
    options = tuple(at("abcdef"[i], *one) for i, one in enumerate(given))
    assert sorted(order(make_terms(options, strategy), seed=seed)) == list("abcdef"[: len(options)])


# Strategies.


def test_priority_is_kept_and_equals_are_drawn() -> None:
    terms = make_terms((at("c", 1, 2), at("a", 3, 1), at("b", 1, 1)), "priority")
    orders = Counter(order(terms, seed=seed) for seed in range(200))
    assert set(orders) == {"abc", "bac"}
    assert orders["abc"] > 2 * orders["bac"]


def test_the_target_with_the_fewest_calls_for_its_weight_comes_first() -> None:
    load = Load(Clock())
    for key, calls in (("a", 4), ("b", 1), ("c", 2)):
        for _ in range(calls):
            load.begin(f"{key}/m")
    terms = make_terms((at("a"), at("b"), at("c")), "least_in_flight")
    assert {order(terms, load=load, seed=seed) for seed in range(20)} == {"bca"}
    terms = make_terms((at("a", 9), at("b"), at("c")), "least_in_flight")
    assert order(terms, load=load) == "abc"


def test_idle_targets_are_drawn_evenly() -> None:
    for strategy in STRATEGIES:
        drawn = firsts(make_terms((at("a"), at("b"), at("c")), strategy))
        assert all(550 < drawn[provider] < 800 for provider in "abc"), strategy


def test_of_two_the_less_loaded_is_taken() -> None:
    terms = make_terms((at("a"), at("b")), "latency")
    assert firsts(terms, loaded(a=2, b=1)) == {"b": 2_000}
    load = loaded(a=2, b=1)
    load.begin("b/m")
    load.begin("b/m")
    assert firsts(terms, load) == {"a": 2_000}


def test_of_many_two_are_drawn_and_the_worst_is_never_the_choice() -> None:
    """Of three the best is in two of three draws, and the second best wins the third: all but never the herd's one."""
    drawn = firsts(make_terms((at("a"), at("b"), at("c")), "latency"), loaded(a=1, b=2, c=3))
    assert set(drawn) == {"a", "b"}
    assert 0.62 < drawn["a"] / 2_000 < 0.71


def test_whatever_the_weights_the_worst_of_all_is_never_the_choice() -> None:
    drawn = firsts(make_terms((at("a", 1), at("b", 2), at("c", 9)), "latency"), loaded(a=1, b=2, c=3))
    assert set(drawn) == {"a", "b"}
    assert drawn["b"] > drawn["a"]


@pytest.mark.parametrize("strategy", ["weighted", "latency", "least_in_flight"])
def test_what_one_target_loses_is_spread_over_the_others(strategy: Strategy) -> None:
    """Were a target's stand-in always the same, that one would be the next to fall."""
    terms = make_terms(tuple(at(p) for p in "abcd"), strategy)
    seconds = Counter(order(terms, seed=seed)[:2] for seed in range(1_200))
    assert len(seconds) == 12
    assert min(seconds.values()) > 60


def test_a_new_target_is_tried_but_not_by_all_at_once() -> None:
    terms, load = make_terms((at("a"), at("b")), "latency"), loaded(a=1)
    assert order(terms, load=load)[0] == "b"
    load.begin("b/m")
    assert order(terms, load=load)[0] == "a"


def test_the_cheapest_for_this_call_comes_first_and_the_unknown_last() -> None:
    into = option(Target("i", "m", priced(1, 10)))
    out = option(Target("o", "m", priced(10, 1)))
    terms = make_terms((at("x"), into, out), "cheapest")
    short, long = asked(), asked("word " * 4_000)
    assert order(terms, short) == "oix"
    assert order(terms, long) == "iox"


# A conversation stays.


def sticky(*options: Option, strategy: Strategy = "weighted") -> Terms:
    return make_terms(options, strategy, sticky=True)


def test_a_conversation_stays_where_it_is_and_others_go_elsewhere() -> None:
    terms = sticky(at("a"), at("b"), at("c"))
    for text in ("Hello", "Bye"):
        assert len({order(terms, asked(text), seed=seed) for seed in range(20)}) == 1
    homes = Counter(order(terms, asked(f"Hello {i}"))[0] for i in range(900))
    assert all(220 < homes[provider] < 380 for provider in "abc")


def test_a_conversation_keeps_to_the_weights() -> None:
    homes = Counter(order(sticky(at("a", 3), at("b")), asked(f"Hello {i}"))[0] for i in range(1_000))
    assert homes["a"] / 1_000 == pytest.approx(0.75, abs=0.05)


def test_when_a_target_goes_only_its_own_conversations_move() -> None:
    everything, less = sticky(at("a"), at("b"), at("c"), at("d")), sticky(at("a"), at("b"), at("d"))
    for i in range(300):
        call = asked(f"Hello {i}")
        assert order(less, call) == order(everything, call).replace("c", "")


def test_a_conversation_stays_within_what_comes_first() -> None:
    by_priority = sticky(at("a", 1, 0), at("b", 1, 0), at("c", 1, 1), strategy="priority")
    by_price = sticky(at("a", price=1), at("b", price=1), at("c", price=2), strategy="cheapest")
    for terms in (by_priority, by_price):
        orders = [order(terms, asked(f"Hello {i}")) for i in range(100)]
        assert {one[-1] for one in orders} == {"c"}
        assert {one[0] for one in orders} == {"a", "b"}


# Canaries.


@pytest.mark.parametrize("share", [0, 0.01, 0.05, 0.5, 1])
def test_a_canary_has_its_share_of_the_users_and_always_the_same(share: float) -> None:
    terms, many = make_terms((at("a"),), canary=Canary(at("x"), share)), 5_000
    chosen = [order(terms, asked(user_id=user_id)) for user_id in range(many)]
    assert set(chosen) <= {"a", "xa"}
    assert abs(chosen.count("xa") - many * share) <= 4 * sqrt(many * share * (1 - share))
    assert chosen[:500] == [order(terms, asked("Other words", user_id), seed=9) for user_id in range(500)]


def test_a_greater_share_only_adds_users() -> None:
    def users(share: float) -> set[int]:
        terms = make_terms((at("a"),), canary=Canary(at("x"), share))
        return {user_id for user_id in range(1_000) if order(terms, asked(user_id=user_id))[0] == "x"}

    assert users(0.05) < users(0.2) < users(0.6)


def test_a_canary_may_have_its_share_of_conversations() -> None:
    terms = make_terms((at("a"),), canary=Canary(at("x"), 0.3, by_conversation=True))
    chosen = [order(terms, asked(f"Hello {i}", user_id=i % 2)) for i in range(1_000)]
    assert 240 < chosen.count("xa") < 360
    assert order(terms, asked("Hello 1", 1)) == order(terms, asked("Hello 1", 2))


def test_the_canaries_of_two_names_are_two_draws() -> None:
    terms, load, rng = make_terms((at("a"),), canary=Canary(at("x"), 0.5)), Load(Clock()), random.Random(1)
    same = sum(
        in_order("m", terms, asked(user_id=i), load, rng)[1] == in_order("n", terms, asked(user_id=i), load, rng)[1]
        for i in range(1_000)
    )
    assert 430 < same < 570


# Conditions, and the reason.


def test_a_target_with_a_condition_comes_before_those_without_or_not_at_all() -> None:
    terms = make_terms((at("a"), at("c", intent="coding"), at("t", task="ops"), at("b", intent="coding", task="ops")))
    assert order(terms, asked(intent="coding")) == "ca"
    assert order(terms, asked(task="ops")) == "ta"
    assert order(terms, asked(intent="math", task="sales")) == order(terms) == "a"
    assert sorted(order(terms, asked(intent="coding", task="ops"))) == ["a", "b", "c", "t"]
    assert order(terms, asked(intent="coding", task="ops"))[-1] == "a"


ALONE, BY_INTENT = (at("a"),), (at("a"), at("b", intent="x"))


@pytest.mark.parametrize(
    ("terms", "call", "reason"),
    [
        (make_terms(ALONE), {}, ""),
        (make_terms((at("a"), at("b")), "cheapest"), {}, "cheapest"),
        (sticky(at("a"), at("b"), strategy="priority"), {}, "priority+sticky"),
        (make_terms(BY_INTENT, "latency"), {"intent": "x"}, "intent+latency"),
        (make_terms(BY_INTENT, "latency"), {"intent": "y"}, "latency"),
        (make_terms((*ALONE, at("b", task="y"))), {"task": "y"}, "task+weighted"),
        (make_terms((*ALONE, at("b", intent="x", task="y"))), {"intent": "x", "task": "y"}, "intent+task+weighted"),
        (make_terms(ALONE, "latency", canary=Canary(at("x"), 1)), {}, "canary"),
        (make_terms(ALONE, "latency", canary=Canary(at("x"), 0)), {}, "latency"),
    ],
)
def test_the_reason_is_told_where_there_was_a_choice(terms: Terms, call: dict[str, Any], reason: str) -> None:
    assert in_order("m", terms, asked(**call), Load(Clock()), random.Random(1))[1] == reason
