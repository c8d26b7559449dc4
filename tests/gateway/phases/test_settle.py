"""The upstream's word counts where it can be true; where it is missing or can't, our own count does."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.count import count
from gateway.exchange import Endpoint, Meter, Target, Usage
from gateway.phases.settle import cost_of, count_missing, needs_count, settle
from gateway.quota.base import Ask
from tests.gateway.phases.test_stream import word
from tests.gateway.scripted import WatchedQuotas, make_call, priced

PRICED = Target("a", "m", priced(0.15, 0.6))
CALL = make_call()
RELAYED = word("hello world")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def meter(usage: Usage | None, **changes: Any) -> Meter:
    usual = {"answered": True, "complete": True, "relayed": [RELAYED], "relayed_bytes": len(RELAYED), "target": PRICED}
    return Meter(usage, **{**usual, **changes})


@pytest.mark.parametrize(
    ("usage", "changes", "counts"),
    [
        (Usage(9, 2), {}, False),
        (None, {}, True),
        (None, {"answered": False}, False),
        (Usage(9, 2), {"complete": False}, True),
        (Usage(0, 0), {}, False),
        (Usage(900_000, 2), {}, False),  # images cost what text doesn't say
        (Usage(9, 8_000, reasoning_tokens=0), {}, False),
        (Usage(9, 500_000, reasoning_tokens=499_000), {}, False),
        (Usage(10**9, 2), {}, True),
        (Usage(9, 10**6), {}, True),
        (Usage(9, 10**9, reasoning_tokens=10**9), {}, True),
        (Usage(9, 60_000), {"relayed_bytes": 100_000}, False),
        (Usage(9, 60_000), {"counted_tokens": 10_000}, False),  # a long stream, folded
    ],
)
def test_a_usage_that_is_missing_or_cannot_be_true_is_counted(
    usage: Usage | None, changes: dict[str, Any], counts: bool
) -> None:
    made = meter(usage, **changes)
    assert needs_count(CALL, made) is counts
    distrusted = usage is not None and made.usage is None
    assert ("usage_implausible" in made.flags) is distrusted
    assert distrusted is (counts and usage is not None and "complete" not in changes)


async def test_our_count_takes_the_place_of_the_missing_one() -> None:
    made = meter(None, counted_tokens=100)
    await count_missing(CALL, made)
    assert made.usage == Usage(count("Hello there"), 100 + count("hello world"))
    assert made.flags == {"usage_counted"}


async def test_what_was_told_of_a_cut_stream_is_kept_where_it_is_more() -> None:
    made = meter(Usage(50, 1, 7, 3), complete=False)
    await count_missing(CALL, made)
    assert made.usage == Usage(50, count("hello world"), 7, 3)
    more = meter(Usage(0, 99), complete=False)
    await count_missing(CALL, more)
    assert more.usage == Usage(count("Hello there"), 99)


async def test_a_lie_is_replaced_and_flagged() -> None:
    made = meter(Usage(9, 10**8))
    assert needs_count(CALL, made)
    await count_missing(CALL, made)
    assert made.usage == Usage(count("Hello there"), count("hello world"))
    assert made.flags == {"usage_implausible", "usage_counted"}


async def test_every_turn_is_counted() -> None:
    call = make_call(Endpoint.MESSAGES, system="one two three")
    made = meter(None, relayed=[], relayed_bytes=0)
    await count_missing(call, made)
    assert made.usage == Usage(count("one two three") + count("Hello there"), 0)


@pytest.mark.parametrize(
    ("target", "usage", "micros"),
    [
        (PRICED, Usage(1000, 500), 450),
        (PRICED, Usage(1, 0), 0),
        (PRICED, Usage(0, 1), 1),
        (PRICED, None, None),
        (None, Usage(1, 1), None),
        (Target("a", "m"), Usage(1, 1), None),
        (Target("a", "m", priced(0, 0)), Usage(1, 1), 0),
    ],
)
def test_cost_is_in_whole_micro_dollars_and_unknown_without_a_price(
    target: Target | None, usage: Usage | None, micros: int | None
) -> None:
    assert cost_of(Meter(usage, target=target), NOW) == micros


def test_what_was_used_is_charged_and_nothing_without_usage() -> None:
    quotas, ask = WatchedQuotas(), Ask("x", (), 100, 10)
    settle(ask, meter(Usage(1000, 500)), quotas, NOW)
    settle(ask, meter(None), quotas, NOW)
    assert [settled[1:] for settled in quotas.settled] == [(1500, 450), (0, 0)]
