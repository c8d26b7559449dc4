"""Connections to Postgres, and the one translation of its failures.

`DatabaseDown` means "not now": the connection, the server or its resources failed and the same call may succeed
later. Errors about the data or the statement pass through untranslated: they are ours.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from asyncpg import Connection, Pool

__all__ = ["Connection", "DatabaseDown", "Pool", "acquired", "connect", "connect_pool", "translated"]

_CONNECT_TIMEOUT_S = 5.0
_SETTINGS = {"timezone": "UTC", "jit": "off"}  # compiling costs more than any of our statements

_NOT_NOW = (
    OSError,  # refused, reset, no socket file; TimeoutError is one too
    asyncpg.InterfaceError,  # the connection closed under us
    asyncpg.InternalClientError,  # the same, at the very moment of use
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutdown, crash, starting up, statement timeout
    asyncpg.InsufficientResourcesError,  # too many connections, disk or memory full
    asyncpg.TransactionRollbackError,  # deadlock, serialization
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,  # a failover left us on a replica
    asyncpg.LockNotAvailableError,
)


class DatabaseDown(Exception):
    """Postgres cannot answer now."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's "not now" into DatabaseDown."""
    try:
        yield
    except _NOT_NOW as error:
        raise DatabaseDown(f"{type(error).__name__}: {error}") from error


async def connect_pool(url: str, *, max_size: int = 8, timeout_s: float = 10.0, name: str = "guardflow") -> Pool:
    """A pool that connects when it is first used, so that a worker can start while Postgres is away.

    `await pool.close()` when done. No statement runs longer than `timeout_s`, on either side."""
    pool: Pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=max_size,
        timeout=_CONNECT_TIMEOUT_S,
        command_timeout=timeout_s,
        max_inactive_connection_lifetime=300.0,
        server_settings=_server_settings(name, timeout_s),
    )
    return pool


@asynccontextmanager
async def acquired(pool: Pool, *, timeout_s: float = 5.0) -> AsyncIterator[Connection]:
    """A connection of `pool`, with failures translated. Waiting for one longer than `timeout_s` is a failure."""
    with translated():
        async with pool.acquire(timeout=timeout_s) as connection:
            yield connection


async def connect(url: str, *, name: str, timeout_s: float = 10.0) -> Connection:
    """A connection of one's own, for work that must not wait for others' (log rows, notifications)."""
    with translated():
        connection: Connection = await asyncpg.connect(
            url,
            timeout=_CONNECT_TIMEOUT_S,
            command_timeout=timeout_s,
            server_settings=_server_settings(name, timeout_s),
        )
    return connection


def _server_settings(name: str, timeout_s: float) -> dict[str, Any]:
    milliseconds = str(int(timeout_s * 1000))
    return {
        **_SETTINGS,
        "application_name": name,
        "statement_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
    }
