"""The life of an embedded server: whoever starts it, wherever, and however the last one ended."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import redis

from guardflow.children import unprivileged_owner
from guardflow.embedded import EmbeddedPostgres, EmbeddedValkey, postgres, valkey
from guardflow.server import EmbeddedError, running
from tests.guardflow.holder import ask, hold, servers_on

pytestmark = pytest.mark.slow


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


def killed(data: Path) -> str:
    """The URL of a Valkey that ran on `data` and was killed with its parent."""
    holder, said = hold(data)
    holder.kill()
    holder.wait()
    url: str = said["store"]
    return url


def test_a_killed_one_leaves_no_litter_where_its_sockets_were(data: Path) -> None:
    deep = data / ("d" * 100)
    before = killed(deep)
    with postgres(deep), valkey(deep) as store:
        assert store == before


def test_a_folder_for_sockets_that_may_be_somebody_elses_is_not_used(data: Path) -> None:
    deep = data / ("d" * 100)
    before = killed(deep)
    folder = Path(before.removeprefix("unix://")).parent
    folder.chmod(0o755)
    with postgres(deep), valkey(deep) as store:
        assert store != before
    shutil.rmtree(folder)


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
    (data / "valkey").write_text("not a folder")
    with pytest.raises(EmbeddedError, match=r"valkey can't run on .*File exists"), valkey(data):
        pass
