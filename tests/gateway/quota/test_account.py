"""The arithmetic of one scope, at the edges of its limits, its day and its month."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import Limits
from gateway.quota.account import CONCURRENT_WAIT_S, Account, Denied, Want
from gateway.quota.base import MOST, WINDOW_S, Spent

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def account_at(now: float, **spent: int) -> Account:
    account = Account(seeded=True)
    account.turn(now)
    account.spent = Spent(**spent)
    return account


def want(tokens: int, least: int | None = None, cost: int = 0) -> Want:
    return Want(tokens, tokens if least is None else least, cost)


@given(st.integers(1, MOST), st.integers(0, MOST), st.integers(-MOST, MOST))
def test_what_a_budget_admits_costs_no_more_than_is_left_of_it(tokens: int, cost: int, left: int) -> None:
    wanted = want(tokens, least=1, cost=cost)
    fits = wanted.fit_budget(tokens, left)
    if fits is None:
        assert left < math.ceil(cost / tokens) or left < 0
    else:
        assert 1 <= fits <= tokens
        assert wanted.share_of(fits) <= left


def test_a_call_gets_what_the_tightest_limit_has_left() -> None:
    account = account_at(NOON, day_tokens=40, month_tokens=40, month_cost_micros=20)
    limits = Limits(tpm=90, daily_tokens=100, monthly_tokens=1000, monthly_budget_micros=100)
    assert account.admits(limits, want(200, least=10, cost=200), 200, NOON) == 60
    account.admit("elsewhere", 35, 0, NOON)
    assert account.admits(limits, want(200, least=10, cost=200), 200, NOON) == 25
    assert account.admits(limits, want(26), 26, NOON) == Denied("daily_tokens", 12 * HOUR_S)


def test_the_limit_named_is_the_one_that_lasts_longest() -> None:
    account = account_at(NOON, day_tokens=9, month_tokens=9, month_cost_micros=9, day_cost_micros=9, week_cost_micros=9)
    account.admit("open", 1, 1, NOON)
    strict = {
        "monthly_budget_micros": 10,
        "monthly_tokens": 10,
        "weekly_budget_micros": 10,
        "daily_budget_micros": 10,
        "daily_tokens": 10,
        "concurrent": 1,
        "rpm": 1,
        "tpm": 1,
    }
    waits = [1.5 * DAY_S, 1.5 * DAY_S, 0.5 * DAY_S, 0.5 * DAY_S, 0.5 * DAY_S, CONCURRENT_WAIT_S, WINDOW_S, WINDOW_S]
    for wait_s in waits:
        denied = account.admits(Limits(**strict), want(1, cost=1), 1, NOON)
        assert denied == Denied(next(iter(strict)), wait_s)
        del strict[denied.limit]
    assert account.admits(Limits(**strict), want(1, cost=1), 1, NOON) == 1


def test_a_charge_replaces_the_hold_and_an_undo_leaves_no_trace() -> None:
    account = account_at(NOON)
    account.admit("used", 100, 10, NOON)
    account.admit("undone", 50, 5, NOON)
    account.charge("used", 30, 3, NOON)
    account.undo("undone")
    assert (account.spent, account.held, account.holds) == (Spent(30, 30, 3, 3, 3), Spent(), {})
    assert (account.window.calls, account.window.tokens, account.window.held) == (1, 30, 0)


@pytest.mark.parametrize(
    ("start", "days", "held", "spent"),
    [
        (-2, 0, Spent(9, 9, 2, 2, 2), Spent(4, 4, 1, 1, 1)),
        (-2, 1, Spent(0, 9, 2, 0, 2), Spent(0, 4, 1, 0, 1)),
        (-2, 3, Spent(0, 9, 2), Spent(0, 4, 1)),  # a Monday of the same month
        (0, 1, Spent(0, 9, 2), Spent(0, 4, 1)),
        (1, 1, Spent(0, 0, 0, 0, 2), Spent(0, 0, 0, 0, 1)),  # a Tuesday, the first of a month
        (0, 9, Spent(), Spent()),
    ],
)
def test_a_call_counts_on_the_day_it_was_admitted(start: int, days: int, held: Spent, spent: Spent) -> None:
    began = NOON + timedelta(days=start).total_seconds()  # NOON is a Sunday
    account = account_at(began)
    account.admit("long", 9, 2, began)
    later = began + timedelta(days=days).total_seconds()
    account.turn(later)
    assert account.held == held
    account.charge("long", 4, 1, later)
    assert (account.held, account.spent) == (Spent(), spent)


def test_an_account_that_is_not_seeded_leaves_its_sums_to_the_ledger() -> None:
    account = Account()
    account.turn(NOON)
    account.charge("a", 5, 1, NOON)
    account.count(5, 1, NOON)
    assert (account.spent, account.window.tokens) == (Spent(), 5)


def test_what_was_admitted_elsewhere_is_replaced_by_what_is_said_next() -> None:
    account = account_at(NOON)
    account.admit("here", 5, 0, NOON)
    account.preload(3, 30, NOON)
    account.preload(4, 40, NOON + 1)
    usage = account.usage(Limits(), NOON + 1)
    assert usage.requests_per_minute.used == 5
    assert (usage.tokens_per_minute.used, usage.tokens_per_minute.reserved) == (40, 5)
