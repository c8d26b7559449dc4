"""The request log, for staff who may read rows."""

from admin.logs import store
from admin.logs.types import LogQuery, LogRow
from admin.paging import Page, make_page
from admin.rbac import Permission
from admin.routing import Call, Route
from admin.store import reading


async def list_logs(call: Call, query: LogQuery) -> Page[LogRow]:
    async with reading(call.deps.pool) as conn:
        rows = await store.find(conn, query)
    return make_page(rows, query.limit, lambda row: (row.at, row.id))


ROUTES = (
    Route(
        "GET",
        "/logs",
        list_logs,
        Permission.LOGS_READ,
        "Calls, newest first",
        query=LogQuery,
        gives=Page[LogRow],
    ),
)
