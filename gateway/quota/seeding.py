"""Asking the ledger for the counters of a scope: once, however many calls wait for the answer, and not for ever."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.quota.account import Account
from gateway.quota.base import Ledger, LedgerUnavailable, QuotaUsage, Scope, Spent
from gateway.tasks import spawn

TIMEOUT_S = 2.0

Plant = Callable[[Spent], Awaitable[None]]
"""Puts what the ledger said where the counters are."""


class Seeding:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._under_way: dict[str, asyncio.Task[Exception | None]] = {}

    async def seed(self, scope: Scope, plant: Plant) -> None:
        """Return when the counters of `scope` are planted; raise LedgerUnavailable, or what `plant` raised."""
        task = self._under_way.get(scope.name)
        if task is None:
            task = spawn(self._seed(scope, plant), name=f"quota-seed-{scope.name}")
            self._under_way[scope.name] = task
        # One caller that leaves must not take the answer from the others.
        if (error := await asyncio.shield(task)) is not None:
            raise error

    async def _seed(self, scope: Scope, plant: Plant) -> Exception | None:
        try:
            await plant(await self.spent(scope))
        except Exception as error:  # noqa: BLE001 - every waiter raises it
            return error
        finally:
            del self._under_way[scope.name]
        return None

    async def spent(self, scope: Scope) -> Spent:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._ledger.spent(scope)
        except Exception as error:  # a ledger may fail in the ways of any driver; here they all mean the same
            raise LedgerUnavailable(f"the ledger does not answer for {scope.name}: {error!r}") from error

    async def usage(self, scope: Scope, now: float) -> QuotaUsage:
        """What the ledger alone knows of `scope`: day, week and month."""
        account = Account(spent=await self.spent(scope))
        return account.usage(scope.limits, now)
