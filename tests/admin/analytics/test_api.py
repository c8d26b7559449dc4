"""Usage in groups, from the rollups."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from admin.analytics.api import span_of
from admin.analytics.types import GroupBy, UsageQuery
from tests.admin.conftest import Api, People

TODAY = datetime.now(UTC).date()
KEYS = ("user_id", "token_id", "task_id", "model", "intent")


async def spend(people: People, day: date, hour: int, tokens: int, **keys: Any) -> None:
    key = {"user_id": 0, "token_id": 0, "task_id": 0, "model": "", "intent": "", **keys}
    moment = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    sums = (2, 1, tokens, tokens, 2 * tokens, 10 * tokens, 1)
    async with people.pool.acquire() as conn:
        for table, when in (("usage_daily", day), ("usage_hourly", moment)):
            await conn.execute(
                f"INSERT INTO {table} VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
                when,
                *(key[name] for name in KEYS),
                *sums,
            )


@pytest.fixture
async def spent(people: People) -> int:
    """Two users, two models, two days. The id of the first user."""
    user_id = await people.add("user", "ada@example.com")
    await spend(people, TODAY, 1, 100, user_id=user_id, model="fast", intent="math", task_id=1)
    await spend(people, TODAY, 2, 1, model="slow")
    await spend(people, TODAY - timedelta(days=1), 3, 10, user_id=user_id, model="slow", intent="math", token_id=7)
    await spend(people, TODAY - timedelta(days=40), 0, 1000, user_id=user_id, model="fast")
    return user_id


async def test_days_in_order_with_totals_of_the_last_thirty(api: Api, spent: int) -> None:
    report = await api.get("/analytics/usage")
    assert [(row["day"], row["total_tokens"]) for row in report["data"]] == [
        (str(TODAY - timedelta(days=1)), 20),
        (str(TODAY), 202),
    ]
    assert report["totals"] == {
        "requests": 6,
        "refused": 3,
        "prompt_tokens": 111,
        "completion_tokens": 111,
        "total_tokens": 222,
        "cost_micros": 1110,
        "unpriced": 3,
    }
    assert report["group_by"] == "day"
    assert report["from"] < report["to"]
    assert report["has_more"] is False
    assert set(report["data"][0]) == {"day", *report["totals"]}


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("model", [({"model": "fast"}, 200), ({"model": "slow"}, 22)]),
        ("intent", [({"intent": "math"}, 220), ({"intent": None}, 2)]),
        ("task", [({"task_id": 1, "task": "general"}, 200), ({"task_id": None, "task": None}, 22)]),
    ],
)
async def test_groups_come_largest_first_and_none_is_null(
    api: Api, spent: int, group: str, expected: list[tuple[dict[str, Any], int]]
) -> None:
    report = await api.get(f"/analytics/usage?group_by={group}")
    sums = set(report["totals"])
    found = [({k: v for k, v in row.items() if k not in sums}, row["total_tokens"]) for row in report["data"]]
    assert found == expected


async def test_users_come_with_their_address_and_the_rest_is_counted(api: Api, spent: int) -> None:
    report = await api.get("/analytics/usage?group_by=user&limit=1")
    assert [(row["user_id"], row["email"]) for row in report["data"]] == [(spent, "ada@example.com")]
    assert report["has_more"] is True
    assert report["totals"]["total_tokens"] == 222


async def test_hours_and_parts_of_days_are_summed_from_hours(api: Api, spent: int) -> None:
    day = {"from": f"{TODAY}T00:00:00Z", "to": f"{TODAY}T02:00:00Z"}
    hours = await api.get("/analytics/usage", params={"group_by": "hour", **day})
    assert [(row["hour"], row["total_tokens"]) for row in hours["data"]] == [(f"{TODAY}T01:00:00Z", 200)]
    for group in ("day", "model", "user", "task"):
        report = await api.get("/analytics/usage", params={"group_by": group, **day})
        assert report["totals"]["total_tokens"] == 200, group
        assert [row["total_tokens"] for row in report["data"]] == [200]


async def test_filters_hold_for_groups_and_totals(api: Api, spent: int) -> None:
    for params, tokens in (
        ({"user_id": str(spent)}, 220),
        ({"model": "slow"}, 22),
        ({"intent": "math"}, 220),
        ({"task_id": "1"}, 200),
        ({"token_id": "7"}, 20),
        ({"from": str(TODAY - timedelta(days=41))}, 2222),
        ({"to": str(TODAY)}, 20),
        ({"model": "%"}, 0),
    ):
        report = await api.get("/analytics/usage", params=params)
        assert report["totals"]["total_tokens"] == tokens, params
        assert sum(row["total_tokens"] for row in report["data"]) == tokens, params


async def test_what_can_t_be_grouped_or_ends_before_it_begins_is_refused(api: Api) -> None:
    for query in ("group_by=moon", "from=2026-02-01&to=2026-01-01", "group_by=day;--", "limit=x"):
        await api.get(f"/analytics/usage?{query}", 422)


def test_a_span_that_was_left_out_is_whole_days_or_hours() -> None:
    now = datetime(2026, 11, 22, 13, 45, tzinfo=UTC)
    span = span_of(UsageQuery(), now)
    assert (span.since, span.until) == (datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC))
    assert span.whole_days
    span = span_of(UsageQuery(group_by=GroupBy.HOUR), now)
    assert (span.since, span.until) == (
        datetime(2026, 11, 20, 14, tzinfo=UTC),
        datetime(2026, 11, 22, 14, tzinfo=UTC),
    )
