"""The queue of log rows, on disk: what `append` has returned for survives the death of this process.

There is no second copy in memory, so an outage of the database costs disk, up to a limit, and nothing else. One
process appends to its own segments and takes over those of the dead. At any moment
`accepted + adopted = written + rejected + dropped + depth`.
"""

import asyncio
import errno
import logging
import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.logsink.segment import SUFFIX, Segment, frame

logger = logging.getLogger("guardflow.logsink")

MAX_ROW_BYTES = 32 * 1024
_MAX_TEXT_CHARS = 500
_MAX_ORPHANS = 16


@dataclass(slots=True)
class Counts:
    """Rows of this process since it started: taken, taken over from the dead, and what became of them."""

    accepted: int = 0
    adopted: int = 0
    written: int = 0
    rejected: int = 0
    dropped: int = 0

    @property
    def depth(self) -> int:
        return self.accepted + self.adopted - self.written - self.rejected - self.dropped


class Spool:
    """Not for threads: one event loop appends, reads and commits. `max_bytes` is for the folder, over all processes
    (each looks every now and then, so that together they may overshoot by what they write in between)."""

    def __init__(self, folder: Path, *, max_bytes: int = 1 << 30, segment_bytes: int = 16 << 20) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.counts = Counts()
        self.orphans: deque[Segment] = deque()
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = min(segment_bytes, max_bytes // 4)
        self._segments: deque[Segment] = deque([self._new_segment()])
        self._active = self._segments[0]
        self._room = 0
        self._is_dropping = False
        self._unsynced = False
        self._unreadable: set[Path] = set()
        self.take_stock()

    def append(self, row: dict[str, Any]) -> None:
        counts = self.counts
        counts.accepted += 1
        try:
            body = orjson.dumps(row)
        except TypeError:
            body = orjson.dumps({"unserialisable": repr(row)})
        if len(body) > MAX_ROW_BYTES:
            body = _shortened(body)
        line = frame(body)
        active = self._active
        try:
            if self._room < len(line):
                raise OSError(errno.EDQUOT, f"no room in the spool of {self._max_bytes} bytes")
            active.append(line)
        except OSError as error:
            self._drop(error)
            return
        self._room -= len(line)
        self._unsynced = True
        if self._is_dropping:
            self._accept_again()
        if active.size >= self._segment_bytes:
            self._rotate()

    @property
    def oldest(self) -> Segment:
        """Where this process's own rows are to be read next. Drained full segments are deleted on the way."""
        while len(self._segments) > 1 and self._segments[0].is_drained:
            self._remove(self._segments.popleft())
        return self._segments[0]

    @property
    def is_behind(self) -> bool:
        """Have rows been coming faster than they went?"""
        return len(self._segments) > 1

    def finish_orphan(self) -> None:
        self._remove(self.orphans.popleft())

    def take_stock(self) -> None:
        """See how much room the folder has, whoever fills it."""
        with os.scandir(self._folder) as entries:
            self._room = self._max_bytes - sum(_size(entry) for entry in entries)

    async def adopt(self) -> None:
        """Take over segments of processes that died, a few at a time."""
        known = {segment.path for segment in (*self._segments, *self.orphans)} | self._unreadable
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if path in known:
                continue
            if len(self.orphans) >= _MAX_ORPHANS:
                return
            try:
                await self._adopt(path)
            except OSError as error:
                self._unreadable.add(path)
                logger.error("log rows cannot be taken over: %s", error)

    async def _adopt(self, path: Path) -> None:
        if (segment := Segment.adopt(path)) is None:
            return
        try:
            rows = await asyncio.to_thread(segment.measure)
        except BaseException:
            segment.close()
            raise
        if rows:
            logger.warning("taking over %d log rows of a process that died", rows)
        self.counts.adopted += rows
        self.orphans.append(segment)

    async def sync(self) -> None:
        """Bound what a power loss can take. (The death of the process alone takes nothing.)"""
        if not self._unsynced:
            return
        self._unsynced = False
        fd = self._active.sync_fd()
        try:
            await asyncio.to_thread(os.fsync, fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Leave what is not drained to whoever comes next; rows that still come are dropped."""
        self._room = -1
        for segment in (*self._segments, *self.orphans):
            if segment.is_drained:
                segment.remove()
            else:
                segment.close()
        self._segments.clear()
        self.orphans.clear()

    def _new_segment(self) -> Segment:
        while True:
            name = f"{time.time_ns():020d}-{os.getpid()}{SUFFIX}"
            if (segment := Segment.create(self._folder / name)) is not None:
                return segment

    def _rotate(self) -> None:
        try:
            self._active = self._new_segment()
        except OSError as error:  # the old one goes on growing, within the same limit
            logger.warning("cannot open a new spool segment: %s", error)
            return
        self._segments.append(self._active)

    def _remove(self, segment: Segment) -> None:
        self._room += segment.size
        segment.remove()

    def _drop(self, error: OSError) -> None:
        self.counts.dropped += 1
        if not self._is_dropping:
            self._is_dropping = True
            logger.error("log rows are being dropped: %s", error)

    def _accept_again(self) -> None:
        self._is_dropping = False
        logger.warning("log rows are accepted again; dropped so far: %d", self.counts.dropped)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0


def _shortened(body: bytes) -> bytes:
    """A row blown up by what a client sent (a model name of a megabyte) keeps the beginning of each text."""
    row = orjson.loads(body)
    short = {key: value[:_MAX_TEXT_CHARS] if isinstance(value, str) else value for key, value in row.items()}
    shortened = orjson.dumps(short)
    if len(shortened) > MAX_ROW_BYTES:
        return orjson.dumps({"oversized": body[:_MAX_TEXT_CHARS].decode(errors="replace")})
    return shortened
