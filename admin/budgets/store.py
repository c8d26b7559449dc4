"""Reading the alerts that the gateway raised."""

from admin.budgets.types import AlertQuery, BudgetAlert
from admin.paging import decode
from admin.store import Where
from gateway.db import Connection

_SELECT = f"SELECT {', '.join(BudgetAlert.model_fields)} FROM budget_alerts"  # noqa: S608 - our own names


async def find(conn: Connection, query: AlertQuery) -> list[BudgetAlert]:
    where = Where()
    for name in ("owner", "owner_id", "level"):
        where.add(f"{name} = {{}}", getattr(query, name))
    if key := decode(query.cursor, int):
        where.add("id < {}", *key)
    tail = f" ORDER BY id DESC LIMIT {query.limit + 1}"
    return [BudgetAlert(**row) for row in await conn.fetch(_SELECT + where.sql() + tail, *where.values)]
