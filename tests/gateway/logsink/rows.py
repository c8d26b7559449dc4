"""Log rows to write, and what the database came to hold."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from gateway.logsink.base import LogRow
from gateway.logsink.postgres import PostgresRows
from gateway.logsink.spool import Spool
from gateway.logsink.spooled import SpooledLogSink


def make_row(**changes: Any) -> LogRow:
    return {
        "id": str(uuid.uuid4()),
        "at": "2026-11-22T10:30:00+00:00",
        "request_id": "req_1",
        "user_id": 1,
        "token_id": 2,
        "task_id": 1,
        "team_id": None,
        "endpoint": "chat/completions",
        "model": "fast",
        "upstream_model": "gpt-4o-mini",
        "provider": "openai",
        "status": 200,
        "error_code": None,
        "stream": True,
        "intent": "coding",
        "intent_confidence": 0.8,
        "deviation_score": None,
        "misuse_score": 0.01,
        "misuse_label": "none",
        "action": "allow",
        "flags": ["estimated"],
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "cached_tokens": 1,
        "reasoning_tokens": 2,
        "cost_micros": 7,
        "ttfb_ms": 120.5,
        "total_ms": 900.0,
        "overhead_ms": 0.4,
        "attempts": 1,
        **changes,
    }


@asynccontextmanager
async def running_sink(folder: Path, url: str, **options: Any) -> AsyncIterator[SpooledLogSink]:
    close_s = options.pop("close_s", 10)
    spool_options = {name: options.pop(name) for name in ("max_bytes", "segment_bytes") if name in options}
    sink = SpooledLogSink(Spool(folder, **spool_options), PostgresRows(url), interval_s=0.01, **options)
    await sink.start()
    try:
        yield sink
    finally:
        await sink.close(timeout_s=close_s)


async def until(condition: Callable[[], bool], *, within_s: float = 30.0) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


async def fetch(url: str, query: str, *args: Any) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(url)
    try:
        return [dict(record) for record in await connection.fetch(query, *args)]
    finally:
        await connection.close()


async def stored_ids(url: str) -> list[str]:
    return [str(row["id"]) for row in await fetch(url, "SELECT id FROM request_logs")]


async def assert_rollups_match(url: str) -> None:
    """Hourly and daily rollups hold exactly the sums of the rows, and those of teams the sums of teams' rows."""
    sums = """SELECT coalesce(sum({requests}), 0)::bigint, coalesce(sum(prompt_tokens), 0)::bigint,
        coalesce(sum(completion_tokens), 0)::bigint, coalesce(sum(total_tokens), 0)::bigint,
        coalesce(sum(cost_micros), 0)::bigint, coalesce(sum({unpriced}), 0)::bigint FROM {table}"""
    of_rows = {"requests": "1", "unpriced": "CASE WHEN cost_micros IS NULL AND total_tokens > 0 THEN 1 END"}
    of_rollup = {"requests": "requests", "unpriced": "unpriced"}
    truth = await fetch(url, sums.format(table="request_logs", **of_rows))
    assert await fetch(url, sums.format(table="usage_hourly", **of_rollup)) == truth
    assert await fetch(url, sums.format(table="usage_daily", **of_rollup)) == truth
    truth = await fetch(url, sums.format(table="request_logs WHERE team_id IS NOT NULL", **of_rows))
    assert await fetch(url, sums.format(table="team_usage_daily", **of_rollup)) == truth
