"""Where a Redis is, out of its URL."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is: `redis://`, `rediss://` (TLS) or `unix://`, with user, password and database."""

    host: str
    port: int
    path: str | None
    username: str | None
    password: str | None = field(repr=False)
    database: int
    tls: bool
    ca_file: str | None = None

    @classmethod
    def parse(cls, url: str) -> "RedisAddress":
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise ValueError(f"a Redis URL starts with redis://, rediss:// or unix://, not {parts.scheme}://")
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        unix = parts.scheme == "unix"
        database = query.get("db") or ("" if unix else parts.path.strip("/")) or "0"
        if not database.isdigit():
            raise ValueError(f"a Redis database is a number, not {database!r}")
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 6379,
            path=unquote(parts.path) if unix else None,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            database=int(database),
            tls=parts.scheme == "rediss",
            ca_file=query.get("ssl_ca_certs"),
        )

    def greeting(self) -> list[tuple[str | int, ...]]:
        """The commands a fresh connection starts with."""
        commands: list[tuple[str | int, ...]] = []
        if self.password is not None:
            commands.append(("AUTH", self.username or "default", self.password))
        if self.database:
            commands.append(("SELECT", self.database))
        return commands

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"
