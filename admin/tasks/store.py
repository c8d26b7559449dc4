"""Tasks in Postgres. A task that somebody was given is not deleted: without it they might do anything."""

import asyncpg

from admin.errors import Conflict, NotFound
from admin.paging import decode
from admin.schema import BudgetsBody
from admin.store import Where, update
from admin.tasks.types import CreateTask, PatchTask, Task, TaskQuery
from gateway.db import Connection

GENERAL_ID = 1
"""The task of everyone who was given none."""

_BUDGETS = tuple(BudgetsBody.model_fields)
_COLUMNS = ", ".join(("id", "name", "description", "allowed_intents", "is_active", "created_at", *_BUDGETS))
_SELECT = f"SELECT {_COLUMNS} FROM tasks"  # noqa: S608 - a constant
_INSERT = f"""
INSERT INTO tasks (name, description, allowed_intents, is_active, {", ".join(_BUDGETS)})
VALUES ($1, $2, $3, $4, {", ".join(f"${place}" for place in range(5, len(_BUDGETS) + 5))}) RETURNING {_COLUMNS}
"""  # noqa: S608 - a constant


async def find(conn: Connection, query: TaskQuery) -> list[Task]:
    where = Where()
    where.add("is_active = {}", query.is_active)
    if key := decode(query.cursor, int):
        where.add("id < {}", *key)
    tail = f" ORDER BY id DESC LIMIT {query.limit + 1}"
    return [Task(**row) for row in await conn.fetch(_SELECT + where.sql() + tail, *where.values)]


async def get(conn: Connection, task_id: int, *, lock: bool = False) -> Task:
    row = await conn.fetchrow(_SELECT + " WHERE id = $1" + (" FOR UPDATE" if lock else ""), task_id)
    if row is None:
        raise NotFound("No such task.")
    return Task(**row)


async def add(conn: Connection, new: CreateTask) -> Task:
    try:
        budgets = (getattr(new, name) for name in _BUDGETS)
        row = await conn.fetchrow(_INSERT, new.name, new.description, new.allowed_intents, new.is_active, *budgets)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("There is already a task with this name.") from error
    return Task(**row)


async def change(conn: Connection, task_id: int, patch: PatchTask) -> Task:
    columns = {name: getattr(patch, name) for name in sorted(patch.model_fields_set)}
    if columns:
        try:
            await conn.execute(update("tasks", columns), task_id, *columns.values())
        except asyncpg.UniqueViolationError as error:
            raise Conflict("There is already a task with this name.") from error
    return await get(conn, task_id)


async def remove(conn: Connection, task_id: int) -> None:
    if task_id == GENERAL_ID:
        raise Conflict("The general task is everyone's who was given no other.")
    if await conn.fetchval("SELECT EXISTS (SELECT FROM user_tasks WHERE task_id = $1)", task_id):
        raise Conflict("Users were given this task: take it from them first, or deactivate it.")
    await conn.execute("DELETE FROM tasks WHERE id = $1", task_id)
