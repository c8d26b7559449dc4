"""Settles on their way to Redis: each is sent at once, and again until Redis confirms it.

What is kept is bounded. A settle that does not fit, or that Redis may have taken so long ago that it has forgotten,
is left to the ledger: the counters it belongs to are dropped, to be rebuilt from there.
"""

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.quota.base import RECORD_S, QuotaUnavailable
from gateway.wire.redis import RedisError, RedisPipe, Script

logger = logging.getLogger("guardflow.quota")

BATCH = 200
"""So many late settles a turn: more at once would make the calls queued behind them overdue."""
PAUSE_S, PAUSE_AFTER_ERROR_S = 0.02, 0.5


@dataclass(slots=True)
class Charge:
    """What an ask came to. `keys` are its record and its scopes, `since` is when its call ended, by the loop's clock;
    `sent`: Redis may have it already."""

    ask_id: str
    keys: tuple[str, ...]
    tokens: int
    cost_micros: int
    mode: str
    since: float
    sent: bool = False

    def args(self, now: float) -> tuple[str, ...]:
        age = max(int((now - self.since) * 1_000_000), 0)
        said = f"{self.ask_id} {self.tokens} {self.cost_micros} {age} {self.mode}"
        return (str(len(self.keys)), *self.keys, said)


class Outbox:
    """Where a `Charge` goes. `put` never blocks or raises; `run` repeats what failed."""

    def __init__(self, pipe: RedisPipe, settle: Script, forget: Callable[[str], Awaitable[None]], most: int) -> None:
        self._pipe = pipe
        self._settle = settle
        self._forget = forget
        self._most = most
        self._kept: deque[Charge] = deque()
        self._flying = 0
        self._to_forget: dict[str, None] = {}
        self._pause = PAUSE_S
        self._wake = asyncio.Event()
        pipe.on_up.append(self._send_some)

    def __len__(self) -> int:
        """Charges that Redis has not confirmed."""
        return len(self._kept) + self._flying

    def put(self, charge: Charge) -> None:
        if self._pipe.available:
            self._send(charge)
        else:
            self._keep(charge)

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
            try:
                await self._forget(base)
            except QuotaUnavailable:
                return
            self._to_forget.pop(base, None)

    def _send_some(self) -> None:
        """Called as soon as Redis is back, so that what was spent meanwhile is there before the next call is judged."""
        self._wake.set()
        for _ in range(min(BATCH, len(self._kept))):
            self._send(self._kept.popleft())

    def _send(self, charge: Charge) -> None:
        now = asyncio.get_running_loop().time()
        if charge.sent and now - charge.since > RECORD_S:
            self.leave_to_ledger(charge.keys[1:])
            return
        charge.sent = True
        self._flying += 1
        self._settle.send(*charge.args(now), on_reply=functools.partial(self._answered, charge))

    def _answered(self, charge: Charge, reply: Any) -> None:
        self._flying -= 1
        if isinstance(reply, Exception):
            self._pause = PAUSE_AFTER_ERROR_S if isinstance(reply, RedisError) else PAUSE_S
            self._keep(charge)
        else:
            self._pause = PAUSE_S

    def _keep(self, charge: Charge) -> None:
        self._wake.set()
        if len(self._kept) < self._most:
            self._kept.append(charge)
        else:
            self.leave_to_ledger(charge.keys[1:])

    def leave_to_ledger(self, bases: Sequence[str]) -> None:
        """Drop the counters at `bases` as soon as Redis can be told to."""
        self._wake.set()
        for base in bases:
            if len(self._to_forget) < self._most:
                self._to_forget[base] = None
            else:
                logger.error("more scopes to rebuild than can be kept: %s is not among them", base)
