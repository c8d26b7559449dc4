"""Tokens in Postgres. What a token may do is a column here; whoever holds it in memory hears of each change."""

from typing import Any

from admin.errors import NotFound
from admin.paging import decode
from admin.schema import LIMIT_COLUMNS
from admin.store import Where, limits_of, update
from admin.tokens.types import CreateToken, PatchToken, Token, TokenQuery
from gateway.db import Connection
from gateway.tokens.base import PREFIX, digest, new_token

_COLUMNS = f"""
    id, user_id, name, prefix, last4, allowed_models, {limits_of("api_tokens")},
    expires_at, revoked_at, last_used_at, created_at
"""
_SELECT = f"SELECT {_COLUMNS} FROM api_tokens"  # noqa: S608 - a constant
_INSERT = f"""
INSERT INTO api_tokens (user_id, name, prefix, last4, token_hash, allowed_models, expires_at,
                        {", ".join(LIMIT_COLUMNS.values())})
VALUES ($1, $2, $3, $4, $5, $6, $7, {", ".join(f"${place}" for place in range(8, len(LIMIT_COLUMNS) + 8))})
RETURNING {_COLUMNS}
"""  # noqa: S608 - a constant
_REVOKE = "UPDATE api_tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL"
_EXPIRE = """
UPDATE api_tokens SET expires_at = least(expires_at, now() + make_interval(mins => $2)) WHERE id = $1
"""
_LIVE = "(revoked_at IS NULL AND coalesce(expires_at > now(), true))"


async def find(conn: Connection, query: TokenQuery) -> list[Token]:
    where = Where()
    where.add("user_id = {}", query.user_id)
    where.add(_LIVE + " = {}", query.active)
    if key := decode(query.cursor, int):
        where.add("id < {}", *key)
    tail = f" ORDER BY id DESC LIMIT {query.limit + 1}"
    return [Token(**row) for row in await conn.fetch(_SELECT + where.sql() + tail, *where.values)]


async def get(conn: Connection, token_id: int, owner_id: int | None) -> Token:
    """`owner_id` None is anyone's. Somebody else's token is not found rather than forbidden."""
    row = await conn.fetchrow(_SELECT + " WHERE id = $1", token_id)
    if row is None or owner_id not in (None, row["user_id"]):
        raise NotFound("No such token.")
    return Token(**row)


async def lock(conn: Connection, token_id: int, owner_id: int | None) -> Token:
    await conn.execute("SELECT FROM api_tokens WHERE id = $1 FOR UPDATE", token_id)
    return await get(conn, token_id, owner_id)


async def add(conn: Connection, user_id: int, new: CreateToken | Token) -> tuple[Token, str]:
    """The new row, and the token to show this once. Made after another token, it may do what that one may."""
    secret = new_token()
    limits = (getattr(new, name) for name in LIMIT_COLUMNS)
    row = await conn.fetchrow(
        _INSERT,
        user_id,
        new.name,
        secret[: len(PREFIX) + 4],
        secret[-4:],
        digest(secret),
        new.allowed_models,
        new.expires_at,
        *limits,
    )
    return Token(**row), secret


async def change(conn: Connection, token_id: int, patch: PatchToken) -> Token:
    said = patch.model_fields_set
    columns: dict[str, Any] = {LIMIT_COLUMNS.get(name, name): getattr(patch, name) for name in sorted(said)}
    if columns:
        await conn.execute(update("api_tokens", columns), token_id, *columns.values())
    return await get(conn, token_id, None)


async def revoke(conn: Connection, token_id: int) -> Token:
    await conn.execute(_REVOKE, token_id)
    return await get(conn, token_id, None)


async def expire(conn: Connection, token_id: int, minutes: int) -> Token:
    """Let it end in `minutes`, or when it would have anyway."""
    await conn.execute(_EXPIRE, token_id, minutes)
    return await get(conn, token_id, None)
