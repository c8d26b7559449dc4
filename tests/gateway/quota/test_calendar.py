from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.quota.calendar import day_of, month_of, next_day, next_month, next_week, wait_for, week_of

moments = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - the zone is `timezones`
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(moments)
def test_a_day_is_the_days_since_1970(moment: datetime) -> None:
    assert day_of(moment.timestamp()) == (moment - datetime(1970, 1, 1, tzinfo=UTC)).days


@given(moments)
def test_a_month_is_that_of_its_day(moment: datetime) -> None:
    assert divmod(month_of(day_of(moment.timestamp())), 12) == (moment.year, moment.month - 1)


@given(moments)
def test_the_next_day_week_and_month_are_the_first_moments_that_are_other(moment: datetime) -> None:
    now = moment.timestamp()
    for turn, number in (
        (next_day(now), day_of),
        (next_week(now), lambda at: week_of(day_of(at))),
        (next_month(now), lambda at: month_of(day_of(at))),
    ):
        assert turn > now
        assert number(turn - 1) == number(now)
        assert number(turn) == number(now) + 1


@given(moments)
def test_a_week_begins_on_its_monday(moment: datetime) -> None:
    turn = datetime.fromtimestamp(next_week(moment.timestamp()), UTC)
    assert (turn.weekday(), turn.time()) == (0, datetime.min.time())


@pytest.mark.parametrize(
    ("limit", "hours"),
    [
        ("daily_tokens", 1),
        ("daily_budget_micros", 1),
        ("weekly_budget_micros", 1),
        ("monthly_tokens", 25),
        ("monthly_budget_micros", 25),
    ],
)
def test_the_wait_for_a_limit_is_until_its_calendar_turns(limit: str, hours: int) -> None:
    now = datetime(2026, 11, 29, 23, tzinfo=UTC)
    assert wait_for(limit, now.timestamp()) == timedelta(hours=hours).total_seconds()
