"""The row store alone: exactly once, rollups with the rows, poison put aside."""

import asyncio
import time
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import orjson
import pytest

from gateway.logsink.base import COLUMNS
from gateway.logsink.postgres import PostgresRows
from gateway.logsink.spooled import RowsUnavailable
from tests.gateway.logsink.rows import assert_rollups_match, fetch, make_row, stored_ids


async def insert(url: str, *rows: dict[str, Any], damaged: tuple[bytes, ...] = ()) -> int:
    store = PostgresRows(url)
    try:
        return await store.insert(b"\n".join(orjson.dumps(row) for row in rows), damaged)
    finally:
        await store.close()


async def test_every_column_arrives_as_it_was_written(postgres_url: str) -> None:
    row = make_row(error_code="rate_limit_exceeded", deviation_score=0.25)
    await insert(postgres_url, row)
    (stored,) = await fetch(postgres_url, "SELECT * FROM request_logs")
    assert set(stored) == set(row) == set(COLUMNS)
    expected = {**row, "at": datetime(2026, 11, 22, 10, 30, tzinfo=UTC)}
    assert {**stored, "id": str(stored["id"])} == {
        key: pytest.approx(value, rel=1e-6) if isinstance(value, float) else value for key, value in expected.items()
    }


async def test_a_row_that_lacks_what_has_a_default_is_taken(postgres_url: str) -> None:
    full = make_row()
    needed = ("id", "at", "request_id", "endpoint", "status", "total_ms", "overhead_ms")
    await insert(postgres_url, {name: full[name] for name in needed})
    (stored,) = await fetch(postgres_url, "SELECT flags, stream, total_tokens, attempts FROM request_logs")
    assert stored == {"flags": [], "stream": False, "total_tokens": 0, "attempts": 0}
    await assert_rollups_match(postgres_url)


async def test_repeated_rows_count_once_within_a_batch_and_between_batches(postgres_url: str) -> None:
    one, other = make_row(), make_row()
    assert await insert(postgres_url, one, one) == 0
    assert await insert(postgres_url, one, other) == 0
    assert sorted(await stored_ids(postgres_url)) == sorted([one["id"], other["id"]])
    await assert_rollups_match(postgres_url)


async def test_what_teams_used_is_kept_by_day_and_member_and_unknown_prices_are_counted(postgres_url: str) -> None:
    await insert(
        postgres_url,
        make_row(team_id=5, user_id=1, cost_micros=None),
        make_row(team_id=5, user_id=1, cost_micros=0),
        make_row(team_id=5, user_id=2, at="2026-11-23T10:30:00+00:00"),
        make_row(team_id=6, user_id=2, cost_micros=None, total_tokens=0),
        make_row(user_id=1, cost_micros=None),
    )
    kept = await fetch(
        postgres_url,
        "SELECT team_id, day, user_id, requests, total_tokens, cost_micros, unpriced"
        " FROM team_usage_daily ORDER BY 1, 2",
    )
    assert [tuple(row.values()) for row in kept] == [
        (5, date(2026, 11, 22), 1, 2, 30, 0, 1),
        (5, date(2026, 11, 23), 2, 1, 15, 7, 0),
        (6, date(2026, 11, 22), 2, 1, 0, 0, 0),
    ]
    await assert_rollups_match(postgres_url)


async def test_rollups_are_kept_by_utc_hour_and_day_user_token_task_model_and_intent(postgres_url: str) -> None:
    await insert(
        postgres_url,
        make_row(at="2026-11-22T23:59:59.999+00:00"),
        make_row(at="2026-11-23T00:30:00+05:30"),
        make_row(at="2026-11-23T00:00:00+00:00", status=429),
        make_row(intent="summary", cost_micros=None),
    )
    daily = await fetch(
        postgres_url,
        "SELECT day, intent, requests, refused, cost_micros FROM usage_daily ORDER BY day, intent",
    )
    assert [tuple(row.values()) for row in daily] == [
        (date(2026, 11, 22), "coding", 2, 0, 14),
        (date(2026, 11, 22), "summary", 1, 0, 0),
        (date(2026, 11, 23), "coding", 1, 1, 7),
    ]
    hours = await fetch(postgres_url, "SELECT hour, requests FROM usage_hourly WHERE intent = 'coding' ORDER BY hour")
    assert [(row["hour"].isoformat(), row["requests"]) for row in hours] == [
        ("2026-11-22T19:00:00+00:00", 1),
        ("2026-11-22T23:00:00+00:00", 1),
        ("2026-11-23T00:00:00+00:00", 1),
    ]


async def test_names_nobody_serves_do_not_grow_the_rollups(postgres_url: str) -> None:
    rows = [make_row(model=f"made-up-{n}", provider=None, status=404, intent=None) for n in range(20)]
    await insert(postgres_url, *rows)
    (rollup,) = await fetch(postgres_url, "SELECT model, intent, requests, refused FROM usage_daily")
    assert rollup == {"model": "", "intent": "", "requests": 20, "refused": 20}


async def test_a_call_of_nobody_is_logged_and_counted_under_user_0(postgres_url: str) -> None:
    await insert(postgres_url, make_row(user_id=None, token_id=None, task_id=None, status=401))
    (row,) = await fetch(postgres_url, "SELECT user_id FROM request_logs")
    assert row["user_id"] is None
    (rollup,) = await fetch(postgres_url, "SELECT user_id, token_id, task_id FROM usage_hourly")
    assert rollup == {"user_id": 0, "token_id": 0, "task_id": 0}


async def test_poison_is_put_aside_whole_and_the_rest_gets_in(postgres_url: str) -> None:
    good = [make_row() for _ in range(20)]
    bad = [make_row(status=1 << 40), make_row(at="yesterday-ish"), make_row(endpoint=None), {"id": "x"}]
    mixed = good[:7] + bad[:2] + good[7:] + bad[2:]
    assert await insert(postgres_url, *mixed) == 4
    assert sorted(await stored_ids(postgres_url)) == sorted(row["id"] for row in good)
    rejected = await fetch(postgres_url, "SELECT line, error FROM rejected_log_rows ORDER BY id")
    assert [orjson.loads(row["line"]) for row in rejected] == bad
    assert all(row["error"] for row in rejected)
    await assert_rollups_match(postgres_url)


async def test_an_absurd_count_cannot_fill_a_rollup_up(postgres_url: str) -> None:
    assert await insert(postgres_url, make_row(prompt_tokens=(1 << 63) - 1), make_row(cost_micros=10**17)) == 2
    assert await insert(postgres_url, make_row()) == 0


async def test_poison_that_comes_again_after_a_crash_is_kept_once(postgres_url: str) -> None:
    bad = make_row(status=1 << 40)
    assert await insert(postgres_url, bad) == 1
    assert await insert(postgres_url, bad, damaged=(b"\0\xff",)) == 2
    lines = [row["line"] for row in await fetch(postgres_url, "SELECT line FROM rejected_log_rows ORDER BY id")]
    assert lines == [orjson.dumps(bad).decode(), "\\0ÿ"]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "nul\0byte", "provider": None},
        {"misuse_score": 1e-60, "intent_confidence": 5e-324},
        {"prompt_tokens": (1 << 31) - 1, "cost_micros": 10**14},
        {"model": "m\\u0000", "provider": None},
        {"model": "„ünïcode“ \U0001f600"},
    ],
)
async def test_odd_but_possible_values_are_no_poison(postgres_url: str, changes: dict[str, Any]) -> None:
    assert await insert(postgres_url, make_row(**changes)) == 0
    assert len(await stored_ids(postgres_url)) == 1


async def test_writers_that_share_every_rollup_key_do_not_deadlock(postgres_url: str) -> None:
    batches = [
        [make_row(user_id=(n * step) % 17, token_id=(n * step) % 5) for n in range(100)]
        for step in (1, 3, 5, 7, 11, 13)
    ]
    assert await asyncio.gather(*(insert(postgres_url, *batch) for batch in batches)) == [0] * 6
    assert len(await stored_ids(postgres_url)) == 600
    await assert_rollups_match(postgres_url)


async def test_a_missing_table_holds_rows_back_rather_than_condemn_them(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("ALTER TABLE usage_daily RENAME TO elsewhere")
    with pytest.raises(RowsUnavailable, match="usage_daily"):
        await insert(postgres_url, make_row())
    await connection.execute("ALTER TABLE elsewhere RENAME TO usage_daily")
    await connection.close()
    assert await insert(postgres_url, make_row()) == 0


async def test_a_database_that_is_not_there_is_said_to_be_so(tmp_path: object) -> None:
    with pytest.raises(RowsUnavailable):
        await insert(f"postgresql://postgres@/none?host={tmp_path}", make_row())


async def test_a_statement_that_hangs_is_given_up(postgres_url: str) -> None:
    locker = await asyncpg.connect(postgres_url)
    transaction = locker.transaction()
    await transaction.start()
    await locker.execute("LOCK TABLE request_logs IN ACCESS EXCLUSIVE MODE")
    store = PostgresRows(postgres_url, timeout_s=0.2)
    started = time.monotonic()
    with pytest.raises(RowsUnavailable):
        await store.insert(orjson.dumps(make_row()), [])
    assert time.monotonic() - started < 2
    await transaction.rollback()
    await locker.close()
    assert await store.insert(orjson.dumps(make_row()), []) == 0
    await store.close()
