"""Verified tokens in memory, so that a known caller costs no round trip.

An entry is believed for the TTL; a change pushed by the database ends it at once. While the push is not connected the
TTL is a second, so a revocation works within a second either way. While the database is away an entry is believed
for `stale_ok_s`, unless it is known to have changed.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.exchange import Principal
from gateway.tasks import spawn
from gateway.tokens.base import TokenStore, TokensUnavailable

logger = logging.getLogger("guardflow.tokens")

_UNPUSHED_TTL_S = 1.0
_NEGATIVE_TTL_S = 5.0
_PATIENCE_S = 0.1
"""How long a caller with an entry at hand waits for a database that hangs."""
_PROBE_EVERY_S = 1.0
_LONG_AGO = float("-inf")


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the store said; `at` is when it was asked. None is "no such token"."""

    principal: Principal | None
    at: float


class CachedTokenStore:
    """One event loop's. `peek` is the hot path; `find` what to await where it returns None."""

    def __init__(
        self,
        inner: TokenStore,
        *,
        ttl_s: float = 30.0,
        stale_ok_s: float = 300.0,
        max_entries: int = 50_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._full_ttl_s = ttl_s
        self._ttl_s = min(ttl_s, _UNPUSHED_TTL_S)
        self._stale_ok_s = stale_ok_s
        self._max_entries = max_entries
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._tokens_of: dict[int, set[bytes]] = {}
        self._flights: dict[bytes, asyncio.Task[_Answer | None]] = {}
        self._valid_from = _LONG_AGO
        self._changes = 0
        self._is_down = False
        self._probe_at = _LONG_AGO

    @property
    def is_pushed(self) -> bool:
        """Do changes reach us at once, rather than within the short TTL?"""
        return self._ttl_s == self._full_ttl_s

    @property
    def is_down(self) -> bool:
        """Did the last look-up find the database away?"""
        return self._is_down

    def __len__(self) -> int:
        return len(self._entries)

    def peek(self, token_hash: bytes) -> Principal | None:
        """The principal, where it is known and fresh."""
        entry = self._entries.get(token_hash)
        if entry is None:
            return None
        at = entry[1]
        return entry[0] if at > self._valid_from and self._clock() - at < self._ttl_s else None

    async def find(self, token_hash: bytes) -> Principal | None:
        """As `TokenStore.find`. Callers that ask for one token at one time share a look-up."""
        if (principal := self.peek(token_hash)) is not None:
            return principal
        now = self._clock()
        if now - self._unknown.get(token_hash, _LONG_AGO) < min(_NEGATIVE_TTL_S, self._full_ttl_s):
            return None
        flight = self._flight(token_hash, now)
        stale = self._stale(token_hash, now)
        if stale is None:
            answer = await asyncio.shield(flight) if flight is not None else None
            if answer is None:
                raise TokensUnavailable("the token database is away")
            return answer.principal
        return stale if flight is None or self._is_down else await self._patiently(flight, stale)

    def invalidate(self, user_id: int | None = None) -> None:
        """What is known of a user has changed: forget it. None: anything may have changed, so ask again."""
        self._changes += 1
        self._flights.clear()
        self._unknown.clear()
        if user_id is None:
            self._valid_from = self._clock()
            return
        for token_hash in self._tokens_of.pop(user_id, ()):
            self._entries.pop(token_hash, None)

    def set_pushed(self, is_pushed: bool) -> None:
        """Changes are pushed to us from now on; or not any more. What was missed meanwhile is asked again."""
        self._ttl_s = self._full_ttl_s if is_pushed else min(self._full_ttl_s, _UNPUSHED_TTL_S)
        if is_pushed:
            self.invalidate()

    def _flight(self, token_hash: bytes, now: float) -> asyncio.Task[_Answer | None] | None:
        """The look-up to share. While the database is away there is one now and then, to see if it is back."""
        flight = self._flights.get(token_hash)
        if flight is not None:
            return flight
        if self._is_down and now < self._probe_at:
            return None
        self._probe_at = now + _PROBE_EVERY_S
        flight = self._flights[token_hash] = spawn(self._look_up(token_hash, now), name="token-lookup")
        return flight

    async def _look_up(self, token_hash: bytes, now: float) -> _Answer | None:
        """Ask the store and keep what it says; None where it is away."""
        changes = self._changes
        try:
            answer = _Answer(await self._inner.find(token_hash), now)
            self._set_down(None)
            if changes == self._changes:  # else it may be what was true before the change
                self._keep(token_hash, answer)
            return answer
        except TokensUnavailable as error:
            self._set_down(str(error))
            return None
        finally:
            if self._flights.get(token_hash) is asyncio.current_task():
                del self._flights[token_hash]

    async def _patiently(self, flight: asyncio.Task[_Answer | None], stale: Principal) -> Principal | None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = await asyncio.shield(flight)
        except TimeoutError:
            self._set_down("slow")
            return stale
        return stale if answer is None else answer.principal

    def _set_down(self, why: str | None) -> None:
        if (why is not None) != self._is_down:
            self._is_down = why is not None
            logger.warning("tokens are looked up again" if why is None else f"tokens cannot be looked up: {why}")

    def _stale(self, token_hash: bytes, now: float) -> Principal | None:
        entry = self._entries.get(token_hash)
        return entry[0] if entry is not None and now - entry[1] < self._stale_ok_s else None

    def _keep(self, token_hash: bytes, answer: _Answer) -> None:
        self._drop(token_hash)
        if answer.principal is None:
            self._unknown[token_hash] = answer.at
            if len(self._unknown) > self._max_entries // 4:
                self._unknown.popitem(last=False)
            return
        self._entries[token_hash] = (answer.principal, answer.at)
        self._tokens_of.setdefault(answer.principal.user_id, set()).add(token_hash)
        if len(self._entries) > self._max_entries:
            self._drop(next(iter(self._entries)))

    def _drop(self, token_hash: bytes) -> None:
        self._unknown.pop(token_hash, None)
        entry = self._entries.pop(token_hash, None)
        if entry is None:
            return
        tokens = self._tokens_of.get(entry[0].user_id, set())
        tokens.discard(token_hash)
        if not tokens:
            self._tokens_of.pop(entry[0].user_id, None)
