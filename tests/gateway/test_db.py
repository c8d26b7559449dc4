import asyncio
import os
import signal
import time
from pathlib import Path

import asyncpg
import pytest

from gateway.db import DatabaseDown, acquired, connect, connect_pool, translated


async def test_a_pool_works_over_a_unix_socket_and_speaks_utc(postgres_url: str) -> None:
    pool = await connect_pool(postgres_url, name="someone")
    async with acquired(pool) as connection:
        row = await connection.fetchrow(
            "SELECT current_setting('timezone'), current_setting('application_name'),"
            " current_setting('statement_timeout')"
        )
    await pool.close()
    assert tuple(row) == ("UTC", "someone", "10s")


async def test_a_pool_can_be_made_while_the_server_is_away(tmp_path: Path) -> None:
    pool = await connect_pool(f"postgresql://postgres@/none?host={tmp_path}")
    with pytest.raises(DatabaseDown, match="FileNotFoundError"):
        async with acquired(pool):
            raise AssertionError("there is no server")
    await pool.close()


async def test_a_missing_database_is_not_now(postgres_url: str) -> None:
    with pytest.raises(DatabaseDown):
        await connect(postgres_url.replace("/test_", "/missing_"), name="someone")


async def test_a_statement_that_takes_too_long_is_not_now(postgres_url: str) -> None:
    pool = await connect_pool(postgres_url, timeout_s=0.1)
    with pytest.raises(DatabaseDown):
        async with acquired(pool) as connection:
            await connection.execute("SELECT pg_sleep(10)")
    async with acquired(pool) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await pool.close()


async def test_a_pool_with_nothing_to_spare_is_not_now(postgres_url: str) -> None:
    pool = await connect_pool(postgres_url, max_size=1)
    async with acquired(pool):
        started = time.monotonic()
        with pytest.raises(DatabaseDown):
            async with acquired(pool, timeout_s=0.1):
                raise AssertionError("there is but one connection")
        assert time.monotonic() - started < 2
    await pool.close()


async def test_a_connection_that_is_killed_is_not_now_and_the_next_one_works(postgres_url: str) -> None:
    pool = await connect_pool(postgres_url)
    killer = await asyncpg.connect(postgres_url)

    async def be_killed() -> None:
        async with acquired(pool) as connection:
            await killer.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
            await connection.execute("SELECT 1")

    with pytest.raises(DatabaseDown):
        await be_killed()
    async with acquired(pool) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await killer.close()
    await pool.close()


async def test_a_server_that_hangs_is_given_up(postgres_url: str) -> None:
    connection = await connect(postgres_url, name="someone", timeout_s=0.2)
    pid = connection.get_server_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        with translated(), pytest.raises(TimeoutError):
            await connection.execute("SELECT 1")
    finally:
        os.kill(pid, signal.SIGCONT)
        connection.terminate()
        await asyncio.sleep(0)


async def test_our_own_mistakes_are_not_taken_for_an_outage(postgres_url: str) -> None:
    pool = await connect_pool(postgres_url)
    async with acquired(pool) as connection:
        for statement in ("SELEC 1", "SELECT * FROM nowhere", "SELECT 1/0"):
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute(statement)
    with pytest.raises(asyncpg.UniqueViolationError):
        async with acquired(pool) as connection:
            await connection.execute("INSERT INTO tasks (name) VALUES ('general')")
    await pool.close()
