"""Real servers for every test: a PostgreSQL and a Valkey a process, a fresh database and an empty store a test."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis

import migrations
from guardflow.embedded import postgres, valkey

_names = itertools.count(1)


@pytest.fixture(scope="session")
def server_data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gf-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_server(server_data: Path) -> Iterator[str]:
    """The URL of an unmigrated database on this process's own server."""
    with postgres(server_data, durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """The name of a migrated database that the tests' databases are copies of."""
    _execute(postgres_server, "CREATE DATABASE template_guardflow")
    migrations.upgrade(_database(postgres_server, "template_guardflow"))
    return "template_guardflow"


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A fresh migrated database."""
    name = f"test_{next(_names)}"
    _execute(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield _database(postgres_server, name)
    _execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh database without a schema."""
    name = f"empty_{next(_names)}"
    _execute(postgres_server, f"CREATE DATABASE {name}")
    yield _database(postgres_server, name)
    _execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def valkey_server(server_data: Path) -> Iterator[str]:
    with valkey(server_data, durable=False) as url:
        yield url


@pytest.fixture
def redis_url(valkey_server: str) -> str:
    """An empty store."""
    with redis.Redis.from_url(valkey_server) as client:
        client.flushall()
        client.function_flush("SYNC")
        client.script_flush("SYNC")
    return valkey_server


def _database(url: str, name: str) -> str:
    return url.replace("/guardflow?", f"/{name}?")


def _execute(url: str, statement: str) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    migrations.run_alone(execute())
