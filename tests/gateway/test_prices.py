"""What a call costs, to the micro-dollar, and when that is not known."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateway.exchange import Usage
from gateway.prices import MOST_FOUND, UNKNOWN, PeriodsConfig, PriceTable, cost_micros, make_prices, most_micros
from tests.gateway.scripted import priced

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PERIODS: TypeAdapter[Any] = TypeAdapter(PeriodsConfig)
counts = st.integers(0, 10**7)
dollars = st.integers(0, 10**9).map(lambda picos: picos / 1_000_000)


@pytest.mark.parametrize(
    ("price", "usage", "micros"),
    [
        (priced(0.15, 0.6), Usage(1000, 1000), 750),
        (priced(0.15, 0.6), Usage(3, 0), 0),  # 0.45
        (priced(0.5, 0), Usage(1, 0), 1),  # half a micro-dollar is rounded up,
        (priced(0.5, 0), Usage(3, 0), 2),  # to an even number or not
        (priced(0.5, 0), Usage(5, 0), 3),
        (priced(3, 15, cached_input=0.3), Usage(1000, 10, cached_tokens=900), 300 + 270 + 150),
        (priced(3, 15, cache_write=3.75), Usage(1000, 0, cache_write_tokens=400), 1800 + 1500),
        (priced(1, 4, reasoning=2), Usage(0, 100, reasoning_tokens=60), 160 + 120),
        (priced(1, 4, image=5, audio=10), Usage(100, 0, image_tokens=20, audio_tokens=30), 50 + 100 + 300),
        (priced(1, 4, image_output=40, audio_output=8), Usage(0, 50, 0, 0, 0, 0, 0, 20, 10), 80 + 800 + 80),
        (priced(3, 15), Usage(1000, 100, 500, 50, 100, 50, 50, 10, 10), 4500),  # no price of its own: its side's
        (priced(0, 0), Usage(10**9, 10**9), 0),
        (priced(1, 1, cached_input=0), Usage(5, 0, cached_tokens=9), 0),  # an upstream that cannot count
        (UNKNOWN, Usage(1, 1), None),
        (priced(1, 1), None, None),
    ],
)
def test_each_kind_of_token_is_charged_at_its_own_price(price: Any, usage: Usage | None, micros: int | None) -> None:
    assert cost_micros(price, usage, NOW) == micros


@given(dollars, dollars, dollars, dollars, counts, counts, counts, counts)
def test_the_cost_is_exact_and_rounded_half_up_once(
    into: float, out: float, cheap: float, dear: float, prompt: int, completion: int, cached: int, reasoned: int
) -> None:
    cached, reasoned = min(cached, prompt), min(reasoned, completion)
    price = priced(into, out, cached_input=cheap, reasoning=dear)
    exact = sum(
        Fraction(str(each)) * count
        for each, count in [(into, prompt - cached), (cheap, cached), (out, completion - reasoned), (dear, reasoned)]
    )
    assert cost_micros(price, Usage(prompt, completion, cached, reasoned), NOW) == floor(exact + Fraction(1, 2))


@given(dollars, dollars, dollars, dollars, counts, counts, st.data())
def test_what_is_held_is_enough_whatever_is_written_to_a_cache_or_thought(
    into: float, out: float, write: float, think: float, prompt: int, completion: int, data: st.DataObject
) -> None:
    price = priced(into, out, cache_write=write, reasoning=think)
    written, thought = data.draw(st.integers(0, prompt)), data.draw(st.integers(0, completion))
    held, cost = (
        most_micros(price, prompt, completion, NOW),
        cost_micros(price, Usage(prompt, completion, 0, thought, written), NOW),
    )
    assert held is not None
    assert cost is not None
    assert held >= cost
    assert most_micros(UNKNOWN, prompt, completion, NOW) is None


def test_a_price_holds_from_its_day_until_the_next_and_none_before_the_first() -> None:
    prices = make_prices(
        PERIODS.validate_python(
            [
                {"from": "2026-03-01", "input": 2, "output": 2},
                {"from": date(2026, 1, 1), "input": 1, "output": 1},
                {"from": date(2027, 1, 1), "input": 3, "output": 3},
            ]
        )
    )
    march, second = datetime(2026, 3, 1, tzinfo=UTC), timedelta(seconds=1)
    assert [
        cost_micros(prices, Usage(7, 0), at)
        for at in (datetime(2026, 1, 1, tzinfo=UTC) - second, march - second, march, NOW)
    ] == [None, 7, 14, 14]


def test_a_period_without_a_beginning_is_what_held_until_the_others() -> None:
    prices = make_prices(
        PERIODS.validate_python([{"input": 1, "output": 1}, {"from": "2026-11-01", "input": 5, "output": 5}])
    )
    assert cost_micros(prices, Usage(1, 0), datetime(2000, 1, 1, tzinfo=UTC)) == 1
    assert cost_micros(prices, Usage(1, 0), NOW) == 5


@pytest.mark.parametrize(
    "said",
    [
        [], {"input": 1}, {"input": -1, "output": 1}, {"input": float("inf"), "output": 1}, {"input": 1, "output": "x"},
        {"input": 0.0000001, "output": 1}, {"input": 1, "output": 1, "surprise": 1},
        [{"input": 1, "output": 1}, {"input": 2, "output": 2}],
        [{"from": "2026-01-01", "input": 1, "output": 1}, {"from": "2026-01-01", "input": 2, "output": 2}],
    ],
)  # fmt: skip
def test_what_is_no_price_is_refused(said: Any) -> None:
    with pytest.raises(ValidationError):
        PERIODS.validate_python(said)


def table(**names: float) -> PriceTable:
    return PriceTable({name: PERIODS.validate_python({"input": each, "output": 0}) for name, each in names.items()})


def test_a_name_counts_before_the_first_pattern_that_fits() -> None:
    made = table(**{"*/gpt-4o*": 1, "openai/*": 2, "openai/gpt-4o": 3})

    def found(key: str) -> int | None:
        return cost_micros(made.find(key), Usage(1, 0), NOW)

    assert [found(key) for key in ("openai/gpt-4o", "openai/gpt-4o-mini", "azure/gpt-4o", "openai/o3", "x/y")] == [
        3, 1, 1, 2, None,
    ]  # fmt: skip
    assert found("x/y") is None


def test_names_that_are_made_up_do_not_fill_the_memory() -> None:
    made = table(**{"a/*": 1})
    for number in range(MOST_FOUND + 10):
        assert made.find(f"a/{number}")
    assert len(made._found) <= MOST_FOUND
