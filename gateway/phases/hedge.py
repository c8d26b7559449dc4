"""Two targets asked for one stream: the second when the first takes longer than it nearly always does.

The first to have a byte for the client wins, and the other is cancelled that instant. Each has a meter of its own, and
only the winner's counts: the call is charged once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields

from gateway.downstream import Downstream
from gateway.errors import Refusal
from gateway.exchange import Meter
from gateway.tasks import spawn

Attempt = Callable[[Downstream, Meter], Awaitable[None]]
"""One attempt, whole, with the way back and the meter that it is given. Raises a Refusal."""


class Race:
    """Runs once. `refusals` are those of attempts that failed without a byte for the client, in their order."""

    def __init__(self, down: Downstream, meter: Meter) -> None:
        self.down = down
        self.refusals: list[Refusal] = []
        self._meter = meter
        self._lanes: list[Lane] = []
        self._winner: Lane | None = None

    async def run(self, first: Attempt, second: Attempt, after_s: float, may: Callable[[], bool]) -> None:
        """`may` is asked once, just before the second would begin. Raises the winner's refusal, or the first one where
        all failed."""
        began = time.perf_counter()
        tasks = [self._start(first)]
        try:
            await asyncio.wait(tasks, timeout=after_s)
            if self._winner is None and not tasks[0].done() and may():
                tasks.append(self._start(second))
            await asyncio.wait(tasks)
        finally:
            await _ended(tasks)
            self._settle(time.perf_counter() - began)
        for lane, task in zip(self._lanes, tasks, strict=True):
            refusal = None if task.cancelled() else task.result()
            if refusal is not None and lane is self._winner:
                raise refusal
            self.refusals += [refusal] if refusal is not None else []
        if self._winner is None:
            raise self.refusals[0]

    def wins(self, lane: "Lane") -> bool:
        """Is `lane` the one whose bytes count? The first to ask is."""
        if self._winner is None:
            self._winner = lane
            for other in self._lanes:
                if other is not lane:
                    other.cancel()
        return self._winner is lane

    def _start(self, attempt: Attempt) -> "asyncio.Task[Refusal | None]":
        lane = Lane(self)
        self._lanes.append(lane)
        task = spawn(lane.run(attempt), name="hedged attempt")
        lane.cancel = task.cancel
        return task

    def _settle(self, seconds: float) -> None:
        """What the winner metered is what the call came to."""
        meter, counts = self._meter, (self._winner or self._lanes[0]).meter
        kept = meter.attempts + sum(lane.meter.attempts for lane in self._lanes), meter.upstream_s + seconds
        flags = meter.flags.union(*(lane.meter.flags for lane in self._lanes))
        for one in fields(Meter):
            setattr(meter, one.name, getattr(counts, one.name))
        (meter.attempts, meter.upstream_s), meter.flags = kept, flags
        if len(self._lanes) > 1:
            meter.flags.add("hedge:won" if self._winner is self._lanes[1] else "hedge:lost")


class Lane:
    """One attempt's way back to the client: it leads there only for the winner."""

    def __init__(self, race: Race) -> None:
        self.meter = Meter()
        self.cancel: Callable[[], object] = lambda: None
        self._race = race

    async def run(self, attempt: Attempt) -> Refusal | None:
        try:
            await attempt(self, self.meter)
        except Refusal as refusal:
            return refusal
        return None

    @property
    def committed(self) -> bool:
        return self._race.down.committed

    async def begin(self, headers: Mapping[str, str]) -> None:
        if not self._race.wins(self):
            await asyncio.get_running_loop().create_future()  # it is being cancelled
        await self._race.down.begin(headers)

    def send(self, data: bytes) -> bool:
        return self._race.down.send(data)

    async def drained(self) -> None:
        await self._race.down.drained()

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        if self._race.wins(self):
            self._race.down.answer(status, headers, body)

    def hold(self, tail: bytes) -> None:
        self._race.down.hold(tail)

    def refuse(self, refusal: Refusal, headers: Mapping[str, str]) -> None:
        self._race.down.refuse(refusal, headers)

    async def finish(self) -> None:
        await self._race.down.finish()


async def _ended(tasks: "list[asyncio.Task[Refusal | None]]") -> None:
    """Have everything that was begun be over."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
