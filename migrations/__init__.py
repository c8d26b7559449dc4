"""The schema, as steps that only go forward in production; each fits the release before it.

Runs under `alembic` from the repository's root, and from code by these functions. They block: from a running event
loop call them in a thread. Alembic is loaded only to change something.
"""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

if TYPE_CHECKING:
    from alembic.config import Config

T = TypeVar("T")
_HERE = Path(__file__).parent


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` to `revision`. Two that start at once do it one after the other."""
    from alembic import command

    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database at `url` back to `revision`: for development, it drops data."""
    from alembic import command

    command.downgrade(_config(url), revision)


def current_revision(url: str) -> str | None:
    """The revision the database at `url` is at; None before the first."""
    return run_alone(_current(url))


def head_revision() -> str:
    """The revision this release needs. Revisions are numbered, so that a start need not load Alembic to know."""
    return max(file.name.partition("_")[0] for file in (_HERE / "versions").glob("[0-9]*.py"))


def run_alone(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a loop of its own that leaves the thread's current loop as it was."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(work)


def _config(url: str) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


async def _current(url: str) -> str | None:
    connection = await asyncpg.connect(url)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision
    finally:
        await connection.close()
