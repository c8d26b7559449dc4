"""Quotas in Redis: one script call a decision, exact over any number of workers.

Every step is a Lua script, so it is atomic, and its clock is Redis's. A scope that Redis has no counters for is
seeded from the ledger first.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from gateway.errors import Refusal
from gateway.exchange import Grant, Limits
from gateway.quota.base import (
    LEASE_S,
    WINDOW_S,
    Ask,
    Ledger,
    Left,
    QuotaUnavailable,
    QuotaUsage,
    Scope,
    Spent,
    WindowUsage,
    allowed,
    bounded,
    refuse,
)
from gateway.quota.calendar import next_day, next_month, wait_for
from gateway.quota.outbox import Charge, Outbox
from gateway.quota.seeding import Seeding
from gateway.tasks import spawn
from gateway.wire.redis import RedisDown, RedisError, RedisPipe

PREFIX = "gf"
MOST_PENDING = 50_000
RENEW_BATCH = 200
REFUSED, UNSEEDED = 0, 2
SEED_TRIES = 3
MICROS = 1_000_000
UNLIMITED_PACKED = ",,,,,"


@lru_cache
def script_text(name: str) -> str:
    """The Lua of one script, whole."""
    here = Path(__file__).parent
    return (here / "scope.lua").read_text() + (here / f"{name}.lua").read_text()


@dataclass(frozen=True, slots=True)
class Held:
    """An open reservation of this process, and its keys."""

    ask: Ask
    keys: tuple[str, ...]
    tokens: int


class RedisQuotaStore:
    """The quota contract over one pipe. `start` begins the renewing of leases and the repeating of settles; the pipe
    is opened and closed by its owner."""

    def __init__(
        self,
        pipe: RedisPipe,
        ledger: Ledger,
        *,
        most_pending: int = MOST_PENDING,
        renew_every_s: float = LEASE_S / 3,
        read_script: Callable[[str], str] = script_text,
    ) -> None:
        self.pipe = pipe
        self._seeding = Seeding(ledger)
        self._renew_every_s = renew_every_s
        self._reserve = pipe.script(read_script("reserve"))
        self._renew = pipe.script(read_script("renew"))
        self._seed = pipe.script(read_script("seed"))
        self._usage = pipe.script(read_script("usage"))
        self._outbox = Outbox(pipe, pipe.script(read_script("settle")), self._forget, most_pending)
        self._open: dict[str, Held] = {}
        self._background: list[asyncio.Task[None]] = []

    @property
    def available(self) -> bool:
        return self.pipe.available

    @property
    def pending_settles(self) -> int:
        """Settles that Redis has not confirmed."""
        return len(self._outbox)

    def open_holds(self) -> list[Held]:
        """Reservations of this process that are not settled yet."""
        return list(self._open.values())

    async def start(self) -> None:
        self._background = [
            spawn(self._keep_renewing(), name="quota-leases"),
            spawn(self._outbox.run(), name="quota-outbox"),
        ]

    async def close(self, timeout_s: float = 2.0) -> None:
        await self._outbox.flush(timeout_s)
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)

    async def reserve(self, ask: Ask) -> Grant:
        wanted = _Wanted.of(ask)
        if wanted is None:
            return Grant(ask.tokens)
        try:
            reply = await self._reserve.call(*wanted.args)
            if reply[0] == UNSEEDED:
                reply = await self._seed_and_reserve(wanted, reply)
        except (RedisDown, RedisError) as error:
            raise QuotaUnavailable(str(error)) from error
        except asyncio.CancelledError:
            self.undo(ask)
            raise
        if reply[0] == REFUSED:
            raise _refusal(wanted.scopes, reply)
        grant = _grant(reply)
        self._open[ask.id] = Held(ask, wanted.keys, grant.reserved_tokens)
        return grant

    def adopt(self, ask: Ask, tokens: int) -> None:
        """Reserve what another store granted, whatever the limits say; as far as Redis can be told now."""
        wanted = _Wanted.of(replace(ask, tokens=tokens), "adopt")
        if wanted is not None:
            self._open[ask.id] = Held(ask, wanted.keys, tokens)
            self._reserve.send(*wanted.args, on_reply=_whatever)

    def settle(self, ask: Ask, tokens: int, cost_micros: int) -> None:
        self._end(ask, bounded(tokens), bounded(cost_micros), "charge")

    def recover(self, left: Left) -> None:
        slot = f"{PREFIX}:{{u{left.user_id}}}:"
        keys = (f"{slot}a:{left.ask_id}", f"{slot}u{left.user_id}", f"{slot}t{left.token_id}")
        ended = asyncio.get_running_loop().time() - left.age_s
        tokens, cost_micros = bounded(left.tokens), bounded(left.cost_micros)
        self._outbox.put(Charge(left.ask_id, keys, tokens, cost_micros, "recover", ended, sent=True))

    def undo(self, ask: Ask) -> None:
        """Take back a reservation that may have been made while its reply was lost; its call never was."""
        self._end(ask, 0, 0, "undo")

    async def usage(self, scope: Scope) -> QuotaUsage:
        if not scope.limited:
            return await self._seeding.usage(scope, time.time())
        try:
            reply = await self._usage.call("1", _base(scope))
            for _ in range(SEED_TRIES):
                if reply[0] != UNSEEDED:
                    return _usage_of(scope.limits, reply)
                await self._seed_scope(scope, reply[1])
                reply = await self._usage.call("1", _base(scope))
        except (RedisDown, RedisError) as error:
            raise QuotaUnavailable(str(error)) from error
        raise QuotaUnavailable(f"the counters of {scope.name} could not be seeded")

    async def forget(self, scope: Scope) -> None:
        await self._forget(_base(scope))

    def forget_later(self, scope: Scope) -> None:
        """Forget `scope` as soon as Redis can be told to."""
        self._outbox.leave_to_ledger([_base(scope)])

    async def _forget(self, base: str) -> None:
        try:
            await self._seed.call("1", base, "forget")
        except (RedisDown, RedisError) as error:
            raise QuotaUnavailable(str(error)) from error

    async def _seed_and_reserve(self, wanted: "_Wanted", reply: list[Any]) -> list[Any]:
        for _ in range(SEED_TRIES):
            for index in reply[2:]:
                await self._seed_scope(wanted.scopes[index], reply[1])
            reply = await self._reserve.call(*wanted.args)
            if reply[0] != UNSEEDED:
                return reply
        raise QuotaUnavailable("the counters could not be seeded")

    async def _seed_scope(self, scope: Scope, day: int) -> None:
        async def plant(spent: Spent) -> None:
            sums = (spent.day_tokens, spent.month_tokens, spent.month_cost_micros)
            await self._seed.call("1", _base(scope), day, *map(bounded, sums))

        await self._seeding.seed(scope, plant)

    def _end(self, ask: Ask, tokens: int, cost_micros: int, mode: str) -> None:
        known = self._open.pop(ask.id, None) or _Wanted.of(ask)
        if known is None:
            return
        now = asyncio.get_running_loop().time()
        self._outbox.put(Charge(ask.id, known.keys, tokens, cost_micros, mode, now))

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._renew_every_s)
            for count, held in enumerate(self.open_holds(), 1):
                self._renew.send(str(len(held.keys)), *held.keys, on_reply=_whatever)
                if count % RENEW_BATCH == 0:
                    await asyncio.sleep(0.02)


def _whatever(_: Any) -> None:
    """A lease that was not renewed is renewed next time, or lapses; the settle counts either way."""


def _base(scope: Scope) -> str:
    return f"{PREFIX}:{{u{scope.user_id}}}:{scope.name}"


@lru_cache(maxsize=4096)
def _packed(limits: Limits) -> str:
    minute = (limits.rpm, limits.tpm)
    calendar = (limits.daily_tokens, limits.monthly_tokens)
    rest = (limits.concurrent, limits.monthly_budget_micros)
    return ",".join("" if limit is None else str(limit) for limit in (*minute, *calendar, *rest))


@dataclass(slots=True)
class _Wanted:
    """An ask as the scripts take it: its limited scopes, its keys, and the arguments of `reserve`."""

    scopes: list[Scope]
    keys: tuple[str, ...]
    args: tuple[str, ...]

    @classmethod
    def of(cls, ask: Ask, mode: str = "check") -> "_Wanted | None":
        """None where there is nothing to count."""
        scopes, limits = [], []
        for scope in ask.scopes:
            if (packed := _packed(scope.limits)) != UNLIMITED_PACKED:
                scopes.append(scope)
                limits.append(packed)
        if not scopes:
            return None
        slot = f"{PREFIX}:{{u{scopes[0].user_id}}}:"
        keys = (f"{slot}a:{ask.id}", *[slot + scope.name for scope in scopes])
        tokens = bounded(ask.tokens)
        said = f"{ask.id} {tokens} {min(tokens, bounded(ask.min_tokens) + 1)} {bounded(ask.cost_micros)} {mode}"
        return cls(scopes, keys, (str(len(keys)), *keys, said, *limits))


def _grant(reply: list[int]) -> Grant:
    _, reserved, requests, requests_left, tokens, tokens_left = reply
    counted, metered = requests >= 0, tokens >= 0
    return Grant(
        reserved,
        requests if counted else None,
        requests_left if counted else None,
        WINDOW_S if counted else 0.0,
        tokens if metered else None,
        tokens_left if metered else None,
        WINDOW_S if metered else 0.0,
    )


def _refusal(scopes: Sequence[Scope], reply: list[Any]) -> Refusal:
    _, index, name, wait, now = reply
    limit, scope = name.decode(), scopes[index]
    wait_s = wait_for(limit, now / MICROS) if wait < 0 else wait / MICROS
    return refuse(limit, scope.name, allowed(scope.limits, limit), wait_s)


def _usage_of(limits: Limits, reply: list[int]) -> QuotaUsage:
    _, now, calls, minute, minute_held, oldest, day, day_held, month, month_held, cost, cost_held, opened = reply
    at = now / MICROS
    slides, midnight, turn = oldest / MICROS, next_day(at), next_month(at)
    return QuotaUsage(
        requests_per_minute=WindowUsage(limits.rpm, calls, 0, slides),
        tokens_per_minute=WindowUsage(limits.tpm, minute, minute_held, slides),
        daily_tokens=WindowUsage(limits.daily_tokens, day, day_held, midnight),
        monthly_tokens=WindowUsage(limits.monthly_tokens, month, month_held, turn),
        concurrent=WindowUsage(limits.concurrent, opened, 0, at),
        monthly_budget_micros=WindowUsage(limits.monthly_budget_micros, cost, cost_held, turn),
    )
