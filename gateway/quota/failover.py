"""Redis while it answers; while it doesn't, each worker grants its own share of every limit.

Limits are never multiplied: a share is the limit divided by the workers, and of what a day or month has left likewise.
At either change of store, what is open and what the last minute saw goes along: an outage is no fresh allowance.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import lru_cache
from typing import TypeAlias

from gateway.errors import Refusal
from gateway.exchange import Grant, Limits
from gateway.quota.base import (
    WINDOW_S,
    Ask,
    Ledger,
    LedgerUnavailable,
    Left,
    QuotaUnavailable,
    QuotaUsage,
    Scope,
    Spent,
    WindowUsage,
)
from gateway.quota.memory import MemoryQuotaStore
from gateway.quota.redis import RedisQuotaStore

logger = logging.getLogger("guardflow.quota")

MOST_SEEN = 4096
"""Of at least so many users, the latest, a worker remembers what Redis said last; of twice as many at most."""


@lru_cache(maxsize=4096)
def share_of(scope: Scope, workers: int) -> Scope:
    """`scope` with one worker's share of its limits; what allowed something still allows something."""

    def share(limit: int | None) -> int | None:
        return None if limit is None else max(limit // workers, min(limit, 1))

    limits = scope.limits
    return scope._replace(
        limits=Limits(
            rpm=share(limits.rpm),
            tpm=share(limits.tpm),
            daily_tokens=share(limits.daily_tokens),
            monthly_tokens=share(limits.monthly_tokens),
            concurrent=share(limits.concurrent),
            monthly_budget_micros=share(limits.monthly_budget_micros),
            daily_budget_micros=share(limits.daily_budget_micros),
            weekly_budget_micros=share(limits.weekly_budget_micros),
        ),
    )


def _of_all(usage: QuotaUsage, limits: Limits, workers: int) -> QuotaUsage:
    """What all workers have used, taking each to be like this one."""

    def whole(window: WindowUsage, limit: int | None) -> WindowUsage:
        return WindowUsage(limit, window.used * workers, window.reserved * workers, window.resets_at)

    return QuotaUsage(
        requests_per_minute=whole(usage.requests_per_minute, limits.rpm),
        tokens_per_minute=whole(usage.tokens_per_minute, limits.tpm),
        daily_tokens=whole(usage.daily_tokens, limits.daily_tokens),
        monthly_tokens=whole(usage.monthly_tokens, limits.monthly_tokens),
        concurrent=whole(usage.concurrent, limits.concurrent),
        monthly_budget_micros=whole(usage.monthly_budget_micros, limits.monthly_budget_micros),
        daily_budget_micros=whole(usage.daily_budget_micros, limits.daily_budget_micros),
        weekly_budget_micros=whole(usage.weekly_budget_micros, limits.weekly_budget_micros),
    )


class _SharedLedger:
    """One worker's share of what is spent: so its share of a limit leaves its share of the rest."""

    def __init__(self, ledger: Ledger, workers: int) -> None:
        self._ledger = ledger
        self._workers = workers

    async def spent(self, scope: Scope) -> Spent:
        spent = await self._ledger.spent(scope)
        return Spent(*(-(-getattr(spent, sum_of.name) // self._workers) for sum_of in fields(Spent)))


_Seen: TypeAlias = tuple[float, Sequence[Scope], Grant]
"""When Redis spoke last of a user, of which scopes, and what it said. A bare tuple: there is one for every request."""


def _used(limit: int | None, told: int | None, left: int | None) -> int:
    """How much of `limit` is used, if it is the one that the grant told of."""
    return limit - left if limit is not None and limit == told and left is not None else 0


class FailoverQuotaStore:
    """The quota contract that outlives Redis."""

    def __init__(
        self, primary: RedisQuotaStore, workers: int, ledger: Ledger, clock: Callable[[], float] = time.time
    ) -> None:
        self._primary = primary
        self._workers = workers
        self._clock = clock
        self._lent: dict[str, tuple[Ask, int]] = {}
        self._seen: dict[int, _Seen] = {}
        self._seen_before: dict[int, _Seen] = {}
        self._local = MemoryQuotaStore(_SharedLedger(ledger, workers), clock)
        self._degraded = False
        primary.pipe.on_up.append(self._hand_back)

    @property
    def degraded(self) -> bool:
        return self._degraded or not self._primary.available

    @property
    def pending_settles(self) -> int:
        return self._primary.pending_settles

    async def start(self) -> None:
        await self._primary.start()

    async def close(self) -> None:
        await self._primary.close()

    async def reserve(self, ask: Ask) -> Grant:
        if ask.id in self._local.granted:
            return await self._local.reserve(self._shared(ask))
        try:
            grant = await self._primary.reserve(ask)
        except LedgerUnavailable:
            raise
        except QuotaUnavailable as error:
            self._degrade(error)
            return await self._reserve_locally(ask)
        if self._degraded and self._primary.available:
            self._recover()
        seen, scopes = self._seen, ask.scopes
        seen[scopes[0].user_id] = (self._clock(), scopes, grant)
        if len(seen) >= MOST_SEEN:
            self._seen_before, self._seen = seen, {}
        return grant

    def settle(self, ask: Ask, tokens: int, cost_micros: int) -> None:
        if self._lent:
            self._lent.pop(ask.id, None)
        if ask.id in self._local.granted:
            self._local.settle(self._shared(ask), tokens, cost_micros)
        self._primary.settle(ask, tokens, cost_micros)

    def recover(self, left: Left) -> None:
        if self.degraded:
            tokens, cost_micros = -(-left.tokens // self._workers), -(-left.cost_micros // self._workers)
            self._local.recover(replace(left, tokens=tokens, cost_micros=cost_micros))
        self._primary.recover(left)

    async def usage(self, scope: Scope) -> QuotaUsage:
        try:
            return await self._primary.usage(scope)
        except LedgerUnavailable:
            raise
        except QuotaUnavailable:
            local = await self._local.usage(share_of(scope, self._workers))
            return _of_all(local, scope.limits, self._workers)

    async def forget(self, scope: Scope) -> None:
        await self._local.forget(scope)
        try:
            await self._primary.forget(scope)
        except QuotaUnavailable:
            self._primary.forget_later(scope)

    async def _reserve_locally(self, ask: Ask) -> Grant:
        try:
            grant = await self._local.reserve(self._shared(ask))
        except (Refusal, QuotaUnavailable, asyncio.CancelledError):
            # Redis may have taken the reservation and lost the reply.
            self._primary.undo(ask)
            raise
        self._lent[ask.id] = (ask, grant.reserved_tokens)
        return grant

    def _shared(self, ask: Ask) -> Ask:
        return ask._replace(scopes=[share_of(scope, self._workers) for scope in ask.scopes])

    def _degrade(self, error: QuotaUnavailable) -> None:
        if not self._degraded:
            self._degraded = True
            self._take_over()
            logger.warning("quotas: every worker grants its own share of the limits: %s", error)

    def _take_over(self) -> None:
        """Start from what Redis last said of each user, and from what it granted to this worker and is still open."""
        last = {**self._seen_before, **self._seen}
        # In order, so that of a team the latest counts: what was said to whichever of its members.
        for at, scopes, grant in sorted(last.values(), key=lambda seen: seen[0]):
            for scope in scopes:
                calls = _used(scope.limits.rpm, grant.limit_requests, grant.remaining_requests)
                tokens = _used(scope.limits.tpm, grant.limit_tokens, grant.remaining_tokens)
                if (calls or tokens) and at > self._clock() - WINDOW_S:
                    shares = -(-calls // self._workers), -(-tokens // self._workers)
                    self._local.preload(scope, *shares, at)
        self._seen, self._seen_before = {}, {}
        for held in self._primary.open_holds():
            self._local.adopt(self._shared(held.ask), held.tokens)

    def _hand_back(self) -> None:
        """Redis is back: what was granted here and is open is on its books before the next call is judged."""
        for ask, tokens in self._lent.values():
            self._primary.adopt(ask, tokens)

    def _recover(self) -> None:
        self._degraded = False
        self._local.forget_all()  # by the next time, others will have spent too
        logger.info("quotas: limits are shared by all workers again")
