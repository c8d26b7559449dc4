"""Whom a gateway starts with: an administrator, always; and in development, the first time, a user to try it as.

Safe to run at every start and by several at once.
"""

from dataclasses import dataclass

from admin.accounts import store as accounts
from admin.accounts.types import CreateUser, PatchUser
from admin.audit.store import record
from admin.audit.types import SYSTEM
from admin.login.passwords import Passwords, hash_password
from admin.login.store import Account, end_sessions, find_account
from admin.rbac import Role
from admin.tokens import store as tokens
from admin.tokens.types import CreateToken
from gateway.db import Connection
from guardflow.people import transaction

DEMO_EMAIL = "demo@guardflow.local"
_ONE_AT_A_TIME = 0x626F6F74  # "boot"


@dataclass(frozen=True, slots=True)
class Administrator:
    """`enforced`: the password was chosen in the settings and holds at every start, whatever was set since."""

    email: str
    password: str
    enforced: bool


@dataclass(frozen=True, slots=True)
class Started:
    """What this start made. `demo_token` is known this once."""

    made_administrator: bool
    demo_token: str | None


async def ensure_people(url: str, admin: Administrator, *, demo: bool) -> Started:
    """`demo`: make the demonstration user where nobody is there yet."""
    async with transaction(url) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
        first = not await connection.fetchval("SELECT EXISTS (SELECT FROM users)")
        account = await find_account(connection, admin.email)
        if account is None:
            await _make_administrator(connection, admin)
        elif admin.enforced:
            await _enforce(connection, admin, account)
        token = await _make_demo(connection) if first and demo else None
    return Started(made_administrator=account is None, demo_token=token)


async def _make_administrator(connection: Connection, admin: Administrator) -> None:
    new = CreateUser(email=admin.email, name="Administrator", role=Role.ADMIN)
    user = await accounts.add(connection, new, hash_password(admin.password))
    await record(connection, SYSTEM, "users:create", user.id, after=user, reason="first administrator")


async def _enforce(connection: Connection, admin: Administrator, account: Account) -> None:
    """Whoever is locked out sets ADMIN_PASSWORD and starts again: so role and state are mended too."""
    same = await Passwords().verify(account.hashed_password, admin.password)
    if same and account.user.role == Role.ADMIN and account.is_active:
        return
    before = await accounts.lock(connection, account.user.id)
    hashed = None if same else hash_password(admin.password)
    after = await accounts.change(connection, before.id, PatchUser(role=Role.ADMIN, is_active=True), hashed)
    await end_sessions(connection, before.id)
    await record(connection, SYSTEM, "users:update", before.id, before=before, after=after, reason="ADMIN_PASSWORD")


async def _make_demo(connection: Connection) -> str:
    user = await accounts.add(connection, CreateUser(email=DEMO_EMAIL, name="Demonstration"), None)
    token, secret = await tokens.add(connection, user.id, CreateToken(name="demo"))
    await record(connection, SYSTEM, "users:create", user.id, after=user, reason="first start")
    await record(connection, SYSTEM, "tokens:create", token.id, after=token, reason="first start")
    return secret
