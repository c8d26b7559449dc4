"""What the gateway put on record, read from its database."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg

import migrations

CONNECTED_WITHIN_S = 30.0
VISIBLE_WITHIN_S = 10.0
"""Promised are two seconds; a busy test machine gets more."""


class LedgerReader:
    """Blocks; may be used beside a running loop all the same."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url

    def fetch(self, statement: str, *values: object) -> list[dict[str, Any]]:
        async def run() -> list[dict[str, Any]]:
            connection = await _connect(self._url)
            try:
                return [dict(record) for record in await connection.fetch(statement, *values)]
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: migrations.run_alone(run())).result()

    def rows(self, user_id: int, *, at_least: int = 0) -> list[dict[str, Any]]:
        """The user's log rows, oldest first, once there are `at_least` so many."""
        statement = "SELECT * FROM request_logs WHERE user_id = $1 ORDER BY at, id"
        end = time.monotonic() + VISIBLE_WITHIN_S
        while len(found := self.fetch(statement, user_id)) < at_least and time.monotonic() < end:
            time.sleep(0.05)
        return found

    def row(self, request_id: str | None) -> dict[str, Any]:
        """The one row of a request."""
        end = time.monotonic() + VISIBLE_WITHIN_S
        while True:
            found = self.fetch("SELECT * FROM request_logs WHERE request_id = $1", request_id)
            if found or time.monotonic() > end:
                assert len(found) == 1, f"{len(found)} rows of {request_id}"
                return found[0]
            time.sleep(0.05)

    def usage(self, user_id: int) -> dict[str, Any]:
        """The sums of the daily rollup."""
        return self.fetch(
            """SELECT coalesce(sum(requests), 0)::int AS requests, coalesce(sum(refused), 0)::int AS refused,
               coalesce(sum(prompt_tokens), 0)::int AS prompt_tokens,
               coalesce(sum(completion_tokens), 0)::int AS completion_tokens,
               coalesce(sum(total_tokens), 0)::int AS total_tokens FROM usage_daily WHERE user_id = $1""",
            user_id,
        )[0]


async def _connect(url: str) -> asyncpg.Connection:
    """A server that was just killed may still be starting."""
    async with asyncio.timeout(CONNECTED_WITHIN_S):
        while True:
            try:
                return await asyncpg.connect(url)
            except (asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError, OSError):
                await asyncio.sleep(0.1)
