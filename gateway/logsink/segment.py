"""One file of the spool: lines in order, how far they are committed, and who holds it.

Held by flock, so a segment whose lock is free belonged to a process that died. A line is a JSON object that begins
with its own checksum: a torn or damaged one is told from a whole one, and a run of lines needs no unpacking. The
committed position lies beside it; where that is behind, work is redone.
"""

import fcntl
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".spool"
_POSITION_SUFFIX = ".position"
_POSITION_DIGITS = 20
_HEAD = b'{"crc":"%08x",'
_HEAD_CHARS = len(_HEAD % 0)
_SCAN_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read: `rows` whole lines in `data`, the bytes of damaged ones, and where the next batch begins."""

    data: bytes
    rows: int
    damaged: list[bytes]
    end: int

    @property
    def taken(self) -> int:
        return self.rows + len(self.damaged)


def frame(body: bytes) -> bytes:
    """The line for `body`, a JSON object."""
    return _HEAD % zlib.crc32(body) + body[1:] + b"\n"


class Segment:
    """An open, locked segment. `size` counts the bytes of whole lines, `position` those that are committed."""

    def __init__(self, path: Path, fd: int, *, is_own: bool) -> None:
        self.path = path
        self.is_own = is_own
        self.size = 0
        self._fd = fd
        try:
            self._position_fd = os.open(_beside(path), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            os.close(fd)
            raise
        self.position = self._stored_position()

    @classmethod
    def create(cls, path: Path) -> "Segment | None":
        """A new segment; None where somebody took the file between its creation and its lock."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        return cls(path, fd, is_own=True) if _locked(fd) else None

    @classmethod
    def adopt(cls, path: Path) -> "Segment | None":
        """The segment of a process that died; None where its owner lives, or another was faster."""
        with suppress(FileNotFoundError):
            fd = os.open(path, os.O_RDWR)
            return cls(path, fd, is_own=False) if _locked(fd) else None
        return None

    def append(self, line: bytes) -> None:
        """Hand `line` to the kernel whole, or raise OSError; what it took in part is written over by the next."""
        written = os.pwrite(self._fd, line, self.size)
        if written != len(line):
            raise OSError(f"only {written} of {len(line)} bytes written")
        self.size += written

    def measure(self) -> int:
        """Find where the whole lines of an adopted segment end; return how many are not committed."""
        end = os.fstat(self._fd).st_size
        self.position = at = self.size = self.position if self.position <= end else 0
        rows = 0
        while chunk := os.pread(self._fd, _SCAN_BYTES, at):
            if newlines := chunk.count(b"\n"):
                rows += newlines
                self.size = at + chunk.rfind(b"\n") + 1
            at += len(chunk)
        return rows

    def read(self, max_bytes: int) -> Batch:
        """The next lines that are not committed, at most `max_bytes` of them."""
        wanted = min(max_bytes, self.size - self.position)
        chunk = os.pread(self._fd, wanted, self.position)
        end = chunk.rfind(b"\n") + 1
        if not end and chunk:  # longer than any line of ours: garbage, to be got past
            return Batch(b"", 0, [chunk], self.position + len(chunk))
        data = chunk[: end - 1]
        if self.is_own:  # this very process wrote it
            return Batch(data, data.count(b"\n") + 1, [], self.position + end)
        lines = data.split(b"\n")
        whole = [line for line in lines if _is_whole(line)]
        damaged = [line for line in lines if not _is_whole(line)]
        return Batch(b"\n".join(whole), len(whole), damaged, self.position + end)

    def commit(self, end: int) -> None:
        self.position = end
        os.pwrite(self._position_fd, b"%0*d" % (_POSITION_DIGITS, end), 0)

    @property
    def is_drained(self) -> bool:
        return self.position >= self.size

    def sync_fd(self) -> int:
        """A descriptor of the same file for fsync in a thread, which may outlive this segment. Close it."""
        return os.dup(self._fd)

    def remove(self) -> None:
        """Delete the files, then let go of the lock: nobody adopts what is gone."""
        self.path.unlink(missing_ok=True)
        _beside(self.path).unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._position_fd)

    def _stored_position(self) -> int:
        stored = os.pread(self._position_fd, _POSITION_DIGITS, 0)
        return int(stored) if len(stored) == _POSITION_DIGITS and stored.isdigit() else 0


def _is_whole(line: bytes) -> bool:
    return line[:_HEAD_CHARS] == _HEAD % zlib.crc32(b"{" + line[_HEAD_CHARS:])


def _locked(fd: int) -> bool:
    """Take the lock of a file that still has a name; otherwise close it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return False
    if os.fstat(fd).st_nlink == 0:
        os.close(fd)
        return False
    return True


def _beside(path: Path) -> Path:
    return path.with_suffix(_POSITION_SUFFIX)
