"""Partitions of the request log: made ahead of time, dropped when they are older than what is to be kept.

Every worker tries hourly and one, by an advisory lock, does it. Rows that came before their partition (a clock gone
wrong, maintenance that was late) lie in the default partition and are moved when theirs is made.
"""

import asyncio
import logging
import re
from datetime import UTC, date, datetime, timedelta

import asyncpg

from gateway.db import Connection, DatabaseDown, Pool, acquired
from gateway.tasks import spawn

logger = logging.getLogger("guardflow.retention")

_LOCK = 0x67665F7265740001
_EVERY_S = 3600.0
_LONG_S = 600.0
_MONTHLY = re.compile(r"request_logs_(\d{4})(\d{2})")
_PARTITIONS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'request_logs'::regclass ORDER BY c.relname
"""


class Retention:
    """Keeps rows for at least `days` (and at most a month longer); None keeps them for ever."""

    def __init__(self, pool: Pool, days: int | None) -> None:
        self._pool = pool
        self._days = days
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = spawn(self._maintain_for_ever(), name="retention")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def maintain(self, today: date) -> None:
        """Once, unless another worker is at it. `today` is a UTC date."""
        async with acquired(self._pool) as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                return
            # Behind a long-running reader a lock would hold up every writer too: rather try again in an hour.
            await connection.execute("SET statement_timeout = '10min'; SET lock_timeout = '2s'")
            try:
                for month in (first_of_month(today), first_of_month(today, later=1)):
                    await _ensure_partition(connection, month)
                if self._days is not None:
                    await _forget_before(connection, today - timedelta(days=self._days))
            finally:
                await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)

    async def _maintain_for_ever(self) -> None:
        while True:
            try:
                await self.maintain(datetime.now(UTC).date())
            except (DatabaseDown, asyncpg.PostgresError) as error:
                logger.warning("partitions of the request log were not maintained: %s", error)
            await asyncio.sleep(_EVERY_S)


def first_of_month(day: date, *, later: int = 0) -> date:
    month = day.year * 12 + day.month - 1 + later
    return date(month // 12, month % 12 + 1, 1)


def outdated(partitions: list[str], cutoff: date) -> list[str]:
    """The monthly partitions whose last day is before `cutoff`."""
    months = ((name, _MONTHLY.fullmatch(name)) for name in partitions)
    return [
        name
        for name, month in months
        if month and first_of_month(date(int(month[1]), int(month[2]), 1), later=1) <= cutoff
    ]


async def _ensure_partition(connection: Connection, month: date) -> None:
    try:
        await connection.execute("SELECT ensure_log_partition($1)", month)
    except asyncpg.CheckViolationError:
        await _make_room_and_ensure(connection, month)


async def _make_room_and_ensure(connection: Connection, month: date) -> None:
    """Postgres refuses a partition whose rows the default one holds: take them out and put them back."""
    start, end = (datetime(m.year, m.month, 1, tzinfo=UTC) for m in (month, first_of_month(month, later=1)))
    async with connection.transaction():
        await connection.execute("LOCK TABLE request_logs IN ACCESS EXCLUSIVE MODE")
        await connection.execute("CREATE TEMP TABLE moving (LIKE request_logs) ON COMMIT DROP")
        moved = await connection.execute(
            "WITH taken AS (DELETE FROM request_logs_default WHERE at >= $1 AND at < $2 RETURNING *)"
            " INSERT INTO moving SELECT * FROM taken",
            start,
            end,
            timeout=_LONG_S,
        )
        await connection.execute("SELECT ensure_log_partition($1)", month)
        await connection.execute("INSERT INTO request_logs SELECT * FROM moving", timeout=_LONG_S)
    logger.warning("%s rows moved to the new partition of %s", moved.split()[-1], month)


async def _forget_before(connection: Connection, cutoff: date) -> None:
    start = datetime(cutoff.year, cutoff.month, cutoff.day, tzinfo=UTC)
    names = [record["relname"] for record in await connection.fetch(_PARTITIONS)]
    for name in outdated(names, cutoff):
        await connection.execute(f"DROP TABLE {name}")
        logger.info("dropped %s, older than what is kept", name)
    await connection.execute("DELETE FROM request_logs_default WHERE at < $1", start, timeout=_LONG_S)
    await connection.execute("DELETE FROM rejected_log_rows WHERE at < $1", start, timeout=_LONG_S)
