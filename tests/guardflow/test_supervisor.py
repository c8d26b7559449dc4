"""`guardflow serve`, as its users meet it: real processes from the first start to `kill -9`."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.guardflow.holder import servers_on
from tests.guardflow.process import PROGRAM, Gateway, environment, run, serving

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("supervisor")]  # one gateway for most of them


def until(holds: Callable[[], object], timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[Gateway]:
    """A first start, with nothing set but where its data goes."""
    with serving(folder, "--workers", "2") as running:
        yield running


def test_the_first_start_says_how_to_get_in_and_its_curl_answers(gateway: Gateway, folder: Path) -> None:
    password = re.search(r"Password +(\S+)", gateway.said)
    assert password
    assert (folder / "data" / "secrets" / "admin_password").read_text().strip() == password[1]
    assert "admin@guardflow.local" in gateway.said
    curl = gateway.said[gateway.said.index("curl") :].split("\n\n")[0]
    answer = subprocess.run(["/bin/sh", "-c", curl.replace("curl", "curl -sS", 1)], capture_output=True, check=True)
    assert b"chat.completion" in answer.stdout, answer.stderr
    status, session = gateway.ask(
        "/api/v1/auth/login", body={"username": "admin@guardflow.local", "password": password[1]}
    )
    assert status == 200, session


def test_a_worker_that_crashes_is_started_again_while_the_other_serves(gateway: Gateway) -> None:
    before = gateway.workers()
    assert set(before) == {0, 1}
    os.kill(before[0], signal.SIGKILL)
    until(lambda: gateway.workers().get(0) not in (None, before[0]))
    assert gateway.workers()[1] == before[1]
    for _ in range(20):
        until(lambda: answers(gateway))


def answers(gateway: Gateway) -> bool:
    """A call may meet the dying worker's socket; the next one doesn't."""
    try:
        return gateway.chat(gateway.token)[0] == 200
    except OSError:
        return False


def test_an_embedded_server_that_dies_is_started_again(gateway: Gateway, folder: Path) -> None:
    pid = int((folder / "data" / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    until(lambda: "embedded postgres died" in (folder / "serve.log").read_text())
    until(lambda: run(folder, "tokens", "create", "--user", "demo@guardflow.local").returncode == 0)


def test_a_second_gateway_on_the_same_folder_is_refused_in_one_line(gateway: Gateway, folder: Path) -> None:
    second = run(folder, "serve", "--port", "0")
    assert second.returncode == 1
    assert second.stderr.decode().count("\n") == 1
    assert f"process {gateway.process.pid}" in second.stderr.decode()


def test_a_taken_port_is_refused_in_one_line(gateway: Gateway, folder: Path) -> None:
    port = gateway.url.rpartition(":")[2]
    second = run(folder, "serve", "--port", port, given={"DATA_DIR": str(folder / "other")})
    assert second.returncode == 1
    assert second.stderr.decode().count("\n") == 1
    assert f"port {port} on 127.0.0.1 is taken" in second.stderr.decode()


def test_commands_find_the_running_gateways_database(gateway: Gateway, folder: Path) -> None:
    made = run(folder, "tokens", "create", "--user", "demo@guardflow.local")
    token = made.stdout.decode().split()[-1]
    assert gateway.chat(token)[0] == 200


def test_a_reload_that_comes_at_any_time_ends_nothing(gateway: Gateway) -> None:
    before = gateway.workers()
    for _ in range(3):
        gateway.process.send_signal(signal.SIGHUP)
    assert gateway.chat(gateway.token)[0] == 200
    assert gateway.workers() == before


def test_everything_is_kept_over_an_orderly_stop_and_over_a_kill(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        token = first.token
        assert first.stop() == 0
        assert servers_on(tmp_path) == []
    with serving(tmp_path) as second:
        assert "shown this once" not in second.said
        assert "secrets/admin_password" in second.said
        assert second.chat(token)[0] == 200
        workers = second.workers().values()
        second.process.kill()
        second.process.wait()
        with serving(tmp_path) as third:
            assert third.chat(token)[0] == 200
            assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
            assert third.stop(signal.SIGINT) == 0


def test_asked_to_stop_while_it_starts_it_leaves_nobody_at_work(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = subprocess.Popen(
        [*PROGRAM, "serve", "--port", "0"], cwd=tmp_path, env=environment(tmp_path, {}), stdout=subprocess.DEVNULL
    )
    until((data / "postgres.new" / "base").exists)
    process.terminate()
    assert process.wait(30) == 0
    assert servers_on(data) == []
    with serving(tmp_path) as second:
        assert second.chat(second.token)[0] == 200


def test_a_worker_that_can_not_start_ends_it_all_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "spool").write_text("in the way")
    failed = run(tmp_path, "serve", "--port", "0")
    assert failed.returncode == 1
    assert failed.stderr.decode().splitlines()[-1] == "Error: worker 0 ended with code 1 while it started; see above"
    assert servers_on(tmp_path / "data") == []


def test_a_configuration_with_faults_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    (tmp_path / "guardflow.yaml").write_text("providers: {a: {type: openia}}\nmodels: {m: {targets: []}}\n")
    refused = run(tmp_path, "serve", "--port", "0")
    assert refused.returncode == 1
    said = refused.stderr.decode()
    assert "guardflow.yaml can't be used" in said
    assert "providers.a.type" in said
    assert "models.m.targets" in said
    assert not (tmp_path / "data").exists()


def test_an_unsafe_production_is_refused(tmp_path: Path) -> None:
    refused = run(tmp_path, "serve", given={"ENVIRONMENT": "production", "ADMIN_PASSWORD": "admin123"})
    assert refused.returncode == 1
    for name in ("ADMIN_PASSWORD", "JWT_SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
        assert f"  - {name} " in refused.stderr.decode()
    assert b"Traceback" not in refused.stderr


def test_another_database_that_is_older_is_refused_naming_the_command(tmp_path: Path, empty_postgres_url: str) -> None:
    given = {"DATABASE_URL": empty_postgres_url, "REDIS_URL": "memory://"}
    refused = run(tmp_path, "serve", "--port", "0", given=given)
    assert refused.returncode == 1
    assert "run `guardflow db upgrade`" in refused.stderr.decode()
    assert run(tmp_path, "db", "upgrade", given=given).returncode == 0
    with serving(tmp_path, given=given) as gateway:
        assert gateway.chat(gateway.token)[0] == 200
