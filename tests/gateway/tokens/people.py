"""Users and tokens in a test's database."""

from typing import Any

import asyncpg

from gateway.tokens.base import digest, new_token


async def add_user(connection: asyncpg.Connection, email: str = "a@example.com", **columns: Any) -> int:
    return int(await _insert(connection, "users", {"email": email, **columns}))


async def add_token(connection: asyncpg.Connection, user_id: int, **columns: Any) -> tuple[int, str]:
    token = new_token()
    values = {"user_id": user_id, "prefix": token[:7], "last4": token[-4:], "token_hash": digest(token), **columns}
    return int(await _insert(connection, "api_tokens", values)), token


async def add_task(connection: asyncpg.Connection, name: str, **columns: Any) -> int:
    return int(await _insert(connection, "tasks", {"name": name, **columns}))


async def _insert(connection: asyncpg.Connection, table: str, values: dict[str, Any]) -> Any:
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places}) RETURNING id"
    return await connection.fetchval(statement, *values.values())
