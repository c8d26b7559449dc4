"""Every migration goes up and down, on an empty database and on one with rows."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from alembic.script import ScriptDirectory

import migrations

TABLES = {
    "users", "quotas", "api_tokens", "refresh_tokens", "tasks", "user_tasks", "audit_log",
    "request_logs", "usage_hourly", "usage_daily", "rejected_log_rows", "teams", "team_members", "team_usage_daily",
    "budget_alerts",
}  # fmt: skip

ROWS = """
INSERT INTO users (email, name) VALUES ('a@example.com', 'A');
INSERT INTO quotas (user_id, rpm) VALUES (1, 5);
INSERT INTO api_tokens (user_id, prefix, last4, token_hash)
    VALUES (1, 'gf_abc', 'wxyz', decode(repeat('ab', 32), 'hex'));
INSERT INTO user_tasks VALUES (1, 1);
INSERT INTO audit_log (actor_kind, action, object_type, object_id) VALUES ('cli', 'users:create', 'user', '1');
INSERT INTO request_logs (id, at, request_id, endpoint, status, total_ms, overhead_ms)
    VALUES (gen_random_uuid(), now(), 'req_1', 'chat/completions', 200, 1, 1),
           (gen_random_uuid(), now() - interval '20 years', 'req_2', 'chat/completions', 200, 1, 1);
"""


LATER = """
INSERT INTO teams (name, weekly_budget_micros) VALUES ('a', 5);
INSERT INTO team_members (user_id, team_id) VALUES (1, 1);
UPDATE quotas SET daily_budget_micros = 5;
UPDATE api_tokens SET soft_daily_budget_micros = 5;
INSERT INTO team_usage_daily VALUES (1, '2026-11-22', 1, 1, 0, 1, 1, 2, 0, 1);
INSERT INTO budget_alerts (owner, owner_id, period, since, level, budget_micros, spent_micros)
    VALUES ('team', 1, 'day', '2026-11-22', 'soft', 1, 2), ('task', 1, 'day', '2026-11-22', 'soft', 1, 2);
UPDATE tasks SET weekly_budget_micros = 5;
"""


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    )
    await connection.close()
    return {row["relname"] for row in rows}


async def execute(url: str, script: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(script)
    await connection.close()


async def test_up_down_and_up_again_on_an_empty_database(empty_postgres_url: str) -> None:
    url = empty_postgres_url
    await asyncio.to_thread(migrations.upgrade, url)
    assert await tables(url) >= TABLES
    assert await asyncio.to_thread(migrations.current_revision, url) == migrations.head_revision()
    await asyncio.to_thread(migrations.downgrade, url, "base")
    assert await tables(url) == {"alembic_version"}
    assert await asyncio.to_thread(migrations.current_revision, url) is None
    await asyncio.to_thread(migrations.upgrade, url)
    assert await tables(url) >= TABLES


async def test_a_database_with_rows_goes_down_to_nothing_and_up_again(postgres_url: str) -> None:
    await execute(postgres_url, ROWS + LATER)
    await asyncio.to_thread(migrations.downgrade, postgres_url, "base")
    await asyncio.to_thread(migrations.upgrade, postgres_url)
    await execute(postgres_url, ROWS + LATER)


async def test_each_step_takes_the_rows_of_the_one_before_it_along(empty_postgres_url: str) -> None:
    url = empty_postgres_url
    await asyncio.to_thread(migrations.upgrade, url, "0001")
    await execute(url, ROWS)
    await asyncio.to_thread(migrations.upgrade, url)
    await execute(url, LATER)
    await asyncio.to_thread(migrations.downgrade, url, "0001")
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT count(*) FROM request_logs") == 2
    assert await connection.fetchval("SELECT email FROM users JOIN quotas ON user_id = users.id") == "a@example.com"
    await connection.close()


def test_revisions_are_numbered_in_their_order() -> None:
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    revisions = [revision.revision for revision in script.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)
    assert revisions[0] == migrations.head_revision()


async def test_upgrading_twice_changes_nothing(postgres_url: str) -> None:
    before = await tables(postgres_url)
    await asyncio.to_thread(migrations.upgrade, postgres_url)
    assert await tables(postgres_url) == before


async def test_a_change_of_what_workers_hold_is_pushed_to_them(postgres_url: str) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(postgres_url)
    await listener.add_listener("guardflow_principals", lambda *said: heard.put_nowait(said[3]))
    await execute(postgres_url, ROWS)
    assert {await heard.get() for _ in range(1)} == {"1"}
    for statement, pushed in [
        ("UPDATE users SET is_active = false", "1"),
        ("UPDATE api_tokens SET revoked_at = now()", "1"),
        ("UPDATE api_tokens SET weekly_budget_micros = 1", "1"),
        ("INSERT INTO teams (name) VALUES ('a'); INSERT INTO team_members (user_id, team_id) VALUES (1, 1)", "1"),
        ("UPDATE teams SET rpm = 1", "*"),
        ("DELETE FROM team_members", "1"),
        ("UPDATE tasks SET is_active = false", "*"),
        ("DELETE FROM quotas", "1"),
        ("DELETE FROM users", "1"),
    ]:
        await execute(postgres_url, statement)
        async with asyncio.timeout(5):
            assert await heard.get() == pushed
    await listener.close()


@pytest.mark.parametrize("scheme", ["postgres://", "postgresql://"])
async def test_both_spellings_of_the_scheme_and_a_socket_folder_are_taken(postgres_url: str, scheme: str) -> None:
    url = postgres_url.replace("postgresql://", scheme)
    assert await asyncio.to_thread(migrations.current_revision, url) == migrations.head_revision()
    await asyncio.to_thread(migrations.upgrade, url)
