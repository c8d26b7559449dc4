import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import asyncpg
import orjson
import pytest

from gateway.db import DatabaseDown, Pool, connect_pool
from gateway.logsink.postgres import PostgresRows
from gateway.retention.postgres import Retention, first_of_month, outdated
from tests.gateway.logsink.rows import fetch, make_row

PARTITIONS = """SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'request_logs'::regclass ORDER BY 1"""


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    pool = await connect_pool(postgres_url)
    yield pool
    await pool.close()


async def store(url: str, *times: str) -> None:
    rows = PostgresRows(url)
    assert await rows.insert(b"\n".join(orjson.dumps(make_row(at=at)) for at in times), []) == 0
    await rows.close()


async def partitions(url: str) -> set[str]:
    return {row["name"].removeprefix("request_logs_") for row in await fetch(url, PARTITIONS)}


@pytest.mark.parametrize(
    ("day", "later", "first"),
    [
        (date(2026, 1, 31), 0, date(2026, 1, 1)),
        (date(2026, 1, 31), 1, date(2026, 2, 1)),
        (date(2026, 12, 5), 1, date(2027, 1, 1)),
    ],
)
def test_months_run_on_over_the_year(day: date, later: int, first: date) -> None:
    assert first_of_month(day, later=later) == first


def test_a_month_is_outdated_when_its_last_day_is() -> None:
    names = ["request_logs_202511", "request_logs_202512", "request_logs_default", "request_logs_2025"]
    assert outdated(names, date(2025, 12, 31)) == ["request_logs_202511"]
    assert outdated(names, date(2026, 1, 1)) == ["request_logs_202511", "request_logs_202512"]


async def test_this_month_and_the_next_are_ready_and_old_ones_go(postgres_url: str, pool: Pool) -> None:
    before = await partitions(postgres_url)
    await Retention(pool, days=None).maintain(date(2031, 11, 20))
    assert await partitions(postgres_url) == before | {"203111", "203112"}
    await store(postgres_url, "2031-11-21T00:00:00Z", "2031-12-31T23:59:59Z")
    await Retention(pool, days=30).maintain(date(2032, 1, 10))
    assert await partitions(postgres_url) == {"default", "203112", "203201", "203202"}
    assert len(await fetch(postgres_url, "SELECT 1 FROM request_logs")) == 1


async def test_rollups_outlive_the_rows(postgres_url: str, pool: Pool) -> None:
    await store(postgres_url, "2020-01-01T00:00:00Z")
    await Retention(pool, days=30).maintain(datetime.now(UTC).date())
    assert await fetch(postgres_url, "SELECT 1 FROM request_logs") == []
    assert len(await fetch(postgres_url, "SELECT 1 FROM usage_daily")) == 1


async def test_rows_that_came_before_their_partition_are_moved_into_it(postgres_url: str, pool: Pool) -> None:
    await store(postgres_url, "2041-03-05T00:00:00Z", "2041-05-05T00:00:00Z")
    await Retention(pool, days=None).maintain(date(2041, 3, 1))
    assert len(await fetch(postgres_url, "SELECT 1 FROM request_logs_204103")) == 1
    assert len(await fetch(postgres_url, "SELECT 1 FROM request_logs_default")) == 1


async def test_rejected_rows_are_not_kept_longer_than_others(postgres_url: str, pool: Pool) -> None:
    await fetch(
        postgres_url,
        "INSERT INTO rejected_log_rows (at, error, line) VALUES ('2020-01-01', 'e', 'old'), (now(), 'e', 'new')",
    )
    await Retention(pool, days=30).maintain(datetime.now(UTC).date())
    assert [row["line"] for row in await fetch(postgres_url, "SELECT line FROM rejected_log_rows")] == ["new"]


async def test_many_workers_at_once_do_it_once(postgres_url: str, pool: Pool) -> None:
    await asyncio.gather(*(Retention(pool, days=30).maintain(date(2031, 11, 20)) for _ in range(8)))
    assert {"203111", "203112"} <= await partitions(postgres_url)
    assert await fetch(postgres_url, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'") == []


@pytest.mark.slow
async def test_a_reader_at_work_puts_the_drop_off_and_holds_writers_up_for_two_seconds_at_most(
    postgres_url: str, pool: Pool
) -> None:
    retention = Retention(pool, days=30)
    await Retention(pool, days=None).maintain(date(2021, 1, 1))
    reader = await asyncpg.connect(postgres_url)
    transaction = reader.transaction()
    await transaction.start()
    await reader.fetch("SELECT * FROM request_logs_202101")
    dropping = asyncio.create_task(retention.maintain(date(2031, 11, 20)))
    await asyncio.sleep(0.1)
    await asyncio.wait_for(store(postgres_url, "2031-11-20T00:00:00Z"), 4)
    with pytest.raises(DatabaseDown, match="LockNotAvailable"):
        await dropping
    await transaction.rollback()
    await reader.close()
    await retention.maintain(date(2031, 11, 20))
    assert "202101" not in await partitions(postgres_url)
