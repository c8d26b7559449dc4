"""The schema, as steps that only go forward in production; each fits the release before it.

Runs under `alembic` from the repository's root, and from code by these functions. They block: from a running event
loop call them in a thread.
"""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

T = TypeVar("T")


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` to `revision`. Two that start at once do it one after the other."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database at `url` back to `revision`: for development, it drops data."""
    command.downgrade(_config(url), revision)


def current_revision(url: str) -> str | None:
    """The revision the database at `url` is at; None before the first."""
    return run_alone(_current(url))


def head_revision() -> str:
    """The revision this release needs."""
    head = ScriptDirectory.from_config(_config("")).get_current_head()
    assert head is not None
    return head


def run_alone(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a loop of its own that leaves the thread's current loop as it was."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(work)


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
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
