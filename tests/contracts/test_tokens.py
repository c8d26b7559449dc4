"""What every TokenStore must do."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from gateway.db import connect_pool
from gateway.exchange import Limits, Principal
from gateway.tokens.base import TokenStore, TokensUnavailable, digest, new_token
from gateway.tokens.cached import CachedTokenStore
from gateway.tokens.memory import MemoryTokenStore
from gateway.tokens.postgres import PostgresTokenStore
from tests.gateway.tokens.people import add_token, add_user


@dataclass
class Subject:
    """A store with one token in it, a way to revoke that, and the same kind of store with nothing behind it."""

    store: TokenStore
    token: str
    revoke: Callable[[], Awaitable[object]]
    away: TokenStore


@asynccontextmanager
async def memory(url: str, nowhere: str) -> AsyncIterator[Subject]:
    store, away, token = MemoryTokenStore(), MemoryTokenStore(), new_token()
    store.add(token, Principal(user_id=1, token_id=1, email="ann@example.com", name="", role="user"))
    away.is_down = True

    async def revoke() -> None:
        store.revoke(token)

    yield Subject(store, token, revoke, away)


@asynccontextmanager
async def postgres(url: str, nowhere: str) -> AsyncIterator[Subject]:
    connection = await asyncpg.connect(url)
    pool, away = await connect_pool(url), await connect_pool(nowhere)
    _, token = await add_token(connection, await add_user(connection, "ann@example.com"))
    yield Subject(
        PostgresTokenStore(pool, Limits()),
        token,
        lambda: connection.execute("UPDATE api_tokens SET revoked_at = now()"),
        PostgresTokenStore(away, Limits()),
    )
    for opened in (connection, pool, away):
        await opened.close()


@asynccontextmanager
async def cached(url: str, nowhere: str) -> AsyncIterator[Subject]:
    async with postgres(url, nowhere) as inner:
        store = CachedTokenStore(inner.store)

        async def revoke() -> None:
            await inner.revoke()
            store.invalidate(1)

        yield Subject(store, inner.token, revoke, CachedTokenStore(inner.away))


@pytest.fixture(params=[memory, postgres, cached], ids=lambda make: make.__name__)
def opened(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> AbstractAsyncContextManager[Subject]:
    subject: AbstractAsyncContextManager[Subject] = request.param(
        postgres_url, f"postgresql://postgres@/none?host={tmp_path}"
    )
    return subject


async def test_a_token_is_found_by_its_digest(opened: AbstractAsyncContextManager[Subject]) -> None:
    async with opened as subject:
        found = await subject.store.find(digest(subject.token))
        assert found is not None
        assert (found.email, found.is_active) == ("ann@example.com", True)


async def test_an_unknown_token_is_none(opened: AbstractAsyncContextManager[Subject]) -> None:
    async with opened as subject:
        assert await subject.store.find(digest(new_token())) is None


async def test_a_revoked_token_is_none(opened: AbstractAsyncContextManager[Subject]) -> None:
    async with opened as subject:
        assert await subject.store.find(digest(subject.token)) is not None
        await subject.revoke()
        assert await subject.store.find(digest(subject.token)) is None


async def test_a_store_that_is_away_says_so(opened: AbstractAsyncContextManager[Subject]) -> None:
    async with opened as subject:
        with pytest.raises(TokensUnavailable):
            await subject.away.find(digest(subject.token))
