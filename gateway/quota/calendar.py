"""The UTC calendar of the quotas: which day and month it is, and when the next ones start. Pure; unix seconds."""

from datetime import UTC, date, datetime

DAY_S = 86_400


def day_of(now: float) -> int:
    """Days since 1970-01-01."""
    return int(now // DAY_S)


def month_of(day: int) -> int:
    """Months since year 0."""
    that = date.fromordinal(date(1970, 1, 1).toordinal() + day)
    return that.year * 12 + that.month - 1


def week_of(day: int) -> int:
    """Weeks since that of 1970-01-01, a Thursday. They begin on Mondays."""
    return (day + 3) // 7


def next_day(now: float) -> float:
    """When the day of `now` ends."""
    return float((day_of(now) + 1) * DAY_S)


def next_week(now: float) -> float:
    """When the week of `now` ends."""
    return float(((week_of(day_of(now)) + 1) * 7 - 3) * DAY_S)


def next_month(now: float) -> float:
    """When the month of `now` ends."""
    year, month = divmod(month_of(day_of(now)) + 1, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC).timestamp()


def wait_for(limit: str, now: float) -> float:
    """How long until the calendar limit `limit` starts anew."""
    turn = next_day if limit.startswith("daily") else next_week if limit.startswith("weekly") else next_month
    return turn(now) - now
