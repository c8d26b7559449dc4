"""Tokens: staff see and turn their own; `tokens:write` sees everyone's and sets what they may do."""

from datetime import UTC, datetime

from admin.accounts import store as accounts
from admin.audit.store import record
from admin.errors import Conflict, NotFound, invalid_field
from admin.paging import Page, make_page
from admin.rbac import Permission
from admin.routing import Call, Route
from admin.store import reading, transaction
from admin.tokens import store
from admin.tokens.types import (
    CreatedToken,
    CreateToken,
    PatchToken,
    RotatedToken,
    RotateToken,
    Token,
    TokenQuery,
)
from gateway.errors import Forbidden


async def list_tokens(call: Call, query: TokenQuery) -> Page[Token]:
    if (owner_id := _owner(call)) is not None:
        if query.user_id not in (None, owner_id):
            raise Forbidden("These are somebody else's tokens.")
        query = query.model_copy(update={"user_id": owner_id})
    async with reading(call.deps.pool) as conn:
        rows = await store.find(conn, query)
    return make_page(rows, query.limit, lambda token: (token.id,))


async def get_token(call: Call) -> Token:
    async with reading(call.deps.pool) as conn:
        return await store.get(conn, call.id, _owner(call))


async def create_token(call: Call, body: CreateToken) -> CreatedToken:
    user_id = body.user_id or call.user_id
    if _owner(call) not in (None, user_id):
        raise Forbidden("Tokens for others take the permission tokens:write.")
    _refuse_past(body.expires_at)
    async with transaction(call.deps.pool) as conn:
        try:
            user = await accounts.lock(conn, user_id)
        except NotFound as error:
            raise invalid_field("user_id", "no such user") from error
        if not user.is_active:
            raise Conflict("The user is deactivated.")
        token, secret = await store.add(conn, user_id, body)
        await record(conn, call.actor, "tokens:create", token.id, after=token)
    return CreatedToken(**token.model_dump(), api_token=secret)


async def patch_token(call: Call, body: PatchToken) -> Token:
    async with transaction(call.deps.pool) as conn:
        before = await store.lock(conn, call.id, _owner(call))
        token = await store.change(conn, call.id, body)
        await record(conn, call.actor, "tokens:update", call.id, before=before, after=token)
    return token


async def revoke_token(call: Call) -> Token:
    async with transaction(call.deps.pool) as conn:
        before = await store.lock(conn, call.id, _owner(call))
        token = await store.revoke(conn, call.id)
        await record(conn, call.actor, "tokens:revoke", call.id, before=before, after=token)
    return token


async def rotate_token(call: Call, body: RotateToken) -> RotatedToken:
    """A new token with the old one's rights; the old one goes on for the overlap, then ends by itself."""
    async with transaction(call.deps.pool) as conn:
        before = await store.lock(conn, call.id, _owner(call))
        if before.revoked_at or (before.expires_at and before.expires_at <= datetime.now(UTC)):
            raise Conflict("The token has ended; make a new one.")
        token, secret = await store.add(conn, before.user_id, before)
        if body.overlap_minutes:
            old = await store.expire(conn, call.id, body.overlap_minutes)
        else:
            old = await store.revoke(conn, call.id)
        await record(conn, call.actor, "tokens:rotate", call.id, before=before, after=old)
        await record(conn, call.actor, "tokens:create", token.id, after=token)
    return RotatedToken(**token.model_dump(), api_token=secret, replaces=old)


def _owner(call: Call) -> int | None:
    """Whose tokens this call is limited to."""
    return None if call.may(Permission.TOKENS_WRITE) else call.user_id


def _refuse_past(moment: datetime | None) -> None:
    if moment is not None and moment <= datetime.now(UTC):
        raise invalid_field("expires_at", "is in the past")


_OWN, _WRITE = Permission.TOKENS_OWN, Permission.TOKENS_WRITE

ROUTES = (
    Route("GET", "/tokens", list_tokens, _OWN, "Tokens, newest first", query=TokenQuery, gives=Page[Token]),
    Route(
        "POST",
        "/tokens",
        create_token,
        _OWN,
        "Make a token, shown this once",
        takes=CreateToken,
        gives=CreatedToken,
        status=201,
    ),
    Route("GET", "/tokens/{id}", get_token, _OWN, "One token", gives=Token),
    Route("PATCH", "/tokens/{id}", patch_token, _WRITE, "Change a token", takes=PatchToken, gives=Token),
    Route("DELETE", "/tokens/{id}", revoke_token, _OWN, "Revoke a token, at once and for good", gives=Token),
    Route(
        "POST",
        "/tokens/{id}/rotate",
        rotate_token,
        _OWN,
        "Replace a token, with a time for both",
        takes=RotateToken,
        gives=RotatedToken,
        status=201,
        empty_body=True,
    ),
)
