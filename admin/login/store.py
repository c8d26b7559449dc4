"""Sessions in Postgres. A session is a family of refresh tokens, of which only the newest may be used, and once.

A refresh token that comes back after it was used was copied: the whole family ends, whoever holds it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from admin.login.sessions import Claims, new_refresh_token
from admin.login.types import SignedInUser
from gateway.db import Connection
from gateway.tokens.base import digest


@dataclass(frozen=True, slots=True)
class Account:
    user: SignedInUser
    hashed_password: str | None
    is_active: bool
    version: int
    last_login_at: datetime | None


_ACCOUNT = "SELECT id, email, name, role, hashed_password, is_active, session_version, last_login_at FROM users"
_LIVE = """
 WHERE id = $1 AND session_version = $2 AND is_active
   AND EXISTS (SELECT FROM refresh_tokens WHERE family = $3 AND user_id = $1 AND revoked_at IS NULL)
"""
_ADD = """
INSERT INTO refresh_tokens (user_id, family, token_hash, expires_at)
VALUES ($1, $2, $3, now() + make_interval(secs => $4))
"""
_USE = """
SELECT id, user_id, family, used_at, revoked_at IS NULL AND expires_at > now() AS live
FROM refresh_tokens WHERE token_hash = $1 FOR UPDATE
"""


async def find_account(conn: Connection, login: str) -> Account | None:
    row = await conn.fetchrow(_ACCOUNT + " WHERE lower(email) = lower($1)", login)
    return _account(row) if row else None


async def find_by_id(conn: Connection, user_id: int) -> Account:
    return _account(await conn.fetchrow(_ACCOUNT + " WHERE id = $1", user_id))


async def find_live(conn: Connection, claims: Claims) -> Account | None:
    """Whose session this is, if it has not ended."""
    row = await conn.fetchrow(_ACCOUNT + _LIVE, claims.user_id, claims.version, claims.session)
    return _account(row) if row else None


async def open_session(conn: Connection, user_id: int, lifetime_s: int) -> tuple[UUID, str]:
    """A new family and its first refresh token. The user's dead tokens are swept on the way."""
    await conn.execute("DELETE FROM refresh_tokens WHERE user_id = $1 AND expires_at < now()", user_id)
    await conn.execute("UPDATE users SET last_login_at = now() WHERE id = $1", user_id)
    family = uuid4()
    return family, await _add_token(conn, user_id, family, lifetime_s)


async def rotate(conn: Connection, token: str, lifetime_s: int) -> tuple[Account, UUID, str] | None:
    """Use up `token` for a new one. None if it can't be used; the family has then ended if it had been before."""
    row = await conn.fetchrow(_USE, digest(token))
    if row is None or not row["live"]:
        return None
    if row["used_at"] is not None:
        await end_session(conn, row["family"])
        return None
    account = await conn.fetchrow(_ACCOUNT + " WHERE id = $1 AND is_active", row["user_id"])
    if account is None:
        return None
    await conn.execute("UPDATE refresh_tokens SET used_at = now() WHERE id = $1", row["id"])
    fresh = await _add_token(conn, row["user_id"], row["family"], lifetime_s)
    return _account(account), row["family"], fresh


async def family_of(conn: Connection, token: str) -> tuple[int, UUID] | None:
    row = await conn.fetchrow("SELECT user_id, family FROM refresh_tokens WHERE token_hash = $1", digest(token))
    return (row["user_id"], row["family"]) if row else None


async def end_session(conn: Connection, family: UUID) -> None:
    await conn.execute("UPDATE refresh_tokens SET revoked_at = now() WHERE family = $1 AND revoked_at IS NULL", family)


async def end_sessions(conn: Connection, user_id: int) -> None:
    """All of a user's sessions, access tokens included."""
    await conn.execute("UPDATE users SET session_version = session_version + 1 WHERE id = $1", user_id)
    await conn.execute(
        "UPDATE refresh_tokens SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL", user_id
    )


async def _add_token(conn: Connection, user_id: int, family: UUID, lifetime_s: int) -> str:
    token = new_refresh_token()
    await conn.execute(_ADD, user_id, family, digest(token), lifetime_s)
    return token


def _account(row: Any) -> Account:
    user = SignedInUser(id=row["id"], email=row["email"], name=row["name"], role=row["role"])
    return Account(user, row["hashed_password"], row["is_active"], row["session_version"], row["last_login_at"])
