"""Users and tokens, as the command line makes them: the control plane's own stores and audit, without its HTTP.

Refusals come through as the control plane raises them.
"""

import contextlib
from collections.abc import AsyncIterator

from admin.accounts import store as accounts
from admin.accounts.types import CreatedUser, CreateUser
from admin.audit.store import record
from admin.audit.types import CLI
from admin.errors import Conflict, NotFound
from admin.login.passwords import hash_password
from admin.login.store import find_account
from admin.tokens import store as tokens
from admin.tokens.types import CreatedToken, CreateToken, RotatedToken, Token
from gateway.db import Connection, connect, translated


@contextlib.asynccontextmanager
async def transaction(url: str) -> AsyncIterator[Connection]:
    """One transaction on a connection of its own. Raises DatabaseDown."""
    connection = await connect(url, name="guardflow-cli")
    try:
        with translated():
            async with connection.transaction():
                yield connection
    finally:
        await connection.close()


async def create_user(url: str, new: CreateUser) -> CreatedUser:
    """Make a user with a first token, shown this once."""
    hashed = None if new.password is None else hash_password(new.password)
    async with transaction(url) as connection:
        user = await accounts.add(connection, new, hashed)
        token, secret = await tokens.add(connection, user.id, CreateToken(name="default"))
        await record(connection, CLI, "users:create", user.id, after=user)
        await record(connection, CLI, "tokens:create", token.id, after=token)
    return CreatedUser(**user.model_dump(), token_id=token.id, api_token=secret)


async def create_token(url: str, owner: str, name: str) -> CreatedToken:
    """`owner` is a user's number or e-mail address."""
    async with transaction(url) as connection:
        user = await accounts.lock(connection, await _user_id(connection, owner))
        if not user.is_active:
            raise Conflict("The user is deactivated.")
        token, secret = await tokens.add(connection, user.id, CreateToken(name=name))
        await record(connection, CLI, "tokens:create", token.id, after=token)
    return CreatedToken(**token.model_dump(), api_token=secret)


async def revoke_token(url: str, token_id: int) -> Token:
    async with transaction(url) as connection:
        before = await tokens.lock(connection, token_id, None)
        token = await tokens.revoke(connection, token_id)
        await record(connection, CLI, "tokens:revoke", token_id, before=before, after=token)
    return token


async def rotate_token(url: str, token_id: int, overlap_minutes: int) -> RotatedToken:
    """A new token with the old one's rights; the old one works on for the overlap."""
    async with transaction(url) as connection:
        before = await tokens.lock(connection, token_id, None)
        if before.revoked_at is not None:
            raise Conflict("The token is revoked; make a new one.")
        token, secret = await tokens.add(connection, before.user_id, before)
        if overlap_minutes:
            old = await tokens.expire(connection, token_id, overlap_minutes)
        else:
            old = await tokens.revoke(connection, token_id)
        await record(connection, CLI, "tokens:rotate", token_id, before=before, after=old)
        await record(connection, CLI, "tokens:create", token.id, after=token)
    return RotatedToken(**token.model_dump(), api_token=secret, replaces=old)


async def _user_id(connection: Connection, owner: str) -> int:
    if owner.isdecimal():
        return int(owner)
    account = await find_account(connection, owner)
    if account is None:
        raise NotFound(f"There is no user {owner}.")
    return account.user.id
