"""Reading the request log, newest first by (at, id), which an index gives in this order."""

from datetime import datetime
from uuid import UUID

from admin.logs.types import LogQuery, LogRow
from admin.paging import decode
from admin.store import Where
from gateway.db import Connection

_SELECT = f"SELECT {', '.join(LogRow.model_fields)} FROM request_logs"  # noqa: S608 - our own names
_FILTERS = {
    "user_id = {}": "user_id",
    "token_id = {}": "token_id",
    "task_id = {}": "task_id",
    "team_id = {}": "team_id",
    "model = {}": "model",
    "status = {}": "status",
    "intent = {}": "intent",
    "request_id = {}": "request_id",
    "misuse_score >= {}::real": "min_misuse",
    "at >= {}": "since",
    "at < {}": "until",
}


async def find(conn: Connection, query: LogQuery) -> list[LogRow]:
    where = Where()
    for condition, name in _FILTERS.items():
        where.add(condition, getattr(query, name))
    if key := decode(query.cursor, datetime, UUID):
        where.add("(at, id) < ({}, {})", *key)
    tail = f" ORDER BY at DESC, id DESC LIMIT {query.limit + 1}"
    return [LogRow(**row) for row in await conn.fetch(_SELECT + where.sql() + tail, *where.values)]
