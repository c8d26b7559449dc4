"""A server process on a folder of its own: the life that embedded PostgreSQL and Valkey have in common.

It holds a lock on its folder for as long as any of its processes lives. So whoever gets the lock knows that the folder
is quiet, and that every pid file and socket in it is stale.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from guardflow.children import spawn_child, unprivileged_owner
from guardflow.failure import Failure

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
PREDECESSOR_TIMEOUT_S = 60.0
_SOCKET_PATH_MAX = 107
_LOG_BYTES_MAX = 8 * 1024 * 1024

Command = Sequence[str | Path]
Process = subprocess.Popen[bytes]
Server = TypeVar("Server", bound="EmbeddedServer")


class EmbeddedError(Failure):
    """An embedded server that can't run; the message says which, and why."""


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


class EmbeddedServer(ABC):
    """One server process on one folder. `start` may be called again after the process died: the URL stays."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    socket_name: ClassVar[str]

    def __init__(self, data: Path, *, durable: bool) -> None:
        self.data = data.resolve()
        self.folder = self.data / self.name
        self.durable = durable
        self._sockets: Path | None = None
        self._process: Process | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where the server is reached; known before it runs."""

    @property
    def sockets(self) -> Path:
        """The folder of the socket: inside the data folder, or a short private one where that path is too long."""
        if self._sockets is None:
            inside = self.data / f"{self.name}.run"
            fits = len(os.fsencode(inside / self.socket_name)) <= _SOCKET_PATH_MAX
            self._sockets = inside if fits else self._short_folder()
        return self._sockets

    def _short_folder(self) -> Path:
        """The one of last time, if it is still ours alone: a killed server leaves it behind."""
        note = self.data / f"{self.name}.sockets"
        with contextlib.suppress(OSError):
            last = Path(note.read_text("utf-8"))
            found = last.lstat()
            ours = {os.geteuid(), *(unprivileged_owner() or ())[:1]}
            if found.st_uid in ours and stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700:
                return last
        fresh = Path(tempfile.mkdtemp(prefix="gf-", dir="/tmp"))
        note.write_text(str(fresh), "utf-8")
        return fresh

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        try:
            self._start()
        except OSError as error:
            raise EmbeddedError(f"{self.name} can't run on {self.folder}: {error}") from error

    def _start(self) -> None:
        lock = self._lock()
        try:
            self.prepare(lock)
            with (self.data / f"{self.name}.log").open("ab") as log:
                if log.tell() > _LOG_BYTES_MAX:
                    log.truncate(0)
                self._process = self.spawn(self.command(), lock, log.fileno())
            self._wait()
        except BaseException:
            self.stop()
            raise
        finally:
            os.close(lock)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _lock(self) -> int:
        """Wait until no process of an earlier server is left on the folder; it is dying, for its parent is gone."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self.data / f"{self.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + PREDECESSOR_TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    os.close(lock)
                    raise EmbeddedError(f"another {self.name} still runs on {self.folder}") from None
                time.sleep(0.02)
            else:
                return lock

    def spawn(self, command: Command, lock: int, output: int, source: int = subprocess.DEVNULL) -> Process:
        return spawn_child(
            command,
            environ={"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"},
            source=source,
            output=output,
            keep=(lock,),
            death_signal=self.stop_signal,
            unprivileged=True,
        )

    def own(self, folder: Path) -> Path:
        """Make a folder that the server, whoever it runs as, alone may enter."""
        folder.mkdir(exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        if (owner := unprivileged_owner()) is not None:
            os.chown(folder, *owner)
        return folder

    def fresh_sockets(self) -> Path:
        self.own(self.sockets)
        for stale in self.sockets.iterdir():
            stale.unlink()
        return self.sockets

    def _wait(self) -> None:
        end = time.monotonic() + START_TIMEOUT_S
        while not self.ready():
            if not self.alive():
                raise EmbeddedError(f"{self.name} did not start: {self._last_words()}")
            if time.monotonic() > end:
                raise EmbeddedError(f"{self.name} was not ready after {START_TIMEOUT_S:.0f} s")
            time.sleep(0.005)

    def _last_words(self) -> str:
        lines = (self.data / f"{self.name}.log").read_text(errors="replace").strip().splitlines()
        return " | ".join(line.strip() for line in lines[-3:]) or "it said nothing"

    @abstractmethod
    def prepare(self, lock: int) -> None:
        """Make the folder fit to start on. `lock` keeps another gateway out of it meanwhile."""

    @abstractmethod
    def command(self) -> Command:
        """What to run."""

    @abstractmethod
    def ready(self) -> bool:
        """Does it answer?"""
