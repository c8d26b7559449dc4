"""Users in Postgres, with their limits and tasks. Every write leaves its audit row in the caller's transaction."""

from collections.abc import Mapping
from typing import Any

import asyncpg

from admin.accounts.types import CreateUser, PatchUser, User, UserQuery
from admin.errors import Conflict, NotFound, invalid_field
from admin.login.store import end_sessions
from admin.paging import decode
from admin.schema import LIMIT_COLUMNS
from admin.store import Where, contains, limits_of, update
from gateway.db import Connection

_SELECT = f"""
SELECT u.id, u.email, u.username, u.name, u.role, u.is_active,
       CASE WHEN u.blocked_until > now() THEN u.blocked_until END AS blocked_until,
       CASE WHEN u.blocked_until > now() THEN u.block_reason END AS block_reason,
       u.allowed_models, u.created_at, u.updated_at, u.last_login_at,
       {limits_of("q")}, (SELECT m.team_id FROM team_members m WHERE m.user_id = u.id) AS team_id,
       ARRAY(SELECT t.task_id FROM user_tasks t WHERE t.user_id = u.id ORDER BY t.task_id) AS task_ids
FROM users u LEFT JOIN quotas q ON q.user_id = u.id
"""  # noqa: S608 - constants
_INSERT = """
INSERT INTO users (email, username, name, role, hashed_password, allowed_models)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
"""
_QUOTAS = f"""
INSERT INTO quotas (user_id, {", ".join(LIMIT_COLUMNS.values())})
VALUES ($1, {", ".join(f"${place}" for place in range(2, len(LIMIT_COLUMNS) + 2))})
"""  # noqa: S608 - constants
_TASKS = "INSERT INTO user_tasks (user_id, task_id) SELECT $1, id FROM tasks WHERE id = ANY($2) RETURNING task_id"
_COLUMNS = ("email", "username", "name", "role", "is_active", "allowed_models")
FOR_GOOD = "'9999-12-31T23:59:59Z'::timestamptz"
_BLOCK = f"""
UPDATE users SET block_reason = $2, updated_at = now(),
    blocked_until = CASE WHEN $3::bigint IS NULL THEN {FOR_GOOD} ELSE now() + make_interval(mins => $3::int) END
WHERE id = $1
"""  # noqa: S608 - a constant
_UNBLOCK = "UPDATE users SET block_reason = NULL, blocked_until = NULL, updated_at = now() WHERE id = $1"


async def find(conn: Connection, query: UserQuery) -> list[User]:
    where = Where()
    where.add("lower(u.email) = lower({})", query.email)
    where.add("(u.email ILIKE {0} OR u.name ILIKE {0})", contains(query.search))
    where.add("u.role = {}", query.role)
    where.add("u.is_active = {}", query.is_active)
    where.add("u.id IN (SELECT user_id FROM team_members WHERE team_id = {})", query.team_id)
    where.add("coalesce(u.blocked_until > now(), false) = {}", query.blocked)
    if key := decode(query.cursor, int):
        where.add("u.id < {}", *key)
    tail = f" ORDER BY u.id DESC LIMIT {query.limit + 1}"
    return [User(**row) for row in await conn.fetch(_SELECT + where.sql() + tail, *where.values)]


async def get(conn: Connection, user_id: int) -> User:
    row = await conn.fetchrow(_SELECT + " WHERE u.id = $1", user_id)
    if row is None:
        raise NotFound("No such user.")
    return User(**row)


async def lock(conn: Connection, user_id: int) -> User:
    """The user as they are until the transaction ends."""
    await conn.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", user_id)
    return await get(conn, user_id)


async def add(conn: Connection, new: CreateUser, hashed_password: str | None) -> User:
    try:
        user_id = await conn.fetchval(
            _INSERT, new.email, new.username, new.name, new.role, hashed_password, new.allowed_models
        )
    except asyncpg.UniqueViolationError as error:
        raise _taken(error) from error
    await conn.execute(_QUOTAS, user_id, *(getattr(new, name) for name in LIMIT_COLUMNS))
    await _set_tasks(conn, user_id, new.task_ids)
    return await get(conn, user_id)


async def change(conn: Connection, user_id: int, patch: PatchUser, hashed_password: str | None) -> User:
    said = patch.model_fields_set
    columns: dict[str, Any] = {name: getattr(patch, name) for name in _COLUMNS if name in said}
    if hashed_password is not None:
        columns["hashed_password"] = hashed_password
    await _update(conn, user_id, columns)
    await _set_limits(
        conn, user_id, {LIMIT_COLUMNS[name]: getattr(patch, name) for name in LIMIT_COLUMNS if name in said}
    )
    if patch.task_ids is not None:
        await conn.execute("DELETE FROM user_tasks WHERE user_id = $1", user_id)
        await _set_tasks(conn, user_id, patch.task_ids)
    return await get(conn, user_id)


async def deactivate(conn: Connection, user_id: int) -> User:
    await _update(conn, user_id, {"is_active": False})
    await end_sessions(conn, user_id)
    return await get(conn, user_id)


async def block(conn: Connection, user_id: int, reason: str, minutes: int | None) -> User:
    await conn.execute(_BLOCK, user_id, reason, minutes)
    return await get(conn, user_id)


async def unblock(conn: Connection, user_id: int) -> User:
    await conn.execute(_UNBLOCK, user_id)
    return await get(conn, user_id)


async def other_admins(conn: Connection, user_id: int) -> int:
    """How many could still administer without this one. They are locked, so that two can't leave at once."""
    rows = await conn.fetch("SELECT id FROM users WHERE role = 'admin' AND is_active ORDER BY id FOR UPDATE")
    return sum(row["id"] != user_id for row in rows)


async def _update(conn: Connection, user_id: int, columns: Mapping[str, Any]) -> None:
    statement = update("users", columns, also="updated_at = now()")
    try:
        await conn.execute(statement, user_id, *columns.values())
    except asyncpg.UniqueViolationError as error:
        raise _taken(error) from error


async def _set_limits(conn: Connection, user_id: int, columns: Mapping[str, Any]) -> None:
    if columns:
        await conn.execute("INSERT INTO quotas (user_id) VALUES ($1) ON CONFLICT DO NOTHING", user_id)
        await conn.execute(update("quotas", columns, key="user_id"), user_id, *columns.values())


async def _set_tasks(conn: Connection, user_id: int, task_ids: list[int]) -> None:
    found = {row["task_id"] for row in await conn.fetch(_TASKS, user_id, task_ids)}
    if missing := sorted(set(task_ids) - found):
        raise invalid_field("task_ids", f"no such task: {', '.join(map(str, missing))}")


def _taken(error: asyncpg.UniqueViolationError) -> Conflict:
    what = "user name" if error.constraint_name == "users_username_key" else "e-mail address"
    return Conflict(f"There is already a user with this {what}.")
