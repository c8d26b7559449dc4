"""The control plane on a real database, and people of every role signed in to it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from admin.app import ADMIN_PREFIX, AdminDeps, add_routes, make_admin_app
from admin.login.passwords import hash_password
from admin.login.sessions import Claims, JwtSettings, issue
from admin.login.store import open_session
from gateway.db import Pool, connect_pool
from gateway.exchange import Limits, Principal
from gateway.phases.authenticate import authenticate
from gateway.quota.base import Scope, Spent
from gateway.quota.memory import MemoryQuotaStore
from gateway.tokens.cached import CachedTokenStore
from gateway.tokens.postgres import PostgresTokenStore

SECRET = "a secret for tests of more bytes than the sixty-four that HS512 wants"
PASSWORD = "correct horse battery"
HASHED = hash_password(PASSWORD)
DEFAULTS = Limits(rpm=600, daily_tokens=1_000_000)
INTENTS = frozenset({"coding", "math", "writing", "other"})

Client = TestClient[web.Request, web.Application]
Headers = dict[str, str]


class NothingSpent:
    async def spent(self, scope: Scope) -> Spent:
        return Spent()


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    pool = await connect_pool(postgres_url)
    yield pool
    await pool.close()


@pytest.fixture
def deps(pool: Pool) -> AdminDeps:
    tokens = CachedTokenStore(PostgresTokenStore(pool, DEFAULTS))

    async def who(headers: Mapping[str, str]) -> Principal:
        tokens.invalidate()
        return await authenticate(headers, tokens, datetime.now(UTC))

    return AdminDeps(
        pool=pool,
        jwt=JwtSettings(SECRET),
        authenticate=who,
        quota=MemoryQuotaStore(NothingSpent()),
        intents=INTENTS,
        version="1.2.3",
        default_limits=lambda: DEFAULTS,
        providers_view=lambda: {"providers": {"echo": {"type": "echo"}}},
        policies_view=lambda: {"mode": "enforce"},
        settings_view=lambda: {"environment": "development"},
    )


def make_app(deps: AdminDeps) -> web.Application:
    app = web.Application()
    add_routes(app, deps)
    app.add_subapp(ADMIN_PREFIX, make_admin_app(deps))
    return app


@pytest.fixture
async def client(aiohttp_client: Callable[..., Awaitable[Client]], deps: AdminDeps) -> Client:
    return await aiohttp_client(make_app(deps))


@dataclass
class People:
    """Makes users and signs them in."""

    pool: Pool
    deps: AdminDeps

    async def add(self, role: str = "user", email: str | None = None, *, password: bool = False) -> int:
        async with self.pool.acquire() as conn:
            number: int = await conn.fetchval("SELECT count(*) FROM users") + 1
            user_id: int = await conn.fetchval(
                "INSERT INTO users (email, name, role, hashed_password) VALUES ($1, $2, $3, $4) RETURNING id",
                email or f"{role}{number}@example.com",
                f"{role} {number}",
                role,
                HASHED if password else None,
            )
        return user_id

    async def session(self, user_id: int) -> Headers:
        async with self.pool.acquire() as conn:
            family, _ = await open_session(conn, user_id, 3600)
            row = await conn.fetchrow("SELECT role, session_version FROM users WHERE id = $1", user_id)
        token = issue(self.deps.jwt, Claims(user_id, family, row["session_version"]), row["role"])
        return {"Authorization": f"Bearer {token}"}

    async def signed_in(self, role: str) -> Headers:
        return await self.session(await self.add(role))


@pytest.fixture
def people(pool: Pool, deps: AdminDeps) -> People:
    return People(pool, deps)


@dataclass
class Api:
    """The admin API as somebody sees it: `await api.get("/users", 200)` gives the body of what must be a 200."""

    client: Client
    headers: Headers
    prefix: str = ADMIN_PREFIX

    async def get(self, path: str, expect: int = 200, **options: Any) -> Any:
        return await self.call("GET", path, expect, **options)

    async def post(self, path: str, body: Any = None, expect: int = 200) -> Any:
        return await self.call("POST", path, expect, json=body)

    async def patch(self, path: str, body: Any, expect: int = 200) -> Any:
        return await self.call("PATCH", path, expect, json=body)

    async def delete(self, path: str, expect: int = 200) -> Any:
        return await self.call("DELETE", path, expect)

    async def call(self, method: str, path: str, expect: int, **options: Any) -> Any:
        response = await self.client.request(method, self.prefix + path, headers=self.headers, **options)
        return await said(response, expect)

    def seen_by(self, headers: Headers, prefix: str | None = None) -> "Api":
        return replace(self, headers=headers, prefix=self.prefix if prefix is None else prefix)


async def said(response: ClientResponse, expect: int) -> Any:
    text = await response.text()
    assert response.status == expect, text
    assert response.headers["x-request-id"].startswith("req_")
    return (await response.json()) if text else None


@pytest.fixture
async def api(client: Client, people: People) -> Api:
    """As an administrator sees it."""
    return Api(client, await people.signed_in("admin"))
