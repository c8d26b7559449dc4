"""One contract over every quota store: in memory, in Redis, and over both."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from gateway.errors import InsufficientQuota, RateLimitExceeded, Refusal
from gateway.exchange import Grant, Limits
from gateway.quota.base import LedgerUnavailable, Left, QuotaUnavailable, Scope, Spent, task_scope
from tests.contracts.quota_worlds import NOON, WORLDS, World, ask, scope, team

MINUTE_LIMITS = {"rpm": 3, "tpm": 30, "concurrent": 3}
CALENDAR_LIMITS = {"daily_tokens": 30, "monthly_tokens": 30}
BUDGETS = {"daily_budget_micros": 0.5, "weekly_budget_micros": 2.5, "monthly_budget_micros": 10.5}
"""Of each the days until it turns: NOON is a Friday's."""


@pytest_asyncio.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with WORLDS[request.param](lambda: request.getfixturevalue("redis_url")) as world:
        yield world


async def refused(world: World, wanted: object) -> Refusal:
    assert isinstance(wanted, type(ask(scope())))
    outcome = await world.take(wanted)
    assert isinstance(outcome, Refusal), outcome
    return outcome


@pytest.mark.parametrize(("limit", "most"), [*MINUTE_LIMITS.items(), *CALENDAR_LIMITS.items()])
async def test_a_limit_admits_exactly_what_it_says(world: World, limit: str, most: int) -> None:
    user = scope(**{limit: most})
    for _ in range(3):
        await world.store.reserve(ask(user, tokens=10))
    refusal = await refused(world, ask(user, tokens=10))
    assert refusal.param == limit
    assert str(most) in refusal.message
    assert "user" in refusal.message
    assert isinstance(refusal, RateLimitExceeded if limit in MINUTE_LIMITS else InsufficientQuota)


@pytest.mark.parametrize("limit", [*MINUTE_LIMITS, *CALENDAR_LIMITS])
async def test_a_limit_of_nothing_admits_nothing(world: World, limit: str) -> None:
    refusal = await refused(world, ask(scope(**{limit: 0}), tokens=1))
    assert refusal.param == limit
    assert refusal.retry_after_s is not None
    assert refusal.retry_after_s > 0


async def test_without_limits_everything_passes_and_nothing_is_asked_of_the_ledger(world: World) -> None:
    world.books.closed = True
    grant = await world.store.reserve(ask(scope(), scope(token_id=7), tokens=10**9))
    assert grant == Grant(10**9)


async def test_a_thousand_at_once_on_a_limit_of_a_hundred_are_exactly_a_hundred(world: World) -> None:
    user = scope(rpm=100)
    outcomes = await asyncio.gather(*(world.take(ask(user)) for _ in range(1000)))
    assert sum(isinstance(outcome, Grant) for outcome in outcomes) == 100
    assert {outcome.param for outcome in outcomes if isinstance(outcome, Refusal)} == {"rpm"}


async def test_a_call_leaves_the_window_after_sixty_seconds_and_not_before(world: World) -> None:
    user = scope(rpm=1)
    await world.spend(ask(user), 1)
    await world.at(NOON + 59.999999)
    assert (await refused(world, ask(user))).retry_after_s == pytest.approx(0.000001, abs=1e-6)
    await world.at(NOON + 60)
    assert isinstance(await world.take(ask(user)), Grant)


async def test_the_window_slides(world: World) -> None:
    """A fixed window would admit 2 calls at 59 s and 2 more at 61 s."""
    user = scope(rpm=2)
    await world.at(NOON + 50)
    await world.spend(ask(user), 1)
    await world.at(NOON + 59)
    await world.spend(ask(user), 1)
    await world.at(NOON + 61)
    assert (await refused(world, ask(user))).retry_after_s == pytest.approx(49)
    await world.at(NOON + 110)
    await world.spend(ask(user), 1)
    assert (await refused(world, ask(user))).retry_after_s == pytest.approx(9)


async def test_the_wait_for_tokens_is_until_enough_have_left(world: World) -> None:
    user = scope(tpm=100)
    for tokens in (10, 50, 40):
        await world.spend(ask(user, tokens=tokens), tokens)
        await world.pass_time(10)
    refusal = await refused(world, ask(user, tokens=30))
    assert refusal.param == "tpm"
    assert refusal.retry_after_s == pytest.approx(40)


async def test_a_settle_puts_what_was_used_in_place_of_what_was_reserved(world: World) -> None:
    user = scope(tpm=100, daily_tokens=100, monthly_tokens=100, concurrent=1)
    first = ask(user, tokens=90)
    await world.store.reserve(first)
    await world.settle(first, 30)
    grant = await world.store.reserve(ask(user, tokens=70))
    assert grant.reserved_tokens == 70
    assert grant.remaining_tokens == 0


async def test_a_call_that_used_nothing_still_counts_as_a_call(world: World) -> None:
    user = scope(rpm=1, daily_tokens=100)
    await world.spend(ask(user, tokens=90), 0)
    assert (await refused(world, ask(user, tokens=90))).param == "rpm"
    assert (await world.usage(user)).daily_tokens.used == 0


async def test_a_refused_call_leaves_no_trace(world: World) -> None:
    user = scope(rpm=10, tpm=1000, daily_tokens=1000, concurrent=10)
    token = scope(token_id=5, daily_tokens=5)
    for _ in range(20):
        assert (await refused(world, ask(user, token, tokens=10))).param == "daily_tokens"
    usage = await world.usage(user)
    assert usage.requests_per_minute.used == 0
    assert usage.concurrent.used == 0
    assert usage.daily_tokens.reserved == usage.tokens_per_minute.reserved == 0


async def test_the_token_of_a_user_has_its_own_limit(world: World) -> None:
    user, token = scope(rpm=10), scope(token_id=5, rpm=1)
    grant = await world.store.reserve(ask(user, token))
    assert (grant.limit_requests, grant.remaining_requests) == (1, 0)
    refusal = await refused(world, ask(user, token))
    assert "token" in refusal.message
    assert (await world.usage(user)).requests_per_minute.used == 1
    assert isinstance(await world.take(ask(user, scope(token_id=6, rpm=1))), Grant)


async def test_users_do_not_share_a_limit(world: World) -> None:
    for user_id in range(1, 20):
        await world.store.reserve(ask(scope(user_id, rpm=1)))


async def test_who_has_no_quota_left_is_not_told_to_come_back_in_a_minute(world: World) -> None:
    user = scope(rpm=1, daily_tokens=10)
    await world.spend(ask(user), 10)
    refusal = await refused(world, ask(user))
    assert refusal.param == "daily_tokens"
    assert refusal.retry_after_s == pytest.approx(12 * 3600)


async def test_the_grant_says_what_is_left(world: World) -> None:
    user = scope(rpm=5, tpm=100)
    await world.spend(ask(user, tokens=20), 15)
    grant = await world.store.reserve(ask(user, tokens=20))
    assert grant == Grant(20, 5, 3, 60.0, 100, 65, 60.0)


@pytest.mark.parametrize("limit", ["tpm", "daily_tokens", "monthly_tokens"])
async def test_a_reservation_shrinks_to_what_is_left(world: World, limit: str) -> None:
    user = scope(**{limit: 100})
    await world.spend(ask(user, tokens=50), 50)
    grant = await world.store.reserve(ask(user, tokens=4096, least=20))
    assert grant.reserved_tokens == 50
    assert (await refused(world, ask(user, tokens=1))).param == limit


async def test_a_reservation_does_not_shrink_below_the_input_and_one_token(world: World) -> None:
    assert (await refused(world, ask(scope(tpm=20), tokens=4096, least=20))).param == "tpm"
    grant = await world.store.reserve(ask(scope(tpm=21), tokens=4096, least=20))
    assert grant.reserved_tokens == 21


async def test_a_call_without_output_fits_exactly(world: World) -> None:
    assert (await world.store.reserve(ask(scope(tpm=20), tokens=20, least=20))).reserved_tokens == 20


async def test_an_overspent_limit_refuses_until_the_window_has_room(world: World) -> None:
    user = scope(tpm=100)
    await world.spend(ask(user, tokens=10), 500)
    assert (await refused(world, ask(user, tokens=1))).retry_after_s == pytest.approx(60)
    await world.pass_time(60)
    assert isinstance(await world.take(ask(user, tokens=100)), Grant)


async def test_reserving_twice_is_reserving_once(world: World) -> None:
    user = scope(rpm=2, tpm=100, daily_tokens=100, concurrent=2)
    first = ask(user, tokens=40)
    assert await world.store.reserve(first) == await world.store.reserve(first)
    usage = await world.usage(user)
    assert (usage.requests_per_minute.used, usage.tokens_per_minute.reserved) == (1, 40)
    await world.settle(first, 40)
    await world.store.reserve(first)
    assert (await world.usage(user)).concurrent.used == 0


async def test_settling_twice_charges_once(world: World) -> None:
    user = scope(tpm=100, daily_tokens=100, monthly_budget_micros=1000)
    first = ask(user, tokens=40, cost=100)
    await world.store.reserve(first)
    await world.settle(first, 30, 80)
    await world.settle(first, 30, 80)
    await world.settle(first, 99, 99)
    usage = await world.usage(user)
    assert (usage.tokens_per_minute.used, usage.daily_tokens.used) == (30, 30)
    assert usage.monthly_budget_micros.used == 80


async def test_a_negative_charge_is_no_gift(world: World) -> None:
    user = scope(tpm=100, daily_tokens=100, monthly_budget_micros=1000)
    await world.spend(ask(user, tokens=50, cost=10), 50, 10)
    await world.spend(ask(user, tokens=10), -1000, -1000)
    usage = await world.usage(user)
    assert (usage.daily_tokens.used, usage.monthly_budget_micros.used) == (50, 10)


async def test_used_is_what_is_settled_and_reserved_stands_apart(world: World) -> None:
    user = scope(rpm=10, tpm=1000, daily_tokens=2000, monthly_tokens=3000, concurrent=4)
    await world.spend(ask(user, tokens=100), 60)
    await world.pass_time(10)
    await world.store.reserve(ask(user, tokens=200))
    usage = await world.usage(user)
    assert (usage.requests_per_minute.limit, usage.requests_per_minute.used) == (10, 2)
    for window, most in (
        (usage.tokens_per_minute, 1000),
        (usage.daily_tokens, 2000),
        (usage.monthly_tokens, 3000),
    ):
        assert (window.limit, window.used, window.reserved) == (most, 60, 200)
    assert (usage.concurrent.limit, usage.concurrent.used, usage.concurrent.reserved) == (4, 1, 0)
    assert usage.requests_per_minute.resets_at == usage.tokens_per_minute.resets_at == NOON + 60
    assert usage.daily_tokens.resets_at == datetime(2026, 11, 21, tzinfo=UTC).timestamp()
    assert usage.monthly_tokens.resets_at == datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    assert usage.monthly_budget_micros.limit is None


async def test_a_new_day_starts_empty_and_the_month_goes_on(world: World) -> None:
    user = scope(daily_tokens=100, monthly_tokens=150)
    await world.spend(ask(user, tokens=100), 100)
    await world.at(datetime(2026, 11, 20, 23, 59, 59, 999_000, tzinfo=UTC).timestamp())
    assert (await refused(world, ask(user, tokens=10))).param == "daily_tokens"
    await world.at(datetime(2026, 11, 21, tzinfo=UTC).timestamp())
    await world.spend(ask(user, tokens=50), 50)
    refusal = await refused(world, ask(user, tokens=10))
    assert refusal.param == "monthly_tokens"
    await world.at(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
    assert (await world.store.reserve(ask(user, tokens=100))).reserved_tokens == 100


@pytest.mark.parametrize(
    "midnight", [datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)]
)
async def test_the_calendar_turns_at_years_and_leap_days(world: World, midnight: datetime) -> None:
    user = scope(daily_tokens=10, monthly_tokens=15)
    await world.at(midnight.timestamp() - 1)
    await world.spend(ask(user), 10)
    await world.at(midnight.timestamp())
    usage = await world.usage(user)
    assert usage.daily_tokens.used == 0
    assert usage.monthly_tokens.used == (0 if midnight.day == 1 else 10)
    assert usage.daily_tokens.resets_at == midnight.timestamp() + 86_400


async def test_a_call_over_midnight_is_charged_to_the_day_it_was_admitted_on(world: World) -> None:
    user = scope(daily_tokens=100, monthly_tokens=100)
    await world.at(datetime(2026, 11, 20, 23, 59, 30, tzinfo=UTC).timestamp())
    late = ask(user, tokens=60)
    await world.store.reserve(late)
    await world.at(datetime(2026, 11, 21, 0, 0, 20, tzinfo=UTC).timestamp())
    usage = await world.usage(user)
    assert (usage.daily_tokens.reserved, usage.monthly_tokens.reserved) == (0, 60)
    await world.settle(late, 50)
    usage = await world.usage(user)
    assert (usage.daily_tokens.used, usage.daily_tokens.reserved) == (0, 0)
    assert (usage.monthly_tokens.used, usage.monthly_tokens.reserved) == (50, 0)


async def test_counters_start_from_the_ledger(world: World) -> None:
    user, token = scope(daily_tokens=100), scope(token_id=9, monthly_tokens=100)
    world.books.entries[1, None] = Spent(day_tokens=40, month_tokens=40)
    world.books.entries[1, 9] = Spent(month_tokens=90)
    assert (await world.store.reserve(ask(user, token, tokens=60, least=1))).reserved_tokens == 10
    assert (await world.usage(user)).daily_tokens.used == 40


async def test_a_thousand_first_calls_ask_the_ledger_once(world: World) -> None:
    world.books.entries[1, None] = Spent(day_tokens=900)
    user = scope(daily_tokens=1000)
    outcomes = await asyncio.gather(*(world.take(ask(user, tokens=1)) for _ in range(1000)))
    assert sum(isinstance(outcome, Grant) for outcome in outcomes) == 100
    assert world.books.asked == 1


async def test_without_a_ledger_counters_are_not_guessed(world: World) -> None:
    world.books.closed = True
    user = scope(daily_tokens=1000)
    with pytest.raises(LedgerUnavailable):
        await world.store.reserve(ask(user))
    world.books.closed = False
    await world.store.reserve(ask(user))


async def test_limits_that_need_no_ledger_work_without_one(world: World) -> None:
    world.books.closed = True
    assert isinstance(await world.take(ask(scope(rpm=1, tpm=100, concurrent=1))), Grant)


async def test_a_forgotten_scope_is_rebuilt_from_the_ledger(world: World) -> None:
    user = scope(daily_tokens=100, concurrent=5)
    await world.spend(ask(user, tokens=50), 50)
    open_call = ask(user, tokens=20)
    await world.store.reserve(open_call)
    world.books.entries[1, None] = Spent(day_tokens=10)
    await world.store.forget(user)
    usage = await world.usage(user)
    assert (usage.daily_tokens.used, usage.daily_tokens.reserved) == (10, 20)
    await world.settle(open_call, 15)
    usage = await world.usage(user)
    assert (usage.daily_tokens.used, usage.daily_tokens.reserved) == (25, 0)


def left(ask_id: str, tokens: int, age_s: float = 1.0) -> Left:
    return Left(ask_id, 1, 7, tokens, 0, age_s)


async def test_what_a_dead_process_had_not_settled_is_settled_from_its_log_once(world: World) -> None:
    user, token = scope(daily_tokens=1000, concurrent=5), scope(token_id=7, daily_tokens=500)
    settled, unsettled = ask(user, token, tokens=50), ask(user, token, tokens=50)
    await world.spend(settled, 30)
    await world.store.reserve(unsettled)
    for _ in range(2):
        await world.recover(left(settled.id, 30))
        if world.holds_outlive_their_process:
            await world.recover(left(unsettled.id, 20))
    if not world.holds_outlive_their_process:
        await world.settle(unsettled, 20)
    for counted in (user, token):
        usage = await world.usage(counted)
        assert (usage.daily_tokens.used, usage.daily_tokens.reserved, usage.concurrent.used) == (50, 0, 0)


async def test_a_call_of_the_dead_that_nobody_knows_is_counted_unless_it_is_in_the_counters_already(
    world: World,
) -> None:
    user = scope(daily_tokens=1000)
    await world.spend(ask(user), 5)
    await world.pass_time(30)
    await world.recover(left("unknown", 40, age_s=20))
    await world.recover(left("unknown", 40, age_s=20))
    assert (await world.usage(user)).daily_tokens.used == 45


async def test_counters_that_are_not_there_yet_will_know_the_dead_from_the_ledger(world: World) -> None:
    user = scope(daily_tokens=1000)
    await world.recover(left("unknown", 40))
    world.books.entries[1, None] = Spent(day_tokens=40)
    assert (await world.usage(user)).daily_tokens.used == 40


@pytest.mark.parametrize(("budget", "days"), BUDGETS.items())
async def test_a_budget_is_kept_in_money(world: World, budget: str, days: float) -> None:
    user = scope(**{budget: 1000})
    await world.spend(ask(user, tokens=10, cost=600), 10, 500)
    await world.store.reserve(ask(user, tokens=10, cost=500))
    refusal = await refused(world, ask(user, tokens=10, cost=1))
    assert refusal.param == budget
    assert refusal.retry_after_s == pytest.approx(days * 86_400)
    assert isinstance(refusal, InsufficientQuota)
    assert isinstance(await world.take(ask(user, tokens=10, cost=0)), Grant)


@pytest.mark.parametrize("budget", BUDGETS)
async def test_a_thousand_at_once_spend_a_budget_to_the_last_and_no_further(world: World, budget: str) -> None:
    """Half of them come by one user, half by another of the same team; each costs 7 of 700."""
    shared = team(**{budget: 700})
    asks = [ask(scope(number % 2 + 1, rpm=5000), shared, cost=7) for number in range(1000)]
    outcomes = await asyncio.gather(*map(world.take, asks))
    assert sum(isinstance(outcome, Grant) for outcome in outcomes) == 100
    assert {outcome.param for outcome in outcomes if isinstance(outcome, Refusal)} == {budget}
    for call, outcome in zip(asks, outcomes, strict=True):
        if isinstance(outcome, Grant):
            await world.settle(call, 10, 6)
    spent = getattr(await world.usage(shared), budget)
    assert (spent.used, spent.reserved) == (600, 0)


async def test_budgets_start_anew_with_their_day_and_week(world: World) -> None:
    user = scope(daily_budget_micros=100, weekly_budget_micros=150, monthly_budget_micros=1000)
    await world.spend(ask(user, cost=100), 10, 100)
    assert (await refused(world, ask(user, cost=1))).param == "daily_budget_micros"
    await world.at(datetime(2026, 11, 21, tzinfo=UTC).timestamp())
    await world.spend(ask(user, cost=50), 10, 50)
    assert (await refused(world, ask(user, cost=1))).param == "weekly_budget_micros"
    await world.at(datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC).timestamp())
    assert (await refused(world, ask(user, cost=1))).param == "weekly_budget_micros"
    await world.at(datetime(2026, 11, 23, tzinfo=UTC).timestamp())
    await world.spend(ask(user, cost=90), 10, 90)
    usage = await world.usage(user)
    assert [getattr(usage, budget).used for budget in BUDGETS] == [90, 90, 240]
    assert usage.weekly_budget_micros.resets_at == datetime(2026, 11, 30, tzinfo=UTC).timestamp()


async def test_a_call_over_the_week_s_end_is_charged_to_the_week_it_was_admitted_in(world: World) -> None:
    user = scope(weekly_budget_micros=100, daily_budget_micros=100, monthly_budget_micros=100)
    await world.at(datetime(2026, 11, 22, 23, 59, 50, tzinfo=UTC).timestamp())
    late = ask(user, cost=60)
    await world.store.reserve(late)
    await world.at(datetime(2026, 11, 23, 0, 0, 20, tzinfo=UTC).timestamp())
    usage = await world.usage(user)
    assert [getattr(usage, budget).reserved for budget in BUDGETS] == [0, 0, 60]
    await world.settle(late, 10, 50)
    usage = await world.usage(user)
    assert [getattr(usage, budget).used for budget in BUDGETS] == [0, 0, 50]
    assert [getattr(usage, budget).reserved for budget in BUDGETS] == [0, 0, 0]


@pytest.mark.parametrize("budget", BUDGETS)
async def test_a_budget_starts_from_the_ledger(world: World, budget: str) -> None:
    world.books.entries[1, None] = Spent(0, 0, 990, 990, 990)
    user = scope(**{budget: 1000})
    assert (await refused(world, ask(user, cost=11))).param == budget
    assert isinstance(await world.take(ask(user, cost=10)), Grant)


async def test_members_of_a_team_share_its_limits_and_keep_their_own(world: World) -> None:
    shared = team(rpm=3, concurrent=3, daily_tokens=100)
    ann, bob = scope(1, rpm=2), scope(2, rpm=2)
    await world.spend(ask(ann, shared), 10)
    await world.spend(ask(bob, shared), 10)
    assert (await world.store.reserve(ask(ann, shared))).remaining_requests == 0
    refusal = await refused(world, ask(bob, shared))
    assert refusal.param == "rpm"
    assert "team" in refusal.message
    assert (await world.usage(bob)).requests_per_minute.used == 1
    assert (await world.usage(shared)).daily_tokens.used == 20
    assert isinstance(await world.take(ask(bob, team(4, rpm=3))), Grant)


async def test_a_task_s_budget_is_shared_by_all_who_call_for_it(world: World) -> None:
    world.books.entries["k5"] = Spent(week_cost_micros=40)
    task = task_scope(5, Limits(weekly_budget_micros=100))
    await world.spend(ask(scope(1, rpm=9), task, cost=30), 10, 30)
    await world.store.reserve(ask(scope(2, rpm=9), team(rpm=9), task, cost=30))
    refusal = await refused(world, ask(scope(3, rpm=9), task, cost=1))
    assert refusal.param == "weekly_budget_micros"
    assert "task" in refusal.message
    await world.recover(Left("unknown", 1, 7, 20, 3, 0.5, task_id=5))
    spent = (await world.usage(task)).weekly_budget_micros
    assert (spent.used, spent.reserved) == (73, 30)


async def test_a_team_starts_from_its_own_books_and_is_charged_for_the_dead(world: World) -> None:
    world.books.entries["g3"] = Spent(day_tokens=40, month_tokens=40, day_cost_micros=7)
    shared = team(daily_tokens=100, daily_budget_micros=1000)
    await world.spend(ask(scope(1), shared), 5)
    await world.recover(Left("unknown", 1, 7, 20, 3, 0.5, team_id=3))
    usage = await world.usage(shared)
    assert (usage.daily_tokens.used, usage.daily_budget_micros.used) == (65, 10)


async def test_the_budget_shrinks_a_reservation_in_proportion(world: World) -> None:
    user = scope(monthly_budget_micros=1000)
    grant = await world.store.reserve(ask(user, tokens=400, least=10, cost=4001))
    assert grant.reserved_tokens == 99
    assert (await world.usage(user)).monthly_budget_micros.reserved <= 1000
    assert (await refused(world, ask(user, tokens=400, least=10, cost=4000))).param == "monthly_budget_micros"


async def test_usage_without_limits_is_what_the_ledger_says(world: World) -> None:
    world.books.entries[1, None] = Spent(5, 6, 7, 8, 9)
    usage = await world.usage(scope())
    assert (usage.daily_tokens.used, usage.monthly_tokens.used) == (5, 6)
    assert [getattr(usage, budget).used for budget in BUDGETS] == [8, 9, 7]
    assert usage.daily_tokens.limit is None


async def test_usage_without_a_ledger_is_unavailable_not_zero(world: World) -> None:
    world.books.closed = True
    with pytest.raises(QuotaUnavailable):
        await world.usage(scope(daily_tokens=5))


async def test_looking_changes_nothing(world: World) -> None:
    user: Scope = scope(rpm=2, tpm=100, daily_tokens=100)
    await world.spend(ask(user, tokens=50), 50)
    assert [await world.usage(user) for _ in range(3)] == [await world.usage(user)] * 3


async def test_a_lowered_limit_holds_at_once(world: World) -> None:
    for _ in range(5):
        await world.spend(ask(scope(rpm=10)), 1)
        await world.pass_time(1)
    refusal = await refused(world, ask(scope(rpm=2)))
    assert refusal.retry_after_s == pytest.approx(58.0)
