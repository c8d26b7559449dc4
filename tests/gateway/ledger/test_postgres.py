from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from gateway.db import DatabaseDown, connect_pool
from gateway.exchange import UNLIMITED
from gateway.ledger.postgres import PostgresLedger
from gateway.logsink.postgres import PostgresRows
from gateway.quota.base import Scope, Spent, task_scope, team_scope
from tests.gateway.logsink.rows import fetch, make_row

NOW = datetime.now(UTC)
THIS_MONTH = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def of(user_id: int, token_id: int | None = None) -> Scope:
    return Scope(user_id, token_id, UNLIMITED)


async def store(url: str, *rows: dict[str, object]) -> int:
    """Returns how many were refused."""
    rows_store = PostgresRows(url)
    refused = await rows_store.insert(b"\n".join(orjson.dumps(row) for row in rows), [])
    await rows_store.close()
    return refused


async def test_what_a_user_and_each_token_spent_this_day_and_month(postgres_url: str) -> None:
    now = NOW.isoformat()
    refused = await store(
        postgres_url,
        make_row(at=now, user_id=1, token_id=10, total_tokens=100, cost_micros=5),
        make_row(at=now, user_id=1, token_id=11, total_tokens=20, cost_micros=None, model="other"),
        make_row(at=now, user_id=2, token_id=12, total_tokens=4000),
        make_row(at=THIS_MONTH.isoformat(), user_id=1, token_id=10, total_tokens=3, cost_micros=1),
        make_row(
            at=(THIS_MONTH - timedelta(seconds=1)).isoformat(), user_id=1, token_id=10, total_tokens=9999, cost_micros=9
        ),
    )
    assert refused == 0
    pool = await connect_pool(postgres_url)
    ledger = PostgresLedger(pool)
    today = NOW.day == 1
    first, cost = (3, 6) if today else (0, 5)
    week = 6 if NOW.day <= NOW.isoweekday() else 5
    last = 9 if NOW.day < NOW.isoweekday() else 0  # the month before this one ended in this week
    assert await ledger.spent(of(1)) == Spent(120 + first, 123, 6, cost, week + last)
    assert await ledger.spent(of(1, 10)) == Spent(100 + first, 103, 6, cost, week + last)
    assert await ledger.spent(of(1, 11)) == Spent(20, 20, 0)
    assert await ledger.spent(of(9)) == Spent()
    await pool.close()


async def test_what_a_team_spent_is_what_was_charged_to_it_whoever_is_in_it_now(postgres_url: str) -> None:
    now = NOW.isoformat()
    await store(
        postgres_url,
        make_row(at=now, user_id=1, team_id=5, total_tokens=100, cost_micros=5),
        make_row(at=now, user_id=2, team_id=5, total_tokens=10, cost_micros=6),
        make_row(at=now, user_id=2, team_id=None, total_tokens=1000, cost_micros=1000),
        make_row(at=now, user_id=3, team_id=6, total_tokens=1000, cost_micros=1000),
    )
    pool = await connect_pool(postgres_url)
    assert await PostgresLedger(pool).spent(team_scope(5, UNLIMITED)) == Spent(110, 110, 11, 11, 11)
    assert await PostgresLedger(pool).spent(team_scope(7, UNLIMITED)) == Spent()
    await pool.close()


async def test_what_a_task_cost_is_what_everyone_spent_on_it(postgres_url: str) -> None:
    now = NOW.isoformat()
    await store(
        postgres_url,
        make_row(at=now, user_id=1, task_id=5, total_tokens=100, cost_micros=5),
        make_row(at=now, user_id=2, task_id=5, total_tokens=10, cost_micros=6),
        make_row(at=now, user_id=2, task_id=6, total_tokens=10, cost_micros=600),
    )
    pool = await connect_pool(postgres_url)
    assert await PostgresLedger(pool).spent(task_scope(5, UNLIMITED)) == Spent(110, 110, 11, 11, 11)
    await pool.close()


async def test_what_was_refused_is_not_spent(postgres_url: str) -> None:
    assert await store(postgres_url, make_row(at=NOW.isoformat(), status=1 << 40)) == 1
    pool = await connect_pool(postgres_url)
    assert await PostgresLedger(pool).spent(of(1)) == Spent()
    await pool.close()
    assert len(await fetch(postgres_url, "SELECT 1 FROM rejected_log_rows")) == 1


async def test_a_ledger_that_cannot_answer_says_so_and_never_zero(tmp_path: Path) -> None:
    pool = await connect_pool(f"postgresql://postgres@/none?host={tmp_path}")
    with pytest.raises(DatabaseDown):
        await PostgresLedger(pool).spent(of(1))
    await pool.close()
