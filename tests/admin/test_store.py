"""Conditions and changes are built of our texts and bound values alone."""

import pytest

from admin.store import Where, contains, transaction, update
from gateway.db import DatabaseDown, Pool, connect_pool


def test_values_are_numbered_and_never_in_the_text() -> None:
    where = Where()
    assert where.sql() == ""
    where.add("a = {}", "x'; DROP TABLE users --")
    where.add("b = {}", None)
    where.add("(c, d) < ({}, {})", 1, 2)
    where.add("(e = {0} OR f = {0})", 3)
    assert where.sql() == " WHERE a = $1 AND (c, d) < ($2, $3) AND (e = $4 OR f = $4)"
    assert where.values == ["x'; DROP TABLE users --", 1, 2, 3]


def test_an_update_names_columns_and_numbers_values() -> None:
    assert (
        update("users", {"a": 1, "b": 2}, also="c = now()")
        == "UPDATE users SET a = $2, b = $3, c = now() WHERE id = $1"
    )
    assert update("quotas", {"a": 1}, key="user_id") == "UPDATE quotas SET a = $2 WHERE user_id = $1"


def test_wildcards_are_escaped() -> None:
    assert contains("50%_\\") == "%50\\%\\_\\\\%"
    assert contains(None) is None


async def test_a_failed_transaction_leaves_nothing(pool: Pool) -> None:
    async def half() -> None:
        async with transaction(pool) as conn:
            await conn.execute("INSERT INTO tasks (name) VALUES ('half')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await half()
    async with transaction(pool, read_only=True) as conn:
        assert await conn.fetchval("SELECT count(*) FROM tasks WHERE name = 'half'") == 0


async def test_a_read_only_transaction_writes_nothing(pool: Pool) -> None:
    with pytest.raises(DatabaseDown):  # what a write would meet on a replica
        async with transaction(pool, read_only=True) as conn:
            await conn.execute("DELETE FROM tasks")


async def test_a_database_that_is_away_is_said_so(postgres_url: str) -> None:
    pool = await connect_pool(postgres_url.replace("host=", "host=/nowhere"))
    with pytest.raises(DatabaseDown):
        async with transaction(pool):
            pass
    await pool.close()
