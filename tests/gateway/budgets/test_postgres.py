"""A budget that is reached is told of, once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from gateway.budgets.postgres import BudgetAlerts
from gateway.db import Pool, connect_pool
from gateway.exchange import UNLIMITED, Limits
from gateway.logsink.postgres import PostgresRows
from tests.gateway.logsink.rows import fetch, make_row
from tests.gateway.tokens.people import add_token, add_user

NOW = datetime.now(UTC)
ALERTS = "SELECT owner, owner_id, period, level, budget_micros, spent_micros FROM budget_alerts ORDER BY id"


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    pool = await connect_pool(postgres_url)
    yield pool
    await pool.close()


class Told:
    """What was told of, and the one that tells."""

    def __init__(self, pool: Pool, **defaults: int) -> None:
        self.alerts: list[tuple[str, str]] = []
        limits = Limits(**defaults) if defaults else UNLIMITED
        self.look = BudgetAlerts(pool, lambda: limits, lambda *alert: self.alerts.append(alert)).look


async def spend(url: str, micros: int, **keys: Any) -> None:
    rows = PostgresRows(url)
    row = make_row(at=NOW.isoformat(), cost_micros=micros, **keys)
    assert await rows.insert(orjson.dumps(row), []) == 0
    await rows.close()


async def raised(url: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in await fetch(url, ALERTS)]


async def a_user(pool: Pool, **budgets: int) -> tuple[int, int]:
    """The numbers of a user with budgets, and of a token of theirs."""
    async with pool.acquire() as connection:
        user_id = await add_user(connection)
        token_id, _ = await add_token(connection, user_id)
        await connection.execute("INSERT INTO quotas (user_id) VALUES ($1)", user_id)
        for column, micros in budgets.items():
            await connection.execute(f"UPDATE quotas SET {column} = $1", micros)
    return user_id, token_id


async def test_a_soft_budget_is_told_of_when_it_is_reached_and_then_no_more(pool: Pool, postgres_url: str) -> None:
    user_id, _ = await a_user(pool, soft_daily_budget_micros=100, daily_budget_micros=120)
    told = Told(pool)
    await spend(postgres_url, 99, user_id=user_id)
    assert await told.look() == 0
    await spend(postgres_url, 1, user_id=user_id)
    assert await told.look() == 1
    assert await told.look() == 0
    await spend(postgres_url, 30, user_id=user_id)
    assert await told.look() == 1
    assert told.alerts == [("user", "soft"), ("user", "hard")]
    assert await raised(postgres_url) == [
        ("user", user_id, "day", "soft", 100, 100),
        ("user", user_id, "day", "hard", 120, 130),
    ]


async def test_a_budget_that_was_raised_is_told_of_again(pool: Pool, postgres_url: str) -> None:
    user_id, _ = await a_user(pool, soft_monthly_budget_micros=10)
    told = Told(pool)
    await spend(postgres_url, 25, user_id=user_id)
    await told.look()
    await pool.execute("UPDATE quotas SET soft_monthly_budget_micros = 20")
    await told.look()
    assert [alert[4] for alert in await raised(postgres_url)] == [10, 20]


async def test_each_period_counts_from_its_first_day(pool: Pool, postgres_url: str) -> None:
    user_id, _ = await a_user(
        pool, soft_daily_budget_micros=50, soft_weekly_budget_micros=50, soft_monthly_budget_micros=50
    )
    today = NOW.date()
    for day, micros in ((today - timedelta(days=today.weekday() + 1), 1000), (today - timedelta(days=32), 10_000)):
        await pool.execute(
            "INSERT INTO usage_daily VALUES ($1, $2, 0, 0, '', '', 1, 0, 1, 1, 2, $3, 0)", day, user_id, micros
        )
    await spend(postgres_url, 7, user_id=user_id)
    await Told(pool).look()
    last_week_is_of_this_month = (today - timedelta(days=today.weekday() + 1)).month == today.month
    expected = [("user", user_id, "month", "soft", 50, 1007)] if last_week_is_of_this_month else []
    assert await raised(postgres_url) == expected


async def test_tokens_teams_and_tasks_have_budgets_of_their_own(pool: Pool, postgres_url: str) -> None:
    user_id, token_id = await a_user(pool)
    team_id = await pool.fetchval("INSERT INTO teams (name, weekly_budget_micros) VALUES ('a', 40) RETURNING id")
    await pool.execute("UPDATE api_tokens SET soft_weekly_budget_micros = 30")
    await pool.execute("UPDATE tasks SET monthly_budget_micros = 80")
    await spend(postgres_url, 35, user_id=user_id, token_id=token_id)
    await spend(postgres_url, 45, user_id=user_id, token_id=token_id + 1, team_id=team_id)
    told = Told(pool)
    assert await told.look() == 3
    assert await raised(postgres_url) == [
        ("task", 1, "month", "hard", 80, 80),
        ("team", team_id, "week", "hard", 40, 45),
        ("token", token_id, "week", "soft", 30, 35),
    ]


async def test_everyone_s_budget_counts_for_users_without_their_own(pool: Pool, postgres_url: str) -> None:
    user_id, _ = await a_user(pool)
    await spend(postgres_url, 60, user_id=user_id)
    assert await Told(pool, monthly_budget_micros=60).look() == 1
    await pool.execute("UPDATE quotas SET monthly_budget_micros = 1000")
    assert await Told(pool, monthly_budget_micros=59).look() == 0


async def test_who_spent_nothing_is_not_told_of(pool: Pool, postgres_url: str) -> None:
    user_id, _ = await a_user(pool, daily_budget_micros=0)
    await spend(postgres_url, 0, user_id=user_id)
    assert await Told(pool).look() == 0


async def test_one_worker_at_a_time_looks(pool: Pool, postgres_url: str) -> None:
    user_id, _ = await a_user(pool, daily_budget_micros=1)
    await spend(postgres_url, 5, user_id=user_id)
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock($1)", 0x67665F6275640001)
        assert await Told(pool).look() == 0
    assert await Told(pool).look() == 1
