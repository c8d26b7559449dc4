"""People's passwords: argon2id, off the event loop, a bounded number at a time.

Checking costs the same whether or not the user exists, so that time tells nobody who has an account.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from admin.errors import invalid_field
from gateway.errors import Overloaded

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_COMMON = frozenset(
    {"admin", "admin123", "administrator", "password", "password1", "password123", "changeme", "letmein"}
    | {"guardflow", "qwerty", "qwerty123", "secret", "test123", "welcome", "12345678", "123456789", "1234567890"}
    | {"changeme123!", "correcthorsebatterystaple", "passwordpassword", "123456789012", "administrator1"}
)
AT_ONCE = 2
WAITING_MAX = 64


def hash_password(password: str) -> str:
    """Slow on purpose (some 30 ms of a core): not on the event loop."""
    return _HASHER.hash(password)


def refuse_weak(password: str, email: str, min_length: int) -> None:
    """Raise Unprocessable for a password that is too short or the first that anyone would try."""
    if len(password) < min_length:
        raise invalid_field("password", f"must have at least {min_length} characters")
    if password.lower() in _COMMON or password.lower() in (email.lower(), email.partition("@")[0].lower()):
        raise invalid_field("password", "is too easy to guess")


class Passwords:
    """Hashes and checks with at most AT_ONCE threads; more than `waiting_max` waiting are refused."""

    def __init__(self, waiting_max: int = WAITING_MAX) -> None:
        self._waiting_max = waiting_max
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobodys = hash_password("nobody has this password")

    async def hash(self, password: str) -> str:
        async with self._turn():
            return await asyncio.to_thread(hash_password, password)

    async def verify(self, hashed: str | None, password: str) -> bool:
        """False without a hash, after as much work as with one."""
        async with self._turn():
            matches = await asyncio.to_thread(_matches, hashed or self._nobodys, password)
        return matches and hashed is not None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= self._waiting_max:
            raise Overloaded("Too many people are signing in. Try again soon.", retry_after_s=5)
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()


def _matches(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
