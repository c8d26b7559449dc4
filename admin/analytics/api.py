"""Usage of everyone, for staff."""

from datetime import UTC, datetime, time, timedelta

from admin.analytics import store
from admin.analytics.store import Span
from admin.analytics.types import GroupBy, UsageQuery, UsageReport
from admin.errors import invalid_query
from admin.rbac import Permission
from admin.routing import Call, Route
from admin.store import reading

_DEFAULT = {GroupBy.HOUR: timedelta(hours=48)}
_DEFAULT_SPAN = timedelta(days=30)


async def usage(call: Call, query: UsageQuery) -> UsageReport:
    span = span_of(query, datetime.now(UTC))
    async with reading(call.deps.pool) as conn:
        totals = await store.totals(conn, query, span)
        rows = await store.groups(conn, query, span)
    return UsageReport(
        group_by=query.group_by,
        since=span.since,
        until=span.until,
        data=rows[: query.limit],
        totals=totals,
        has_more=len(rows) > query.limit,
    )


def span_of(query: UsageQuery, now: datetime) -> Span:
    """What is asked for. Ends that were left out fall on whole days (hours), the running one included."""
    if query.group_by is GroupBy.HOUR:
        end = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    else:
        end = datetime.combine(now.date() + timedelta(days=1), time.min, UTC)
    until = query.until or end
    since = query.since or until - _DEFAULT.get(query.group_by, _DEFAULT_SPAN)
    if since >= until:
        raise invalid_query("from", "must be before `to`")
    return Span(since, until)


ROUTES = (
    Route(
        "GET",
        "/analytics/usage",
        usage,
        Permission.ANALYTICS_READ,
        "Usage in groups, and its totals",
        query=UsageQuery,
        gives=UsageReport,
    ),
)
