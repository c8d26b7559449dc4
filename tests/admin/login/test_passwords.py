"""Passwords: what is too weak, what matches, and what happens when everybody signs in at once."""

import asyncio

import pytest

from admin.errors import Unprocessable
from admin.login.passwords import AT_ONCE, Passwords, hash_password, refuse_weak
from gateway.errors import Overloaded


async def test_only_the_password_itself_matches() -> None:
    passwords = Passwords()
    hashed = await passwords.hash("a good password")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2")
    assert await passwords.verify(hashed, "a good password")
    assert not await passwords.verify(hashed, "a bad password")
    assert not await passwords.verify("not a hash", "a good password")


async def test_without_a_hash_nothing_matches_not_even_the_stand_in() -> None:
    assert not await Passwords().verify(None, "nobody has this password")


@pytest.mark.parametrize("password", ["short", "administrator1", "PASSWORDPASSWORD", "grace.hopper@navy.mil"])
def test_short_and_obvious_passwords_are_refused(password: str) -> None:
    with pytest.raises(Unprocessable):
        refuse_weak(password, "grace.hopper@navy.mil", 12)


def test_a_long_unusual_password_is_taken() -> None:
    refuse_weak("a pulse every 3 hours", "grace.hopper@navy.mil", 12)


async def test_a_crowd_beyond_the_queue_is_turned_away_and_the_rest_is_served() -> None:
    passwords, hashed = Passwords(waiting_max=3), hash_password("x")
    crowd = AT_ONCE + 3 + 10
    results = await asyncio.gather(*(passwords.verify(hashed, "x") for _ in range(crowd)), return_exceptions=True)
    assert sum(result is True for result in results) == AT_ONCE + 3
    assert sum(isinstance(result, Overloaded) for result in results) == 10
    assert await passwords.verify(hashed, "x")
