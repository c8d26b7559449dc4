"""Users and tokens from the command line, in the database and the audit."""

import asyncpg
import pytest

from admin.accounts.types import CreateUser
from admin.errors import Conflict, NotFound
from gateway.tokens.base import digest
from guardflow import people


async def audit(url: str) -> list[tuple[str, str]]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT actor_kind, action FROM audit_log ORDER BY id")
    await connection.close()
    return [(row["actor_kind"], row["action"]) for row in rows]


async def works(url: str, token: str) -> bool:
    connection = await asyncpg.connect(url)
    question = "SELECT revoked_at IS NULL AND coalesce(expires_at > now(), true) FROM api_tokens WHERE token_hash = $1"
    found: bool = await connection.fetchval(question, digest(token))
    await connection.close()
    return found


async def test_a_user_is_made_with_limits_and_a_token_and_an_account_of_it(postgres_url: str) -> None:
    made = await people.create_user(postgres_url, CreateUser(email="a@example.com", name="A", daily_quota=10, rpm=5))
    assert (made.email, made.daily_quota, made.rpm) == ("a@example.com", 10, 5)
    assert await works(postgres_url, made.api_token)
    assert await audit(postgres_url) == [("cli", "users:create"), ("cli", "tokens:create")]
    with pytest.raises(Conflict, match="already a user"):
        await people.create_user(postgres_url, CreateUser(email="A@example.com", name="B"))


async def test_a_token_is_made_for_a_user_by_number_or_address(postgres_url: str) -> None:
    made = await people.create_user(postgres_url, CreateUser(email="a@example.com", name="A"))
    for owner in (str(made.id), "A@Example.com"):
        token = await people.create_token(postgres_url, owner, "for a test")
        assert token.user_id == made.id
        assert await works(postgres_url, token.api_token)
    for nobody in ("999", "b@example.com"):
        with pytest.raises(NotFound):
            await people.create_token(postgres_url, nobody, "")


async def test_a_revoked_token_ends_and_is_not_rotated(postgres_url: str) -> None:
    made = await people.create_user(postgres_url, CreateUser(email="a@example.com", name="A"))
    await people.revoke_token(postgres_url, made.token_id)
    assert not await works(postgres_url, made.api_token)
    with pytest.raises(Conflict, match="revoked"):
        await people.rotate_token(postgres_url, made.token_id, 0)


async def test_a_rotated_token_overlaps_for_as_long_as_it_was_given(postgres_url: str) -> None:
    made = await people.create_user(postgres_url, CreateUser(email="a@example.com", name="A"))
    new = await people.rotate_token(postgres_url, made.token_id, 10)
    assert await works(postgres_url, made.api_token)
    newest = await people.rotate_token(postgres_url, new.id, 0)
    assert not await works(postgres_url, new.api_token)
    assert await works(postgres_url, newest.api_token)
