"""Quotas in Redis: one script call a decision, exact over any number of workers.

Every step is a Lua script, so it is atomic, and its clock is Redis's. A scope that Redis has no counters for is
seeded from the ledger first.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from gateway.errors import Refusal
from gateway.exchange import Grant, Limits
from gateway.quota.base import (
    LEASE_S,
    MOST,
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
from gateway.quota.calendar import next_day, next_month, next_week, wait_for
from gateway.quota.form import Form, base_of
from gateway.quota.outbox import Outbox
from gateway.quota.seeding import Seeding
from gateway.tasks import spawn
from gateway.wire.redis import RedisDown, RedisError, RedisPipe

MOST_PENDING = 50_000
MOST_FORMS = 4096
"""For so many tokens, the latest, their calls are kept written down."""
RENEW_BATCH = 200
REFUSED, UNSEEDED = 0, 2
SEED_TRIES = 3
MICROS = 1_000_000


@lru_cache
def script_text(name: str) -> str:
    """The Lua of one script, whole."""
    here = Path(__file__).parent
    return (here / "scope.lua").read_text() + (here / f"{name}.lua").read_text()


class Held(NamedTuple):
    """An open reservation of this process."""

    ask: Ask
    form: Form
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
        self._settle = pipe.script(read_script("settle"))
        self._outbox = Outbox(pipe, self._settle, self._forget, most_pending)
        self._forms: dict[int, Form] = {}
        self._open: dict[str, tuple[Ask, Form, int]] = {}  # what Held names, without making one for every request
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
        return [Held(*held) for held in self._open.values()]

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
        form = self._forms.get(id(ask.scopes)) or self._form_of(ask.scopes)
        if not form.bases:
            return Grant(ask.tokens)
        try:
            reply = await self.pipe.ask(form.reserve(ask), self._reserve)
            if reply[0] == UNSEEDED:
                reply = await self._seed_and_reserve(ask, form, reply)
        except (RedisDown, RedisError) as error:
            raise QuotaUnavailable(str(error)) from error
        except asyncio.CancelledError:
            self.undo(ask)
            raise
        if reply[0] == REFUSED:
            raise _refusal(form.counted, reply)
        self._open[ask.id] = (ask, form, reply[1])
        return _grant(reply)

    def adopt(self, ask: Ask, tokens: int) -> None:
        """Reserve what another store granted, whatever the limits say; as far as Redis can be told now."""
        form = self._form_of(ask.scopes)
        if form.bases:
            self._open[ask.id] = (ask, form, tokens)
            self.pipe.tell(form.reserve(ask._replace(tokens=tokens), "adopt"), _whatever, self._reserve)

    def settle(self, ask: Ask, tokens: int, cost_micros: int, mode: str = "charge") -> None:
        if not (0 <= tokens <= MOST and 0 <= cost_micros <= MOST):
            tokens, cost_micros = bounded(tokens), bounded(cost_micros)
        held = self._open.pop(ask.id, None)
        form = held[1] if held is not None else self._form_of(ask.scopes)
        if form.bases:
            self._outbox.put(form, ask.id, tokens, cost_micros, mode)

    def recover(self, left: Left) -> None:
        form = Form(left.scopes, left.scopes, self._reserve, self._settle)
        tokens, cost_micros = bounded(left.tokens), bounded(left.cost_micros)
        ended = time.monotonic() - left.age_s
        self._outbox.send_again((form, left.ask_id, tokens, cost_micros, "recover", ended), sent=True)

    def undo(self, ask: Ask) -> None:
        """Take back a reservation that may have been made while its reply was lost; its call never was."""
        self.settle(ask, 0, 0, "undo")

    async def usage(self, scope: Scope) -> QuotaUsage:
        if not scope.limited:
            return await self._seeding.usage(scope, time.time())
        try:
            reply = await self._usage.call("1", base_of(scope))
            for _ in range(SEED_TRIES):
                if reply[0] != UNSEEDED:
                    return _usage_of(scope.limits, reply)
                await self._seed_scope(scope, reply[1])
                reply = await self._usage.call("1", base_of(scope))
        except (RedisDown, RedisError) as error:
            raise QuotaUnavailable(str(error)) from error
        raise QuotaUnavailable(f"the counters of {scope.name} could not be seeded")

    async def forget(self, scope: Scope) -> None:
        await self._forget(base_of(scope))

    def forget_later(self, scope: Scope) -> None:
        """Forget `scope` as soon as Redis can be told to."""
        self._outbox.leave_to_ledger([base_of(scope)])

    async def _forget(self, base: str) -> None:
        try:
            await self._seed.call("1", base, "forget")
        except (RedisDown, RedisError) as error:
            raise QuotaUnavailable(str(error)) from error

    async def _seed_and_reserve(self, ask: Ask, form: Form, reply: list[Any]) -> list[Any]:
        for _ in range(SEED_TRIES):
            for index in reply[2:]:
                await self._seed_scope(form.counted[index], reply[1])
            reply = await self.pipe.ask(form.reserve(ask), self._reserve)
            if reply[0] != UNSEEDED:
                return reply
        raise QuotaUnavailable("the counters could not be seeded")

    async def _seed_scope(self, scope: Scope, day: int) -> None:
        async def plant(spent: Spent) -> None:
            tokens = (spent.day_tokens, spent.month_tokens)
            sums = (*tokens, spent.month_cost_micros, spent.day_cost_micros, spent.week_cost_micros)
            await self._seed.call("1", base_of(scope), day, *map(bounded, sums))

        await self._seeding.seed(scope, plant)

    def _form_of(self, scopes: Sequence[Scope]) -> Form:
        """The form for `scopes`: for this very object, which nobody has to hash. As the form keeps it, its id is not
        given to another."""
        form = self._forms.get(id(scopes))
        if form is None:
            limited = [scope for scope in scopes if scope.limited]
            form = self._forms[id(scopes)] = Form(scopes, limited, self._reserve, self._settle)
            if len(self._forms) > MOST_FORMS:
                del self._forms[next(iter(self._forms))]
        return form

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._renew_every_s)
            for count, held in enumerate(self.open_holds(), 1):
                keys = held.form.keys(held.ask.id)
                self._renew.send(str(len(keys)), *keys, on_reply=_whatever)
                if count % RENEW_BATCH == 0:
                    await asyncio.sleep(0.02)


def _whatever(_: Any) -> None:
    """A lease that was not renewed is renewed next time, or lapses; the settle counts either way."""


def _grant(reply: list[int]) -> Grant:
    _, reserved, requests, requests_left, tokens, tokens_left = reply
    if requests >= 0 and tokens >= 0:
        return Grant(reserved, requests, requests_left, WINDOW_S, tokens, tokens_left, WINDOW_S)
    counted = (requests, requests_left, WINDOW_S) if requests >= 0 else (None, None, 0.0)
    metered = (tokens, tokens_left, WINDOW_S) if tokens >= 0 else (None, None, 0.0)
    return Grant(reserved, *counted, *metered)


def _refusal(scopes: Sequence[Scope], reply: list[Any]) -> Refusal:
    _, index, name, wait, now = reply
    limit, scope = name.decode(), scopes[index]
    wait_s = wait_for(limit, now / MICROS) if wait < 0 else wait / MICROS
    return refuse(limit, scope.name, allowed(scope.limits, limit), wait_s)


def _usage_of(limits: Limits, reply: list[int]) -> QuotaUsage:
    _, now, calls, minute, minute_held, oldest, opened, *sums = reply
    day, day_held, month, month_held, cost, cost_held, day_cost, day_cost_held, week_cost, week_cost_held = sums
    at = now / MICROS
    slides, midnight, turn = oldest / MICROS, next_day(at), next_month(at)
    return QuotaUsage(
        requests_per_minute=WindowUsage(limits.rpm, calls, 0, slides),
        tokens_per_minute=WindowUsage(limits.tpm, minute, minute_held, slides),
        daily_tokens=WindowUsage(limits.daily_tokens, day, day_held, midnight),
        monthly_tokens=WindowUsage(limits.monthly_tokens, month, month_held, turn),
        concurrent=WindowUsage(limits.concurrent, opened, 0, at),
        monthly_budget_micros=WindowUsage(limits.monthly_budget_micros, cost, cost_held, turn),
        daily_budget_micros=WindowUsage(limits.daily_budget_micros, day_cost, day_cost_held, midnight),
        weekly_budget_micros=WindowUsage(limits.weekly_budget_micros, week_cost, week_cost_held, next_week(at)),
    )
