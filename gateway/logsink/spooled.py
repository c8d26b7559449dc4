"""The log sink of production: rows go to the spool at once and to the database in batches.

A batch is committed on the spool only after the database has committed it, so a crash repeats rows and never loses
them; the `RowStore` takes a repeated row for what it is. An outage is waited out; nobody else waits.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import orjson

from gateway.logsink.base import LogRow
from gateway.logsink.segment import Batch, Segment
from gateway.logsink.spool import Counts, Spool
from gateway.tasks import spawn

logger = logging.getLogger("guardflow.logsink")

_BATCH_BYTES = 128 * 1024  # a millisecond of the event loop
_SYNC_EVERY_S = 0.5
_LOOK_AROUND_EVERY_S = 2.0
_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 2.0


class RowsUnavailable(Exception):
    """The store cannot take rows now."""


class RowStore(Protocol):
    """Where rows end up.

    `insert` takes rows as JSON, one a line. It MUST take a row it already has as done, MUST put aside what it refuses
    for good (and the `damaged` lines) where a person finds it, and returns how many those were. It raises
    RowsUnavailable where the same rows may be taken later.
    """

    async def insert(self, rows: bytes, damaged: Sequence[bytes]) -> int: ...

    async def close(self) -> None: ...


class SpooledLogSink:
    """`on_recovered` is given the rows that a process left behind when it died, batch by batch, once they are in the
    store; after a crash at the wrong moment some of them twice."""

    def __init__(
        self,
        spool: Spool,
        rows: RowStore,
        *,
        interval_s: float = 0.1,
        on_recovered: Callable[[list[LogRow]], None] | None = None,
    ) -> None:
        self._spool = spool
        self._rows = rows
        self._interval_s = interval_s
        self._on_recovered = on_recovered
        self._own_done = 0
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self._work: list[asyncio.Task[None]] = []
        self.trouble: str | None = None
        self.write: Callable[[LogRow], None] = spool.append

    @property
    def counts(self) -> Counts:
        return self._spool.counts

    @property
    def depth(self) -> int:
        return self._spool.counts.depth

    async def start(self) -> None:
        self._work = [spawn(self._drain(), name="logsink-drain"), spawn(self._tend(), name="logsink-tend")]

    async def flush(self) -> None:
        """Wait until every row accepted by this process so far is in the store. Needs `start`."""
        target = self.counts.accepted - self.counts.dropped
        while self._own_done < target:
            self._wake.set()
            await self._progress.wait()

    async def close(self, timeout_s: float = 10.0) -> None:
        """Flush for at most `timeout_s`; what is left stays on disk for the next process."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.flush()
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        self._work = []
        self._spool.close()
        await self._rows.close()

    async def _drain(self) -> None:
        while True:
            try:
                is_behind = await self._drain_own()
                is_behind |= await self._drain_orphan()
            except Exception as error:  # noqa: BLE001 - whatever it was, rows must go on being tried
                self._stall(repr(error))
                await asyncio.sleep(_LONGEST_BACKOFF_S)
                is_behind = False
            if not is_behind:
                await self._pause()

    async def _pause(self) -> None:
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._interval_s):
                await self._wake.wait()

    async def _drain_own(self) -> bool:
        """Deliver a batch of this process's rows; say whether there is much more."""
        segment = self._spool.oldest
        if segment.is_drained:
            return False
        before = segment.position
        batch = await self._deliver_next(segment)
        self._own_done += batch.taken
        self._progress.set()
        self._progress.clear()
        return batch.end - before > _BATCH_BYTES // 2 or self._spool.is_behind

    async def _drain_orphan(self) -> bool:
        if not self._spool.orphans:
            return False
        segment = self._spool.orphans[0]
        if not segment.is_drained:
            batch = await self._deliver_next(segment)
            self._tell_recovered(batch)
        if segment.is_drained:
            self._spool.finish_orphan()
            if not self._spool.orphans:
                await self._spool.adopt()
        return True

    async def _deliver_next(self, segment: Segment) -> Batch:
        batch = segment.read(_BATCH_BYTES)
        rejected = await self._insert(batch)
        segment.commit(batch.end)
        self.counts.written += batch.taken - rejected
        self.counts.rejected += rejected
        return batch

    async def _insert(self, batch: Batch) -> int:
        backoff_s = _FIRST_BACKOFF_S
        while True:
            try:
                rejected = await self._rows.insert(batch.data, batch.damaged)
            except RowsUnavailable as error:
                self._stall(str(error))
                await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
                backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
            else:
                self._resume()
                return rejected

    async def _tend(self) -> None:
        """Sync often; look now and then what other processes have left or filled."""
        looked = -_LOOK_AROUND_EVERY_S
        while True:
            try:
                if time.monotonic() - looked >= _LOOK_AROUND_EVERY_S:
                    looked = time.monotonic()
                    self._spool.take_stock()
                    await self._spool.adopt()
                await self._spool.sync()
            except OSError as error:
                self._stall(f"cannot tend the spool: {error}")
            await asyncio.sleep(_SYNC_EVERY_S)

    def _tell_recovered(self, batch: Batch) -> None:
        if batch.rows and self._on_recovered is not None:
            self._on_recovered([orjson.loads(line) for line in batch.data.split(b"\n")])

    def _stall(self, trouble: str) -> None:
        if self.trouble is None:
            logger.error("log rows stay in the spool: %s", trouble)
        self.trouble = trouble

    def _resume(self) -> None:
        if self.trouble is not None:
            logger.warning("log rows reach the database again; %d are waiting", self.depth)
        self.trouble = None
