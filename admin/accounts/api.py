"""Users: listed, made with their first token, changed, blocked, deactivated. Nobody acts above their own role."""

from admin.accounts import store
from admin.accounts.types import BlockUser, CreatedUser, CreateUser, PatchUser, UnblockUser, User, UserQuery
from admin.audit.store import record
from admin.errors import Conflict
from admin.login.passwords import refuse_weak
from admin.login.store import end_sessions
from admin.paging import Page, make_page
from admin.rbac import Permission, Role, may_act_on
from admin.routing import Call, Route
from admin.store import reading, transaction
from admin.tokens import store as tokens
from admin.tokens.types import CreateToken
from gateway.db import Connection
from gateway.errors import Forbidden


async def list_users(call: Call, query: UserQuery) -> Page[User]:
    async with reading(call.deps.pool) as conn:
        rows = await store.find(conn, query)
    return make_page(rows, query.limit, lambda user: (user.id,))


async def get_user(call: Call) -> User:
    async with reading(call.deps.pool) as conn:
        return await store.get(conn, call.id)


async def create_user(call: Call, body: CreateUser) -> CreatedUser:
    _refuse_above(call, body.role)
    hashed = await _hashed(call, body.password, body.email)
    async with transaction(call.deps.pool) as conn:
        user = await store.add(conn, body, hashed)
        token, secret = await tokens.add(conn, user.id, CreateToken(name="default"))
        await record(conn, call.actor, "users:create", user.id, after=user)
        await record(conn, call.actor, "tokens:create", token.id, after=token)
    return CreatedUser(**user.model_dump(), token_id=token.id, api_token=secret)


async def patch_user(call: Call, body: PatchUser) -> User:
    if body.role is not None:
        _refuse_above(call, body.role)
    email = body.email or (await get_user(call)).email
    hashed = await _hashed(call, body.password, email)
    async with transaction(call.deps.pool) as conn:
        before = await _target(call, conn)
        if body.is_active is False or body.role not in (None, Role.ADMIN):
            await _keep_an_admin(conn, before)
        user = await store.change(conn, call.id, body, hashed)
        if hashed or user.role != before.role or user.is_active != before.is_active:
            await end_sessions(conn, call.id)
        reason = "password changed" if hashed else None
        await record(conn, call.actor, "users:update", call.id, before=before, after=user, reason=reason)
    return user


async def deactivate_user(call: Call) -> User:
    """The row stays: logs and audit point to it. Tokens and sessions end at once."""
    async with transaction(call.deps.pool) as conn:
        before = await _target(call, conn)
        await _keep_an_admin(conn, before)
        user = await store.deactivate(conn, call.id)
        await record(conn, call.actor, "users:deactivate", call.id, before=before, after=user)
    return user


async def block_user(call: Call, body: BlockUser) -> User:
    """A block stops model calls. It ends no staff session: an administrator who was blocked can end it."""
    async with transaction(call.deps.pool) as conn:
        before = await _target(call, conn)
        user = await store.block(conn, call.id, body.reason, body.minutes)
        await record(conn, call.actor, "users:block", call.id, before=before, after=user, reason=body.reason)
    return user


async def unblock_user(call: Call, body: UnblockUser) -> User:
    async with transaction(call.deps.pool) as conn:
        before = await _target(call, conn)
        user = await store.unblock(conn, call.id)
        await record(conn, call.actor, "users:unblock", call.id, before=before, after=user, reason=body.reason)
    return user


async def _target(call: Call, conn: Connection) -> User:
    user = await store.lock(conn, call.id)
    _refuse_above(call, user.role)
    return user


async def _keep_an_admin(conn: Connection, user: User) -> None:
    if user.role is Role.ADMIN and user.is_active and not await store.other_admins(conn, user.id):
        raise Conflict("This is the last active administrator. Make another one first.")


async def _hashed(call: Call, password: str | None, email: str) -> str | None:
    if password is None:
        return None
    refuse_weak(password, email, call.deps.password_min_length)
    return await call.deps.passwords.hash(password)


def _refuse_above(call: Call, role: Role) -> None:
    if not may_act_on(call.role, role):
        raise Forbidden(f"A {call.role} does not act on a {role}.")


_READ, _WRITE, _BLOCK = Permission.USERS_READ, Permission.USERS_WRITE, Permission.USERS_BLOCK

ROUTES = (
    Route("GET", "/users", list_users, _READ, "Users, newest first", query=UserQuery, gives=Page[User]),
    Route(
        "POST",
        "/users",
        create_user,
        _WRITE,
        "Make a user and their first API token, shown this once",
        takes=CreateUser,
        gives=CreatedUser,
        status=201,
    ),
    Route("GET", "/users/{id}", get_user, _READ, "One user", gives=User),
    Route("PATCH", "/users/{id}", patch_user, _WRITE, "Change a user", takes=PatchUser, gives=User),
    Route("DELETE", "/users/{id}", deactivate_user, _WRITE, "Deactivate a user", gives=User),
    Route("POST", "/users/{id}/block", block_user, _BLOCK, "Block a user's calls", takes=BlockUser, gives=User),
    Route("POST", "/users/{id}/unblock", unblock_user, _BLOCK, "End a block", takes=UnblockUser, gives=User),
)
