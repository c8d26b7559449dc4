"""Log rows in Postgres: rows and rollups by one statement, so exactly once together.

Only rows that were not there before reach the rollups. Keys are upserted in order, so two writers cannot deadlock.
What Postgres refuses for good is found by halving and kept in `rejected_log_rows`; it never holds up the rest.
"""

from collections.abc import Sequence

import asyncpg

from gateway.db import Connection, DatabaseDown, connect, translated
from gateway.logsink.spooled import RowsUnavailable

_REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)

# JSON goes to the server as it lies in the spool: parsing it here would cost the event loop ten times as much.
# Scores are read as double precision, since `real` refuses probabilities below 1e-38; counts as less than the table
# holds, so that no single row can bring a rollup to its limit and with it every later row.
_INSERT = """
WITH raw AS (
    SELECT * FROM json_to_recordset($1::json) AS row (
        id uuid, at timestamptz, request_id text, user_id bigint, token_id bigint, task_id bigint, team_id bigint,
        endpoint text, model text, upstream_model text, provider text, status integer, error_code text, stream boolean,
        intent text, intent_confidence float8, deviation_score float8, misuse_score float8, misuse_label text,
        action text, flags text[], prompt_tokens integer, completion_tokens integer, total_tokens integer,
        cached_tokens integer, reasoning_tokens integer, cost_micros numeric(15), ttfb_ms float8, total_ms float8,
        overhead_ms float8, attempts integer)
), fresh AS (
    INSERT INTO request_logs (
        id, at, request_id, user_id, token_id, task_id, team_id, endpoint, model, upstream_model, provider, status,
        error_code, stream, intent, intent_confidence, deviation_score, misuse_score, misuse_label, action, flags,
        prompt_tokens, completion_tokens, total_tokens, cached_tokens, reasoning_tokens, cost_micros, ttfb_ms,
        total_ms, overhead_ms, attempts)
    SELECT id, at, request_id, user_id, token_id, task_id, team_id, endpoint, model, upstream_model, provider, status,
        error_code, coalesce(stream, false), intent,
        CASE WHEN abs(intent_confidence) < 1e-30 THEN 0 ELSE intent_confidence END,
        CASE WHEN abs(deviation_score) < 1e-30 THEN 0 ELSE deviation_score END,
        CASE WHEN abs(misuse_score) < 1e-30 THEN 0 ELSE misuse_score END,
        misuse_label, action, coalesce(flags, '{}'), coalesce(prompt_tokens, 0), coalesce(completion_tokens, 0),
        coalesce(total_tokens, 0), coalesce(cached_tokens, 0), coalesce(reasoning_tokens, 0), cost_micros,
        ttfb_ms, total_ms, overhead_ms, coalesce(attempts, 0)
    FROM raw
    ON CONFLICT DO NOTHING
    RETURNING at, coalesce(user_id, 0) AS user_id, coalesce(token_id, 0) AS token_id,
        coalesce(task_id, 0) AS task_id, team_id,
        CASE WHEN provider IS NULL THEN '' ELSE coalesce(model, '') END AS model, coalesce(intent, '') AS intent,
        (status >= 400)::int AS refused, prompt_tokens, completion_tokens, total_tokens, cost_micros,
        (cost_micros IS NULL AND total_tokens > 0)::int AS unpriced
), hourly AS (
    {hourly}
), daily AS (
    {daily}
), teams AS (
    {teams}
)
SELECT count(*) FROM fresh
"""

_ROLLUP = """INSERT INTO {table} AS kept (
        {key}, requests, refused, prompt_tokens, completion_tokens, total_tokens, cost_micros, unpriced)
    SELECT {of}, count(*), sum(refused), sum(prompt_tokens), sum(completion_tokens), sum(total_tokens),
        coalesce(sum(cost_micros), 0), sum(unpriced)
    FROM fresh {where} GROUP BY {places} ORDER BY {places}
    ON CONFLICT ({key}) DO UPDATE SET
        requests = kept.requests + excluded.requests,
        refused = kept.refused + excluded.refused,
        prompt_tokens = kept.prompt_tokens + excluded.prompt_tokens,
        completion_tokens = kept.completion_tokens + excluded.completion_tokens,
        total_tokens = kept.total_tokens + excluded.total_tokens,
        cost_micros = kept.cost_micros + excluded.cost_micros,
        unpriced = kept.unpriced + excluded.unpriced"""
_WHOSE = ("user_id", "token_id", "task_id", "model", "intent")
_HOUR, _DAY = "date_trunc('hour', at, 'UTC')", "(at AT TIME ZONE 'UTC')::date"


def _rollup(table: str, key: tuple[str, ...], of: tuple[str, ...], where: str = "") -> str:
    places = ", ".join(str(place) for place in range(1, len(key) + 1))
    return _ROLLUP.format(table=table, key=", ".join(key), of=", ".join(of), where=where, places=places)


_INSERT_ROWS = (
    _INSERT.replace("{hourly}", _rollup("usage_hourly", ("hour", *_WHOSE), (_HOUR, *_WHOSE)))
    .replace("{daily}", _rollup("usage_daily", ("day", *_WHOSE), (_DAY, *_WHOSE)))
    .replace(
        "{teams}",
        _rollup(
            "team_usage_daily", ("team_id", "day", "user_id"), ("team_id", _DAY, "user_id"), "WHERE team_id IS NOT NULL"
        ),
    )
)

# A crash between this and the commit of the spool repeats it, so it looks whether the line is there already.
_REJECT = """
INSERT INTO rejected_log_rows (error, line)
SELECT $1, $2 WHERE NOT EXISTS (
    SELECT FROM rejected_log_rows WHERE line = $2 AND id > (SELECT max(id) - 1000 FROM rejected_log_rows))
"""


class PostgresRows:
    """A RowStore with a connection of its own, opened when it is needed and after a failure anew."""

    def __init__(self, url: str, *, timeout_s: float = 15.0) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._connection: Connection | None = None

    async def insert(self, rows: bytes, damaged: Sequence[bytes]) -> int:
        try:
            connection = await self._connected()
            rejected = await _insert_or_halve(connection, rows)
            rejected += [("damaged in the spool", line.decode("latin-1")) for line in damaged]
            for error, line in rejected:
                with translated():
                    await connection.execute(_REJECT, error, line.replace("\0", "\\0"))
        except (DatabaseDown, asyncpg.PostgresError) as error:
            # Other errors of the server, a missing table above all, are mended by a person, not by losing rows.
            await self.close()
            raise RowsUnavailable(str(error)) from error
        return len(rejected)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._url, name="guardflow-logsink", timeout_s=self._timeout_s)
        return self._connection


async def _insert_or_halve(connection: Connection, rows: bytes) -> list[tuple[str, str]]:
    """Insert `rows`; return those that Postgres refuses even alone, each with its error."""
    if not rows:
        return []
    try:
        with translated():
            await connection.fetchval(_INSERT_ROWS, _json_array(rows))
    except _REFUSED as error:
        refusal = str(error)
    else:
        return []
    lines = rows.split(b"\n")
    if len(lines) == 1:
        return [(refusal, rows.decode(errors="replace"))]
    middle = len(lines) // 2
    first = await _insert_or_halve(connection, b"\n".join(lines[:middle]))
    return first + await _insert_or_halve(connection, b"\n".join(lines[middle:]))


def _json_array(rows: bytes) -> str:
    if b"\\u0000" in rows:  # a client's NUL, which text cannot hold
        rows = rows.replace(b"\\u0000", b"\\ufffd")
    return f"[{rows.decode(errors='replace')}]".replace("\n", ",")
