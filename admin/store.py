"""The control plane's transactions, and the building of conditions out of our texts and the client's values."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from admin.schema import LIMIT_COLUMNS
from gateway.db import Connection, Pool, acquired


@asynccontextmanager
async def transaction(pool: Pool, *, read_only: bool = False) -> AsyncIterator[Connection]:
    """One transaction on one connection. Raises DatabaseDown where the database can't answer now."""
    async with acquired(pool) as connection, connection.transaction(readonly=read_only):
        yield connection


def reading(pool: Pool) -> AbstractAsyncContextManager[Connection]:
    return transaction(pool, read_only=True)


class Where:
    """Conditions with their bound values. Texts are ours, values are the client's; `{}` is where the value goes."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.values: list[Any] = []

    def add(self, condition: str, *values: Any) -> None:
        """Nothing is added for a filter that was not given (None)."""
        if any(value is None for value in values):
            return
        places = range(len(self.values) + 1, len(self.values) + len(values) + 1)
        self.conditions.append(condition.format(*(f"${place}" for place in places)))
        self.values.extend(values)

    def sql(self) -> str:
        return " WHERE " + " AND ".join(self.conditions) if self.conditions else ""


def limits_of(table: str) -> str:
    """The limits in `table`, by their names on the outside."""
    return ", ".join(f"{table}.{column} AS {name}" for name, column in LIMIT_COLUMNS.items())


def contains(text: str | None) -> str | None:
    """A LIKE pattern for rows that contain `text`, whatever wildcards it holds."""
    if text is None:
        return None
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def update(table: str, columns: Mapping[str, Any], *, key: str = "id", also: str = "") -> str:
    """An UPDATE of the row with key $1; the values follow in order. Table and columns are ours, never the client's."""
    changes = [f"{column} = ${place}" for place, column in enumerate(columns, 2)] + ([also] if also else [])
    return f"UPDATE {table} SET {', '.join(changes)} WHERE {key} = $1"  # noqa: S608 - see above
