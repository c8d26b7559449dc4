"""The state a gateway runs on."""

from pathlib import Path

import asyncpg
import pytest

import migrations
from guardflow import datadir
from guardflow.settings import load
from guardflow.state import SchemaError, database, embedded_state, ensure_schema

NOTE = {"pid": 1, "api_url": "http://127.0.0.1:8000", "redis_url": "unix:///none"}


def test_nothing_is_started_for_what_has_a_url(tmp_path: Path) -> None:
    settings = load({"DATABASE_URL": "postgresql://h/d", "REDIS_URL": "memory://", "DATA_DIR": str(tmp_path / "d")})
    with embedded_state(settings) as state:
        assert state.settings == settings
        assert state.servers == ()
    assert not (tmp_path / "d").exists()


def test_what_has_no_url_is_started_and_named(tmp_path: Path) -> None:
    settings = load({"DATABASE_URL": "postgresql://h/d", "DATA_DIR": str(tmp_path / "d")})
    with embedded_state(settings) as state:
        assert state.settings.database_url == settings.database_url
        assert state.settings.redis_url is not None
        assert state.settings.redis_url.get_secret_value().startswith("unix://")
        assert [server.name for server in state.servers] == ["valkey"]


def test_our_own_schema_is_brought_up_and_anothers_only_looked_at(empty_postgres_url: str) -> None:
    with pytest.raises(SchemaError, match=r"is empty and this release needs \d+; run `guardflow db upgrade`"):
        ensure_schema(empty_postgres_url, ours=False)
    migrations.upgrade(empty_postgres_url, "0001")
    with pytest.raises(SchemaError, match="is at revision 0001"):
        ensure_schema(empty_postgres_url, ours=False)
    ensure_schema(empty_postgres_url, ours=True)
    assert migrations.current_revision(empty_postgres_url) == migrations.head_revision()
    ensure_schema(empty_postgres_url, ours=False)


def test_a_schema_of_the_next_release_is_served_from(postgres_url: str) -> None:
    async def advance() -> None:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
        await connection.close()

    migrations.run_alone(advance())
    ensure_schema(postgres_url, ours=False)
    ensure_schema(postgres_url, ours=True)


def test_a_command_takes_the_database_it_is_given_or_that_of_the_running_gateway(
    tmp_path: Path, postgres_url: str
) -> None:
    with database(load({"DATABASE_URL": postgres_url})) as url:
        assert url == postgres_url
    data = tmp_path / "d"
    with datadir.held(data):
        datadir.write_note(data, datadir.RunNote(**NOTE, database_url=postgres_url))  # type: ignore[arg-type]
        with database(load({"DATA_DIR": str(data)})) as url:
            assert url == postgres_url


@pytest.mark.slow
def test_a_command_alone_starts_the_embedded_database_and_holds_the_folder(tmp_path: Path) -> None:
    data = tmp_path / "d"
    with database(load({"DATA_DIR": str(data)})) as url:
        assert migrations.current_revision(url) == migrations.head_revision()
        assert datadir.is_held(data)
    assert not datadir.is_held(data)
