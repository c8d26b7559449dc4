"""Whom a gateway starts with."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from admin.login.passwords import Passwords
from admin.login.store import Account, find_account
from guardflow.bootstrap import DEMO_EMAIL, Administrator, ensure_people
from guardflow.people import transaction

ADMIN = Administrator("admin@example.com", "first password", enforced=False)


async def account(url: str, email: str) -> Account | None:
    async with transaction(url) as connection:
        return await find_account(connection, email)


async def signs_in(url: str, password: str) -> bool:
    found = await account(url, ADMIN.email)
    return found is not None and await Passwords().verify(found.hashed_password, password)


async def test_the_first_start_makes_both_and_the_second_nothing(postgres_url: str) -> None:
    first = await ensure_people(postgres_url, ADMIN, demo=True)
    assert first.made_administrator
    assert first.demo_token is not None
    found = await account(postgres_url, ADMIN.email)
    assert found is not None
    assert found.user.role == "admin"
    second = await ensure_people(postgres_url, ADMIN, demo=True)
    assert (second.made_administrator, second.demo_token) == (False, None)


async def test_production_gets_no_demonstration_user(postgres_url: str) -> None:
    started = await ensure_people(postgres_url, ADMIN, demo=False)
    assert started.demo_token is None
    assert await account(postgres_url, DEMO_EMAIL) is None


async def test_a_generated_password_never_undoes_what_a_person_set(postgres_url: str) -> None:
    await ensure_people(postgres_url, ADMIN, demo=False)
    await ensure_people(postgres_url, replace(ADMIN, password="another generated"), demo=False)
    assert await signs_in(postgres_url, "first password")


async def test_a_chosen_password_holds_at_every_start_and_ends_the_sessions(postgres_url: str) -> None:
    await ensure_people(postgres_url, ADMIN, demo=False)
    before = await account(postgres_url, ADMIN.email)
    chosen = Administrator(ADMIN.email.upper(), "chosen", enforced=True)
    await ensure_people(postgres_url, chosen, demo=False)
    assert await signs_in(postgres_url, "chosen")
    after = await account(postgres_url, ADMIN.email)
    assert before is not None
    assert after is not None
    assert after.version == before.version + 1
    await ensure_people(postgres_url, chosen, demo=False)
    assert await account(postgres_url, ADMIN.email) == after


@pytest.mark.parametrize("harm", ["role = 'user'", "is_active = false", "hashed_password = NULL"])
async def test_an_administrator_who_is_locked_out_gets_back_in_by_the_settings(postgres_url: str, harm: str) -> None:
    chosen = replace(ADMIN, enforced=True)
    await ensure_people(postgres_url, chosen, demo=False)
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"UPDATE users SET {harm}")
    await ensure_people(postgres_url, chosen, demo=False)
    found = await account(postgres_url, ADMIN.email)
    assert found is not None
    assert (found.user.role, found.is_active) == ("admin", True)
    assert await signs_in(postgres_url, ADMIN.password)
    reasons = await connection.fetch("SELECT actor_kind, reason FROM audit_log WHERE action = 'users:update'")
    assert [tuple(row) for row in reasons] == [("system", "ADMIN_PASSWORD")]
    await connection.close()


async def test_many_first_starts_at_once_make_one_administrator(postgres_url: str) -> None:
    started = await asyncio.gather(*(ensure_people(postgres_url, ADMIN, demo=True) for _ in range(4)))
    assert sum(one.made_administrator for one in started) == 1
    assert sum(one.demo_token is not None for one in started) == 1
