"""Reading the audit log. There is no route that changes it."""

from admin.audit import store
from admin.audit.types import AuditEntry, AuditQuery
from admin.paging import Page, make_page
from admin.rbac import Permission
from admin.routing import Call, Route
from admin.store import reading


async def list_entries(call: Call, query: AuditQuery) -> Page[AuditEntry]:
    async with reading(call.deps.pool) as conn:
        rows = await store.find(conn, query)
    return make_page(rows, query.limit, lambda entry: (entry.id,))


ROUTES = (
    Route(
        "GET",
        "/audit",
        list_entries,
        Permission.AUDIT_READ,
        "Who changed what, newest first",
        query=AuditQuery,
        gives=Page[AuditEntry],
    ),
)
