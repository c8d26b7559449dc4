"""Quotas in process: the choice of a single worker without a server, the fallback, and the honest fake of tests.

A reservation does not yield between its check and its hold, so it is atomic. Holds need no lease: they die with the
process that made them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.errors import Refusal
from gateway.exchange import Grant
from gateway.quota.account import Account, Denied, Want
from gateway.quota.base import (
    RECORD_S,
    WINDOW_S,
    Ask,
    Ledger,
    Left,
    QuotaUsage,
    Scope,
    Spent,
    allowed,
    bounded,
    refuse,
)
from gateway.quota.calendar import day_of
from gateway.quota.seeding import Seeding

IDLE_S = 172_800.0
"""An account nobody has used for this long is dropped, to be rebuilt from the ledger."""


@dataclass(slots=True)
class _Idle:
    account: Account
    used_at: float


class MemoryQuotaStore:
    """`clock` gives unix seconds; it is the store's only clock. `granted` is what is open here, and what each holds."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.time) -> None:
        self._seeding = Seeding(ledger)
        self._clock = clock
        self._accounts: dict[str, _Idle] = {}
        self.granted: dict[str, int] = {}
        self._settled: dict[str, tuple[float, int]] = {}

    async def start(self) -> None:
        """Nothing runs in the background here."""

    async def close(self) -> None:
        """Nothing to deliver."""

    async def reserve(self, ask: Ask) -> Grant:
        scopes = [scope for scope in ask.scopes if scope.limited]
        if not scopes:
            return Grant(ask.tokens)
        for scope in scopes:
            if _needs_seed(scope):
                await self._seed(scope)
        now = self._clock()
        accounts = [self._account(scope, now) for scope in scopes]
        reserved = self._known(ask.id)
        if reserved is None:
            reserved = self._hold(ask, scopes, accounts, now)
        return _grant(scopes, accounts, reserved)

    def settle(self, ask: Ask, tokens: int, cost_micros: int) -> None:
        now = self._clock()
        self._forget_settled(now)
        if ask.id in self._settled:
            return
        tokens = bounded(tokens)
        self._settled[ask.id] = (now, self.granted.pop(ask.id, tokens))
        for scope in ask.scopes:
            if scope.limited:
                self._account(scope, now).charge(ask.id, tokens, bounded(cost_micros), now)

    def recover(self, left: Left) -> None:
        now = self._clock()
        self._forget_settled(now)
        if left.ask_id in self._settled:
            return
        self._settled[left.ask_id] = (now, left.tokens)
        for scope in left.scopes:
            account = self._account(scope, now)
            account.count(bounded(left.tokens), bounded(left.cost_micros), now - left.age_s)

    def undo(self, ask: Ask) -> None:
        """Take back a reservation whose call never was."""
        if self.granted.pop(ask.id, None) is not None:
            now = self._clock()
            for scope in ask.scopes:
                if scope.limited:
                    self._account(scope, now).undo(ask.id)

    async def usage(self, scope: Scope) -> QuotaUsage:
        if not scope.limited:
            return await self._seeding.usage(scope, self._clock())
        await self._seed(scope)
        now = self._clock()
        return self._account(scope, now).usage(scope.limits, now)

    async def forget(self, scope: Scope) -> None:
        self._account(scope, self._clock()).seeded = False

    def forget_all(self) -> None:
        """Ask the ledger anew for every account; windows and holds stay."""
        for idle in self._accounts.values():
            idle.account.seeded = False

    def preload(self, scope: Scope, calls: int, tokens: int, at: float) -> None:
        """Count in the window of `scope` what another store admitted until `at`."""
        self._account(scope, self._clock()).preload(calls, tokens, at)

    def adopt(self, ask: Ask, tokens: int) -> None:
        """Hold what another store granted; its windows are preloaded."""
        if ask.id not in self.granted:
            self.granted[ask.id] = tokens
            for scope in ask.scopes:
                if scope.limited:
                    self._account(scope, self._clock()).hold(ask.id, tokens, ask.cost_micros)

    def _hold(self, ask: Ask, scopes: Sequence[Scope], accounts: Sequence[Account], now: float) -> int:
        tokens = bounded(ask.tokens)
        want = Want(tokens, min(tokens, bounded(ask.min_tokens) + 1), bounded(ask.cost_micros))
        for scope, account in zip(scopes, accounts, strict=True):
            admitted = account.admits(scope.limits, want, tokens, now)
            if isinstance(admitted, Denied):
                raise _refusal(scope, admitted)
            tokens = admitted
        for account in accounts:
            account.admit(ask.id, tokens, want.share_of(tokens), now)
        self.granted[ask.id] = tokens
        return tokens

    def _known(self, ask_id: str) -> int | None:
        """What was reserved for an ask that was granted before."""
        if (reserved := self.granted.get(ask_id)) is not None:
            return reserved
        settled = self._settled.get(ask_id)
        return None if settled is None else settled[1]

    def _forget_settled(self, now: float) -> None:
        while self._settled:
            oldest = next(iter(self._settled))
            if self._settled[oldest][0] > now - RECORD_S:
                break
            del self._settled[oldest]

    def _account(self, scope: Scope, now: float) -> Account:
        """The account of `scope`, brought to `now` and put at the end of the line of those to drop."""
        key = scope.name
        idle = self._accounts.pop(key, None) or _Idle(Account(), now)
        idle.used_at = now
        self._accounts[key] = idle
        self._drop_idle(now)
        idle.account.turn(now)
        return idle.account

    def _drop_idle(self, now: float) -> None:
        key = next(iter(self._accounts))
        oldest = self._accounts[key]
        if oldest.used_at < now - IDLE_S and not oldest.account.holds:
            del self._accounts[key]

    async def _seed(self, scope: Scope) -> None:
        """Have the counters of `scope` in place, as of the day they are used on."""

        async def plant(spent: Spent) -> None:
            now = self._clock()
            account = self._account(scope, now)
            if not account.seeded and day_of(now) == asked_on:
                account.spent, account.seeded = spent, True

        while not self._account(scope, self._clock()).seeded:
            asked_on = day_of(self._clock())
            await self._seeding.seed(scope, plant)


def _needs_seed(scope: Scope) -> bool:
    limits = scope.limits
    tokens = (limits.daily_tokens, limits.monthly_tokens)
    budgets = (limits.daily_budget_micros, limits.weekly_budget_micros, limits.monthly_budget_micros)
    return any(limit is not None for limit in (*tokens, *budgets))


def _refusal(scope: Scope, denied: Denied) -> Refusal:
    return refuse(denied.limit, scope.name, allowed(scope.limits, denied.limit), denied.wait_s)


def _grant(scopes: Sequence[Scope], accounts: Sequence[Account], reserved: int) -> Grant:
    """What the client is told is what the tightest scope says."""
    requests, tokens = [], []
    for scope, account in zip(scopes, accounts, strict=True):
        if (rpm := scope.limits.rpm) is not None:
            requests.append((max(rpm - account.window.calls, 0), rpm))
        if (tpm := scope.limits.tpm) is not None:
            tokens.append((max(tpm - account.window.tokens, 0), tpm))
    requests_left, rpm = min(requests, default=(None, None))
    tokens_left, tpm = min(tokens, default=(None, None))
    return Grant(
        reserved,
        rpm,
        requests_left,
        0.0 if rpm is None else WINDOW_S,
        tpm,
        tokens_left,
        0.0 if tpm is None else WINDOW_S,
    )
