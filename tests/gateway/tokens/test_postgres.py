"""The store and the push against a real database: what changes there is felt here within a second."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from gateway.db import Pool, connect_pool
from gateway.exchange import Limits, Task
from gateway.tokens.base import TokensUnavailable, digest, new_token
from gateway.tokens.cached import CachedTokenStore
from gateway.tokens.postgres import PostgresTokenStore, PrincipalPush, TokenUse
from tests.gateway.tokens.people import add_task, add_token, add_user

DEFAULTS = Limits(rpm=600, daily_tokens=1000)
GENERAL = Task(1, "general")


@pytest.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    pool = await connect_pool(postgres_url)
    yield pool
    await pool.close()


@pytest.fixture
def store(pool: Pool) -> PostgresTokenStore:
    return PostgresTokenStore(pool, DEFAULTS)


async def test_a_principal_is_what_the_database_says(store: PostgresTokenStore, connection: asyncpg.Connection) -> None:
    until = datetime(2031, 1, 1, tzinfo=UTC)
    user_id = await add_user(
        connection, "ann@example.com", name="Ann", role="risk_officer", blocked_until=until, block_reason="spam"
    )
    token_id, token = await add_token(connection, user_id, expires_at=until, tpm=50, monthly_budget_micros=9)
    await connection.execute("INSERT INTO quotas (user_id, rpm, concurrent) VALUES ($1, 5, 0)", user_id)
    found = await store.find(digest(token))
    assert found is not None
    assert (found.user_id, found.token_id, found.email, found.name) == (user_id, token_id, "ann@example.com", "Ann")
    assert (found.role, found.is_active) == ("risk_officer", True)
    assert (found.blocked_until, found.block_reason, found.token_expires_at) == (until, "spam", until)
    assert found.user_limits == Limits(rpm=5, daily_tokens=1000, concurrent=0)
    assert found.token_limits == Limits(tpm=50, monthly_budget_micros=9)
    assert found.allowed_models is None
    assert found.tasks == {1: GENERAL}
    assert (found.team_id, found.team_limits) == (None, Limits())


async def test_a_team_brings_its_limits_and_narrows_the_models(
    store: PostgresTokenStore, connection: asyncpg.Connection
) -> None:
    user_id = await add_user(connection, allowed_models=["a", "b", "c"])
    _, token = await add_token(connection, user_id, allowed_models=["b", "c", "d"])
    team_id = await connection.fetchval(
        "INSERT INTO teams (name, rpm, weekly_budget_micros, allowed_models) VALUES ('x', 7, 9, '{c,d}') RETURNING id"
    )
    await connection.execute("INSERT INTO team_members (user_id, team_id) VALUES ($1, $2)", user_id, team_id)
    found = await store.find(digest(token))
    assert found is not None
    assert (found.team_id, found.team_limits) == (team_id, Limits(rpm=7, weekly_budget_micros=9))
    assert found.allowed_models == frozenset({"c"})
    assert found.user_limits == DEFAULTS


async def test_a_task_brings_its_budgets(store: PostgresTokenStore, connection: asyncpg.Connection) -> None:
    _, token = await add_token(connection, await add_user(connection))
    task_id = await add_task(connection, "tutor", weekly_budget_micros=9, soft_weekly_budget_micros=5)
    found = await store.find(digest(token))
    assert found is not None
    assert found.tasks[task_id].limits == Limits(weekly_budget_micros=9)
    assert found.tasks[1].limits == Limits()


async def test_a_user_without_quotas_has_the_defaults_as_they_are_now(
    store: PostgresTokenStore, connection: asyncpg.Connection
) -> None:
    _, token = await add_token(connection, await add_user(connection))
    found = await store.find(digest(token))
    assert found is not None
    assert found.user_limits == DEFAULTS
    store.set_defaults(Limits(rpm=1))
    found = await store.find(digest(token))
    assert found is not None
    assert found.user_limits == Limits(rpm=1)


async def test_unknown_and_revoked_tokens_are_none(store: PostgresTokenStore, connection: asyncpg.Connection) -> None:
    _, revoked = await add_token(connection, await add_user(connection), revoked_at=datetime.now(UTC))
    assert await store.find(digest(revoked)) is None
    assert await store.find(digest(new_token())) is None


@pytest.mark.parametrize(
    ("user", "token", "both"),
    [
        (None, None, None),
        (["a", "b"], None, {"a", "b"}),
        (None, ["b"], {"b"}),
        (["a", "b"], ["b", "c"], {"b"}),
        ([], None, set()),
        (["a"], ["b"], set()),
    ],
)
async def test_a_call_may_use_what_both_user_and_token_may(
    store: PostgresTokenStore,
    connection: asyncpg.Connection,
    user: list[str] | None,
    token: list[str] | None,
    both: set[str] | None,
) -> None:
    user_id = await add_user(connection, allowed_models=user)
    _, secret = await add_token(connection, user_id, allowed_models=token)
    found = await store.find(digest(secret))
    assert found is not None
    assert found.allowed_models == both


async def test_tasks_are_those_assigned_and_active_or_for_everyone_else_all_active(
    store: PostgresTokenStore, connection: asyncpg.Connection
) -> None:
    reviews = await add_task(connection, "reviews", allowed_intents=["coding", "analysis"])
    retired = await add_task(connection, "retired", is_active=False)
    found = {}
    for number, assigned in enumerate([[], [reviews, retired], [retired]]):
        user_id = await add_user(connection, f"{number}@example.com")
        _, token = await add_token(connection, user_id)
        for task_id in assigned:
            await connection.execute("INSERT INTO user_tasks VALUES ($1, $2)", user_id, task_id)
        principal = await store.find(digest(token))
        assert principal is not None
        found[number] = dict(principal.tasks)
    task = Task(reviews, "reviews", frozenset({"coding", "analysis"}))
    assert found == {0: {1: GENERAL, reviews: task}, 1: {reviews: task}, 2: {}}


async def test_a_database_that_is_away_is_not_an_unknown_token(tmp_path: Path) -> None:
    pool = await connect_pool(f"postgresql://postgres@/none?host={tmp_path}")
    with pytest.raises(TokensUnavailable):
        await PostgresTokenStore(pool, DEFAULTS).find(digest(new_token()))
    await pool.close()


@asynccontextmanager
async def pushed_cache(url: str, store: PostgresTokenStore) -> AsyncIterator[CachedTokenStore]:
    cache = CachedTokenStore(store)
    push = PrincipalPush(url, on_change=cache.invalidate, on_connected=cache.set_pushed)
    await push.start()
    await until(lambda: cache.is_pushed)
    try:
        yield cache
    finally:
        await push.close()


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> float:
    """Wait for `condition`; return the seconds it took."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    while not condition():
        assert loop.time() - started < within_s, "waited in vain"
        await asyncio.sleep(0.002)
    return loop.time() - started


CHANGES: dict[str, tuple[str, Callable[..., bool]]] = {
    "revoked": ("UPDATE api_tokens SET revoked_at = now()", lambda p: p is None),
    "deleted": ("DELETE FROM api_tokens", lambda p: p is None),
    "blocked": ("UPDATE users SET blocked_until = '2099-01-01'", lambda p: p.blocked_until is not None),
    "deactivated": ("UPDATE users SET is_active = false", lambda p: not p.is_active),
    "given a quota": ("INSERT INTO quotas SELECT id, 3 FROM users", lambda p: p.user_limits.rpm == 3),
    "given a token limit": ("UPDATE api_tokens SET rpm = 4", lambda p: p.token_limits.rpm == 4),
    "given a task": ("INSERT INTO user_tasks SELECT u.id, t.id FROM users u, tasks t WHERE t.id > 1",
                     lambda p: 1 not in p.tasks),
    "whose tasks change": ("UPDATE tasks SET is_active = false WHERE id = 1", lambda p: 1 not in p.tasks),
    "restricted": ("UPDATE api_tokens SET allowed_models = '{a}'", lambda p: p.allowed_models == {"a"}),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
async def test_a_user_who_is(
    change: str, postgres_url: str, store: PostgresTokenStore, connection: asyncpg.Connection
) -> None:
    """… changed so is known to be within a second."""
    await add_task(connection, "other")
    _, token = await add_token(connection, await add_user(connection))
    statement, is_known = CHANGES[change]
    async with pushed_cache(postgres_url, store) as cache:
        key = digest(token)
        before = await cache.find(key)
        assert before is not None
        assert not is_known(before)
        await connection.execute(statement)
        took = await until(lambda: cache.peek(key) is None)
        assert took < 1
        assert is_known(await cache.find(key))


async def test_a_token_that_is_used_is_not_a_change(
    postgres_url: str, pool: Pool, store: PostgresTokenStore, connection: asyncpg.Connection
) -> None:
    _, token = await add_token(connection, await add_user(connection))
    async with pushed_cache(postgres_url, store) as cache:
        principal = await cache.find(digest(token))
        assert principal is not None
        use = TokenUse(pool)
        use.note(principal.token_id)
        await use.write()
        await connection.execute("UPDATE api_tokens SET name = 'renamed'")
        await add_user(connection, "marker@example.com")
        await connection.execute("SELECT pg_notify('guardflow_principals', '999')")
        await asyncio.sleep(0.05)
        assert cache.peek(digest(token)) is principal


async def test_a_push_that_breaks_is_noticed_and_comes_back(
    postgres_url: str, store: PostgresTokenStore, connection: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    _, token = await add_token(connection, await add_user(connection))
    async with pushed_cache(postgres_url, store) as cache:
        await cache.find(digest(token))
        async with connection.transaction():
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'guardflow-push' AND datname = current_database()"
            )
            await connection.execute("UPDATE api_tokens SET revoked_at = now()")
        await until(lambda: not cache.is_pushed)
        await until(lambda: cache.is_pushed)
        assert cache.peek(digest(token)) is None
        assert await cache.find(digest(token)) is None
    assert [message.split(":")[0] for message in caplog.messages] == [
        "changes of tokens are not pushed",
        "changes of tokens are pushed again",
    ]


async def test_a_push_connection_that_is_open_but_dead_is_noticed(
    postgres_url: str,
    store: PostgresTokenStore,
    connection: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.tokens.postgres._PING_EVERY_S", 0.05)
    monkeypatch.setattr("gateway.tokens.postgres._PING_TIMEOUT_S", 0.1)
    async with pushed_cache(postgres_url, store) as cache:
        pid = await connection.fetchval(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'guardflow-push' AND datname = current_database()"
        )
        os.kill(pid, signal.SIGSTOP)
        try:
            await until(lambda: not cache.is_pushed)
            await until(lambda: cache.is_pushed)
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_the_push_waits_for_a_database_that_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    states: list[bool] = []
    push = PrincipalPush(f"postgresql://postgres@/none?host={tmp_path}", on_change=print, on_connected=states.append)
    await push.start()
    await asyncio.sleep(0.4)
    await push.close()
    assert states == []
    assert len(caplog.messages) == 1


async def test_last_use_is_noted_in_batches_and_never_goes_back(pool: Pool, connection: asyncpg.Connection) -> None:
    user_id = await add_user(connection)
    ids = [(await add_token(connection, user_id))[0] for _ in range(3)]
    times = iter([100.0, 300.0, 200.0, 50.0])
    use = TokenUse(pool, clock=lambda: next(times))
    use.note(ids[0])
    use.note(ids[0])
    use.note(ids[1])
    await use.write()
    use.note(ids[0])
    await use.write()
    await use.write()
    used = await connection.fetch("SELECT last_used_at FROM api_tokens ORDER BY id")
    assert [row[0] and row[0].timestamp() for row in used] == [300.0, 200.0, None]


async def test_closing_writes_down_what_was_collected(pool: Pool, connection: asyncpg.Connection) -> None:
    token_id, _ = await add_token(connection, await add_user(connection))
    use = TokenUse(pool)
    await use.start()
    use.note(token_id)
    await use.close()
    assert await connection.fetchval("SELECT last_used_at FROM api_tokens") is not None


async def test_many_processes_note_the_same_tokens_without_a_deadlock(
    pool: Pool, connection: asyncpg.Connection
) -> None:
    user_id = await add_user(connection)
    ids = [(await add_token(connection, user_id))[0] for _ in range(50)]

    def writing(order: list[int]) -> Awaitable[None]:
        use = TokenUse(pool)
        for token_id in order:
            use.note(token_id)
        return use.write()

    await asyncio.gather(*(writing(ids if n % 2 else ids[::-1]) for n in range(8)))
    assert await connection.fetchval("SELECT count(last_used_at) FROM api_tokens") == 50


async def test_an_outage_costs_only_the_times(tmp_path: Path) -> None:
    pool = await connect_pool(f"postgresql://postgres@/none?host={tmp_path}")
    use = TokenUse(pool)
    use.note(1)
    await use.write()
    await pool.close()
