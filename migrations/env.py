"""What Alembic runs: one transaction for all steps, one migration at a time, never a long wait for a lock."""

import asyncpg
from alembic import context
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from migrations import run_alone

_ONE_AT_A_TIME = 0x6775617264  # "guard"


def number(_: MigrationContext, __: object, scripts: list[MigrationScript]) -> None:
    """Give a new revision the next number: 0002 follows 0001."""
    head = ScriptDirectory.from_config(context.config).get_current_head()
    for script in scripts:
        script.rev_id = f"{int(head or 0) + 1:04d}"


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, process_revision_directives=number)
    with context.begin_transaction():
        connection.exec_driver_sql("SET LOCAL statement_timeout = '15min'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ONE_AT_A_TIME})")
        # From here on a step that can't get its lock gives up, rather than stand in the queue before all traffic.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '4s'")
        context.run_migrations()


async def run(url: str) -> None:
    # asyncpg reads the URL itself, so that a socket folder or an sslmode means what it means to the gateway.
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url), poolclass=NullPool
    )
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


def database_url() -> str:
    """Given by our own code; on `alembic`'s command line, from the environment or .env like everything else."""
    url: str | None = context.config.attributes.get("url")
    if url is None:
        from guardflow.settings import SettingsError
        from guardflow.settings import database_url as configured

        try:
            url = configured()
        except SettingsError as error:
            raise CommandError(str(error)) from error
    return url


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    run_alone(run(database_url()))
