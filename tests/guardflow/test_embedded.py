"""The embedded servers: whoever starts them, wherever, and however the last ones ended."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from guardflow.children import spawn_child, unprivileged_owner
from guardflow.embedded import EmbeddedError, EmbeddedPostgres, EmbeddedValkey, postgres, running, valkey

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder with a short path, below one that nobody else may enter."""
    with tempfile.TemporaryDirectory(prefix="gf-") as folder:
        yield Path(folder) / "data"


def ask(url: str, question: str) -> Any:
    async def fetch() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(fetch())


def hold(data: Path, *, unprivileged: bool = False) -> tuple["subprocess.Popen[bytes]", dict[str, Any]]:
    """A process that runs both servers on `data`, and what it said of them."""
    read, write = os.pipe()
    environ = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "tests.guardflow.holder", str(data)]
    holder = spawn_child(command, environ=environ, output=write, unprivileged=unprivileged)
    os.close(write)
    with os.fdopen(read) as said:
        return holder, json.loads(said.readline())


def test_both_keep_what_they_were_given_over_a_restart(data: Path) -> None:
    with postgres(data) as database, valkey(data) as store:
        assert ask(database, "SELECT current_setting('fsync')") == "on"
        assert ask(database, "SELECT lower('ÄÉ')") == "äé"
        ask(database, "CREATE TABLE kept AS SELECT 7 AS seven")
        with redis.Redis.from_url(store) as client:
            assert client.config_get("append*")["appendonly"] == "yes"
            client.set("kept", "7")
    assert not (data / "postgres" / "postmaster.pid").exists()
    with postgres(data) as database, valkey(data) as store:
        assert ask(database, "SELECT seven FROM kept") == 7
        with redis.Redis.from_url(store) as client:
            assert client.get("kept") == b"7"


def test_a_parent_killed_outright_takes_them_along_and_the_next_starts_at_once(data: Path) -> None:
    holder, said = hold(data)
    ask(said["database"], "CREATE TABLE kept AS SELECT 7 AS seven")
    holder.kill()
    holder.wait()
    with postgres(data) as database, valkey(data) as store:
        assert (database, store) == (said["database"], said["store"])
        assert ask(database, "SELECT seven FROM kept") == 7
        servers = servers_on(data)
    assert len(servers) == 2
    assert servers_on(data) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests are this one where we are an ordinary user")
def test_an_ordinary_user_runs_them_as_himself(data: Path) -> None:
    owner = unprivileged_owner()
    assert owner is not None
    data.mkdir(mode=0o700)
    os.chown(data, *owner)
    holder, said = hold(data, unprivileged=True)
    assert said["uid"] == owner[0]
    assert ask(said["database"], "SELECT 7") == 7
    assert (data / "postgres").stat().st_uid == owner[0]
    holder.send_signal(signal.SIGINT)
    holder.wait(30)
    assert servers_on(data) == []


def test_a_folder_with_a_long_path_has_its_sockets_elsewhere(data: Path) -> None:
    deep = data / ("d" * 60) / "a folder & more" / ("e" * 60)
    with postgres(deep) as database, valkey(deep) as store:
        assert str(deep) not in database
        assert ask(database, "SELECT 7") == 7
        with redis.Redis.from_url(store) as client:
            assert client.ping()
        sockets = Path(store.removeprefix("unix://")).parent
        assert sockets.stat().st_mode & 0o777 == 0o700
    assert not sockets.exists()


def test_a_cluster_half_made_when_the_power_went_is_made_again(data: Path) -> None:
    (data / "postgres.new" / "base").mkdir(parents=True)
    with postgres(data, durable=False) as database:
        assert ask(database, "SELECT 7") == 7
    assert not (data / "postgres.new").exists()


@pytest.mark.parametrize("kind", [EmbeddedPostgres, EmbeddedValkey])
def test_a_server_that_died_is_started_again_under_its_url(
    data: Path, kind: type[EmbeddedPostgres] | type[EmbeddedValkey]
) -> None:
    with running(kind(data, durable=False)) as server:
        url = server.url
        for pid in servers_on(data):
            os.kill(pid, signal.SIGKILL)
        while server.alive():
            pass
        server.start()
        assert server.alive()
        assert server.url == url


def test_a_server_that_can_not_start_says_why(data: Path) -> None:
    with postgres(data, durable=False):
        pass
    (data / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedError, match=r"postgres did not start: .*version 12"), postgres(data):
        pass
    assert servers_on(data) == []
    file = data / "valkey"
    shutil.rmtree(file, ignore_errors=True)
    file.write_text("not a folder")
    with pytest.raises(EmbeddedError, match=r"valkey can't run on .*File exists"), valkey(data):
        pass


def servers_on(data: Path) -> list[int]:
    """The server processes, not their helpers, whose command line names the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(data) in command and ("bin/postgres -D" in command or "valkey-server" in command):
            found.append(int(process.name))
    return found
