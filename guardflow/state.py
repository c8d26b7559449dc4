"""The state a gateway runs on: PostgreSQL and Redis by URL, or embedded ones; and its schema, new enough."""

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import SecretStr

from gateway.db import DatabaseDown, connect
from guardflow import datadir
from guardflow.embedded import EmbeddedPostgres, EmbeddedValkey, postgres
from guardflow.failure import Failure
from guardflow.server import EmbeddedError, EmbeddedServer, running
from guardflow.settings import Settings

logger = logging.getLogger("guardflow.state")

_DATABASE_PATIENCE_S = 30.0


class SchemaError(Failure):
    """The database can't be served from: away, or of an older release. The message says what to do."""


@dataclass(frozen=True, slots=True)
class State:
    """`settings` name both stores; `servers` are the ones that we run."""

    settings: Settings
    servers: tuple[EmbeddedServer, ...]

    def revive(self) -> None:
        """Start again what has died; its URL stays. What won't start is tried again at the next call."""
        for server in self.servers:
            if not server.alive():
                logger.error("embedded %s died; starting it again", server.name)
                try:
                    server.start()
                except EmbeddedError as error:
                    logger.error("embedded %s stays down: %s", server.name, error)


@contextlib.contextmanager
def embedded_state(settings: Settings) -> Iterator[State]:
    """Run what no URL was given for, as long as the block runs."""
    servers: list[EmbeddedServer] = []
    urls: dict[str, SecretStr] = {}
    with contextlib.ExitStack() as stack:
        if settings.database_url is None:
            servers.append(stack.enter_context(running(EmbeddedPostgres(settings.data_dir, durable=True))))
            urls["database_url"] = SecretStr(servers[-1].url)
        if settings.redis_url is None:
            servers.append(stack.enter_context(running(EmbeddedValkey(settings.data_dir, durable=True))))
            urls["redis_url"] = SecretStr(servers[-1].url)
        yield State(settings.model_copy(update=urls), tuple(servers))


@contextlib.contextmanager
def database(settings: Settings, *, migrate: bool = True) -> Iterator[str]:
    """The database of a command: by URL, the running gateway's, or an embedded one for as long as the block runs."""
    with contextlib.ExitStack() as stack:
        ours = settings.database_url is None
        if settings.database_url is not None:
            url = settings.database_url.get_secret_value()
        elif (note := datadir.read_note(settings.data_dir)) is not None:
            url = note.database_url
        else:
            stack.enter_context(datadir.held(settings.data_dir))
            url = stack.enter_context(postgres(settings.data_dir))
        if migrate:
            ensure_schema(url, ours=ours)
        yield url


def ensure_schema(url: str, *, ours: bool) -> None:
    """Migrate a database that is `ours`; refuse another's that is older than this release.

    A newer one is fine: each migration fits the release before it, so that a release can be taken back.
    """
    import migrations

    current, head = _revision(url), migrations.head_revision()
    if current is not None and current >= head:
        return
    if ours:
        logging.getLogger("alembic").setLevel(logging.WARNING)
        migrations.upgrade(url)
        logger.info("the schema went from %s to %s", current or "nothing", head)
        return
    found = f"at revision {current}" if current else "empty"
    raise SchemaError(f"the database is {found} and this release needs {head}; run `guardflow db upgrade`")


def _revision(url: str) -> str | None:
    """The database's revision, with patience for one that is still starting."""
    import migrations

    end = time.monotonic() + _DATABASE_PATIENCE_S
    told = False
    while True:
        try:
            migrations.run_alone(_reach(url))
            return migrations.current_revision(url)
        except DatabaseDown as error:
            if time.monotonic() > end:
                raise SchemaError(f"the database does not answer: {error}") from error
            if not told:
                logger.warning("waiting for the database: %s", error)
            told = True
            time.sleep(0.5)


async def _reach(url: str) -> None:
    connection = await connect(url, name="guardflow-start")
    await connection.close()
