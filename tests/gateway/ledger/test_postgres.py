from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from gateway.db import DatabaseDown, connect_pool
from gateway.ledger.postgres import PostgresLedger
from gateway.logsink.postgres import PostgresRows
from gateway.quota.base import Spent
from tests.gateway.logsink.rows import fetch, make_row

NOW = datetime.now(UTC)
THIS_MONTH = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


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
        make_row(at=(THIS_MONTH - timedelta(seconds=1)).isoformat(), user_id=1, token_id=10, total_tokens=9999),
    )
    assert refused == 0
    pool = await connect_pool(postgres_url)
    ledger = PostgresLedger(pool)
    first = 3 if NOW.day == 1 else 0
    assert await ledger.spent(1, None) == Spent(120 + first, 123, 6)
    assert await ledger.spent(1, 10) == Spent(100 + first, 103, 6)
    assert await ledger.spent(1, 11) == Spent(20, 20, 0)
    assert await ledger.spent(9, None) == Spent()
    await pool.close()


async def test_what_was_refused_is_not_spent(postgres_url: str) -> None:
    assert await store(postgres_url, make_row(at=NOW.isoformat(), status=1 << 40)) == 1
    pool = await connect_pool(postgres_url)
    assert await PostgresLedger(pool).spent(1, None) == Spent()
    await pool.close()
    assert len(await fetch(postgres_url, "SELECT 1 FROM rejected_log_rows")) == 1


async def test_a_ledger_that_cannot_answer_says_so_and_never_zero(tmp_path: Path) -> None:
    pool = await connect_pool(f"postgresql://postgres@/none?host={tmp_path}")
    with pytest.raises(DatabaseDown):
        await PostgresLedger(pool).spent(1, None)
    await pool.close()
