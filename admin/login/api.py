"""Signing in and out. An unknown user gets the same answer, after the same work, as a wrong password."""

import logging

from admin.attempts import store as attempts
from admin.attempts.types import buckets
from admin.audit.store import record
from admin.audit.types import Actor
from admin.errors import BadCredentials, Unauthorized
from admin.login import store
from admin.login.sessions import Claims, issue, read
from admin.login.store import Account
from admin.login.types import LoginBody, LogoutBody, Me, RefreshBody, Session
from admin.rbac import GRANTS, Access, Role
from admin.routing import Call, Route
from admin.store import reading, transaction

logger = logging.getLogger("guardflow.admin")


async def login(call: Call, body: LoginBody) -> Session:
    deps, who = call.deps, buckets(body.login, call.ip)
    async with transaction(deps.pool) as conn:
        await attempts.charge(conn, who)
        account = await store.find_account(conn, body.login)
    matches = await deps.passwords.verify(account.hashed_password if account else None, body.password)
    if account is None or not matches or not account.is_active:
        await _note_failure(call, account)
        raise BadCredentials("Incorrect email or password")
    async with transaction(deps.pool) as conn:
        await attempts.forgive(conn, who)
        family, refresh_token = await store.open_session(conn, account.user.id, deps.jwt.refresh_lifetime_s)
        actor = Actor(account.user.id, "user", call.ip)
        await record(conn, actor, "users:login", account.user.id)
    return _session(call, account, Claims(account.user.id, family, account.version), refresh_token)


async def refresh(call: Call, body: RefreshBody) -> Session:
    async with transaction(call.deps.pool) as conn:
        # Not raised inside: ending a family whose token was copied has to be committed.
        turned = await store.rotate(conn, body.refresh_token, call.deps.jwt.refresh_lifetime_s)
    if turned is None:
        raise Unauthorized("The session has ended. Sign in again.")
    account, family, refresh_token = turned
    return _session(call, account, Claims(account.user.id, family, account.version), refresh_token)


async def logout(call: Call, body: LogoutBody) -> None:
    """By the refresh token, or by the bearer's session; either need not be able to do anything else any more."""
    async with transaction(call.deps.pool) as conn:
        if body.refresh_token is not None:
            found = await store.family_of(conn, body.refresh_token)
        elif call.bearer is not None:
            claims = read(call.deps.jwt, call.bearer)
            found = (claims.user_id, claims.session)
        else:
            raise Unauthorized("Not authenticated.")
        if found is not None:
            user_id, family = found
            await store.end_session(conn, family)
            await record(conn, Actor(user_id, "user", call.ip), "users:logout", user_id)


async def me(call: Call) -> Me:
    async with reading(call.deps.pool) as conn:
        account = await store.find_by_id(conn, call.user_id)
    permissions = [str(permission) for permission in sorted(GRANTS[Role(account.user.role)])]
    return Me(**account.user.model_dump(), permissions=permissions, last_login_at=account.last_login_at)


async def _note_failure(call: Call, account: Account | None) -> None:
    logger.warning("a sign-in from %s was refused", call.ip or "an unknown address")
    async with transaction(call.deps.pool) as conn:
        object_id = account.user.id if account else "unknown"
        await record(conn, Actor(None, "user", call.ip), "users:login_failed", object_id)


def _session(call: Call, account: Account, claims: Claims, refresh_token: str) -> Session:
    return Session(
        access_token=issue(call.deps.jwt, claims, account.user.role),
        token_type="bearer",  # noqa: S106 - the name of a scheme
        expires_in=call.deps.jwt.lifetime_s,
        refresh_token=refresh_token,
        user=account.user,
    )


def _routes(prefix: str) -> tuple[Route, ...]:
    public, own = Access.PUBLIC, Access.SIGNED_IN
    return (
        Route("POST", f"{prefix}/login", login, public, "Sign in", takes=LoginBody, gives=Session, forms=True),
        Route(
            "POST",
            f"{prefix}/refresh",
            refresh,
            public,
            "Trade a refresh token for a new session token; each works once",
            takes=RefreshBody,
            gives=Session,
            forms=True,
        ),
        Route(
            "POST",
            f"{prefix}/logout",
            logout,
            public,
            "End the session",
            takes=LogoutBody,
            status=204,
            forms=True,
            empty_body=True,
        ),
        Route("GET", f"{prefix}/me", me, own, "Who am I, and what may I do", gives=Me),
    )


ROUTES = _routes("/api/v1/auth") + _routes("/auth")
