"""One file of the spool: lines in order, how far they are committed, and who holds it.

Held by flock, so a segment whose lock is free belonged to a process that died. A line is `crc32 json\\n`: a torn or
damaged one is told from a whole one. The committed position lies beside it; where that is behind, work is redone.
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
_HEAD_CHARS = len("crc32hex ")
_SCAN_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows read: the JSON of the whole ones, the bytes of the damaged ones, and where the next begins."""

    lines: list[bytes]
    damaged: list[bytes]
    end: int

    @property
    def rows(self) -> int:
        return len(self.lines) + len(self.damaged)


def frame(body: bytes) -> bytes:
    return b"%08x %b\n" % (zlib.crc32(body), body)


class Segment:
    """An open, locked segment. `size` counts the bytes of whole lines, `position` those that are committed."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
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
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        return cls(path, fd) if _locked(fd) else None

    @classmethod
    def adopt(cls, path: Path) -> "Segment | None":
        """The segment of a process that died; None where its owner lives, or another was faster."""
        with suppress(FileNotFoundError):
            fd = os.open(path, os.O_RDWR)
            return cls(path, fd) if _locked(fd) else None
        return None

    def append(self, line: bytes) -> None:
        """Hand `line` to the kernel whole, or raise OSError and leave nothing of it."""
        written = os.write(self._fd, line)
        if written != len(line):
            os.ftruncate(self._fd, self.size)
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
            return Batch([], [chunk], self.position + len(chunk))
        lines: list[bytes] = []
        damaged: list[bytes] = []
        for line in chunk[:end].split(b"\n")[:-1]:
            body = line[_HEAD_CHARS:]
            if line[:_HEAD_CHARS] == b"%08x " % zlib.crc32(body):
                lines.append(body)
            else:
                damaged.append(line)
        return Batch(lines, damaged, self.position + end)

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
