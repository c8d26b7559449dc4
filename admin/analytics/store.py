"""Sums over the rollups. Days where whole days are asked for, hours where not."""

from dataclasses import dataclass
from datetime import UTC, datetime, time

from admin.analytics.types import GroupBy, Totals, UsageQuery, UsageRow
from admin.store import Where
from gateway.db import Connection

_SUMS = ", ".join(f"coalesce(sum(u.{name}), 0)::bigint AS {name}" for name in Totals.model_fields)


@dataclass(frozen=True, slots=True)
class _Grouping:
    columns: str
    by: str
    join: str = ""
    order: str = "total_tokens DESC, requests DESC, 1"


_GROUPINGS = {
    GroupBy.DAY: _Grouping("u.day", "1", order="1"),
    GroupBy.HOUR: _Grouping("u.hour", "1", order="1"),
    GroupBy.USER: _Grouping(
        "nullif(u.user_id, 0) AS user_id, g.email", "1, 2", "LEFT JOIN users g ON g.id = u.user_id"
    ),
    GroupBy.MODEL: _Grouping("nullif(u.model, '') AS model", "1"),
    GroupBy.INTENT: _Grouping("nullif(u.intent, '') AS intent", "1"),
    GroupBy.TASK: _Grouping(
        "nullif(u.task_id, 0) AS task_id, g.name AS task", "1, 2", "LEFT JOIN tasks g ON g.id = u.task_id"
    ),
}
_FILTERS = ("user_id", "token_id", "task_id", "model", "intent")


@dataclass(frozen=True, slots=True)
class Span:
    since: datetime
    until: datetime

    @property
    def whole_days(self) -> bool:
        return all(moment.astimezone(UTC).time() == time.min for moment in (self.since, self.until))


async def totals(conn: Connection, query: UsageQuery, span: Span) -> Totals:
    source, where = _source(query, span)
    return Totals(**await conn.fetchrow("SELECT " + _SUMS + source + where.sql(), *where.values))


async def groups(conn: Connection, query: UsageQuery, span: Span) -> list[UsageRow]:
    """Up to one more than the limit."""
    grouping = _GROUPINGS[query.group_by]
    source, where = _source(query, span)
    head = "SELECT " + grouping.columns + ", " + _SUMS + source + grouping.join + where.sql()
    tail = f" GROUP BY {grouping.by} ORDER BY {grouping.order} LIMIT {query.limit + 1}"
    return [UsageRow(**row) for row in await conn.fetch(head + tail, *where.values)]


def _source(query: UsageQuery, span: Span) -> tuple[str, Where]:
    where = Where()
    daily = query.group_by is not GroupBy.HOUR and span.whole_days
    if daily:
        where.add("u.day >= {}", span.since.date())
        where.add("u.day < {}", span.until.date())
    else:
        where.add("u.hour >= {}", span.since)
        where.add("u.hour < {}", span.until)
    for name in _FILTERS:
        where.add(f"u.{name} = {{}}", getattr(query, name))
    return (" FROM usage_daily u " if daily else _HOURS), where


_HOURS = " FROM (SELECT (hour AT TIME ZONE 'UTC')::date AS day, h.* FROM usage_hourly h) u "
