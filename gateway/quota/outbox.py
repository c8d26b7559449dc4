"""Settles on their way to Redis: each is sent at once, and again until Redis confirms it.

What is kept is bounded. A settle that does not fit, or that Redis may have taken so long ago that it has forgotten,
is left to the ledger: the counters it belongs to are dropped, to be rebuilt from there.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, TypeAlias

from gateway.quota.base import RECORD_S, QuotaUnavailable
from gateway.quota.form import Form
from gateway.wire.redis import RedisError, RedisPipe, Script

logger = logging.getLogger("guardflow.quota")

BATCH = 200
"""So many late settles a turn: more at once would make the calls queued behind them overdue."""
PAUSE_S, PAUSE_AFTER_ERROR_S = 0.02, 0.5


Charge: TypeAlias = tuple[Form, str, int, int, str, float]
"""What an ask came to: its form and id, tokens, micro-dollars, the script's mode, and when the call ended, by the
monotonic clock. A bare tuple: there is one for every request."""


class Outbox:
    """Where a `Charge` goes. `put` never blocks or raises; `run` repeats what failed. Of a charge that is kept it is
    known whether it was sent: then Redis may have it already."""

    def __init__(self, pipe: RedisPipe, settle: Script, forget: Callable[[str], Awaitable[None]], most: int) -> None:
        self._pipe = pipe
        self._settle = settle
        self._forget = forget
        self._most = most
        self._kept: deque[tuple[Charge, bool]] = deque()
        self._flying = 0
        self._to_forget: dict[str, bool] = {}  # whether Redis is being told
        self._pause = PAUSE_S
        self._wake = asyncio.Event()
        pipe.on_up.append(self._send_some)

    def __len__(self) -> int:
        """Charges that Redis has not confirmed."""
        return len(self._kept) + self._flying

    def put(self, form: Form, ask_id: str, tokens: int, cost_micros: int, mode: str) -> None:
        charge = (form, ask_id, tokens, cost_micros, mode, monotonic())
        command = form.settle(ask_id, tokens, cost_micros, mode, 0)
        if self._pipe.tell(command, partial(self._answered, charge), self._settle):
            self._flying += 1
        else:
            self._keep(charge, sent=False)

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._empty()

    async def flush(self, timeout_s: float) -> None:
        """Deliver what is kept, as far as `timeout_s` allows."""
        try:
            async with asyncio.timeout(timeout_s):
                while len(self) or self._to_forget:
                    await self._empty()
                    await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            logger.warning("%d settles could not be delivered; the ledger has them", len(self))

    async def _empty(self) -> None:
        while self._kept and self._pipe.available:
            self._send_some()
            await asyncio.sleep(self._pause)
        while self._to_forget and self._pipe.available:
            base = next(iter(self._to_forget))
            self._to_forget[base] = True
            try:
                await self._forget(base)
            except QuotaUnavailable:
                return
            # What was left to the ledger meanwhile may have missed this turn: then there is another.
            if self._to_forget.get(base):
                del self._to_forget[base]

    def _send_some(self) -> None:
        """Called as soon as Redis is back, so that what was spent meanwhile is there before the next call is judged."""
        self._wake.set()
        for _ in range(min(BATCH, len(self._kept))):
            charge, sent = self._kept.popleft()
            self.send_again(charge, sent=sent)

    def send_again(self, charge: Charge, *, sent: bool) -> None:
        form, ask_id, tokens, cost_micros, mode, since = charge
        age_s = monotonic() - since
        if sent and age_s > RECORD_S:
            self.leave_to_ledger(form.bases)
            return
        command = form.settle(ask_id, tokens, cost_micros, mode, int(age_s * 1_000_000))
        if self._pipe.tell(command, partial(self._answered, charge), self._settle):
            self._flying += 1
        else:
            self._keep(charge, sent=sent)

    def _answered(self, charge: Charge, reply: Any) -> None:
        self._flying -= 1
        if isinstance(reply, Exception):
            self._pause = PAUSE_AFTER_ERROR_S if isinstance(reply, RedisError) else PAUSE_S
            self._keep(charge, sent=True)
        else:
            self._pause = PAUSE_S

    def _keep(self, charge: Charge, *, sent: bool) -> None:
        self._wake.set()
        if len(self._kept) < self._most:
            self._kept.append((charge, sent))
        else:
            self.leave_to_ledger(charge[0].bases)

    def leave_to_ledger(self, bases: Sequence[str]) -> None:
        """Drop the counters at `bases` as soon as Redis can be told to."""
        self._wake.set()
        for base in bases:
            if base in self._to_forget or len(self._to_forget) < self._most:
                self._to_forget[base] = False
            else:
                logger.error("more scopes to rebuild than can be kept: %s is not among them", base)
