"""Who has reached a budget. The budgets themselves are limits of users, tokens and teams."""

from admin.budgets import store
from admin.budgets.types import AlertQuery, BudgetAlert
from admin.paging import Page, make_page
from admin.rbac import Permission
from admin.routing import Call, Route
from admin.store import reading


async def list_alerts(call: Call, query: AlertQuery) -> Page[BudgetAlert]:
    async with reading(call.deps.pool) as conn:
        rows = await store.find(conn, query)
    return make_page(rows, query.limit, lambda alert: (alert.id,))


ROUTES = (
    Route(
        "GET",
        "/budgets/alerts",
        list_alerts,
        Permission.ANALYTICS_READ,
        "Budgets that were reached, newest first",
        query=AlertQuery,
        gives=Page[BudgetAlert],
    ),
)
