"""One worker process by itself: what it is told by signals, and what that changes for who calls it."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from guardflow.settings import Settings, load
from guardflow.worker import make_runner
from tests.guardflow.process import ROOT, environment

pytestmark = pytest.mark.slow


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.01)


class Worker:
    def __init__(self, settings: Settings, folder: Path) -> None:
        self.config, self.log = folder / "guardflow.yaml", folder / "worker.log"
        self.url = f"http://127.0.0.1:{settings.api_port}"
        own = environment(folder, {**settings.environ(), "PYTHONPATH": str(ROOT)})
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "guardflow.worker"], cwd=folder, env=own, stdout=output, stderr=output
            )

    def ready(self) -> int:
        """The status of `/ready`; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(self.url + "/ready", timeout=10) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code
        except OSError:
            return 0

    def said(self, text: str) -> bool:
        return text in self.log.read_text()


@pytest.fixture
def settings(postgres_url: str, redis_url: str, tmp_path: Path) -> Settings:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "guardflow.yaml").write_text('{"providers": {"echo": {"type": "echo"}}}')
    return load(
        {
            "API_PORT": str(port),
            "DATABASE_URL": postgres_url,
            "REDIS_URL": redis_url,
            "DATA_DIR": str(tmp_path / "data"),
            "JWT_SECRET_KEY": "x" * 32,
            "GRACE_S": "1",
        }
    )


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Callable[[], Worker]]:
    with contextlib.ExitStack() as stack:

        def begin() -> Worker:
            worker = Worker(settings, tmp_path)
            stack.callback(worker.process.wait, 30)
            stack.callback(worker.process.kill)
            return worker

        yield begin


@pytest.fixture
def worker(start: Callable[[], Worker]) -> Worker:
    started = start()
    until(lambda: started.ready() == 200 or started.process.poll() is not None)
    assert started.process.poll() is None, started.log.read_text()
    return started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_is_unready_while_it_still_answers_then_closes_its_door_and_ends_with_0(
    worker: Worker, number: signal.Signals
) -> None:
    worker.process.send_signal(number)
    seen = [200]
    while seen[-1]:
        seen.append(worker.ready())
        time.sleep(0.01)
    assert list(dict.fromkeys(seen)) == [200, 503, 0]
    assert seen == sorted(seen, key=[200, 503, 0].index)
    assert worker.process.wait(30) == 0


def test_a_connection_that_only_stays_open_does_not_cost_the_grace_time(worker: Worker) -> None:
    host, port = worker.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as idle:
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in idle.recv(65536)
        worker.process.terminate()
        assert worker.process.wait(10) == 0
        idle.settimeout(1)
        while idle.recv(65536):
            pass


def test_a_body_that_never_comes_holds_up_no_end(worker: Worker) -> None:
    """The supervisor kills what is still there five seconds after the grace time."""
    host, port = worker.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as stuck:
        stuck.sendall(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        time.sleep(0.2)
        began = time.monotonic()
        worker.process.terminate()
        assert worker.process.wait(30) == 0
        assert time.monotonic() - began < 6


@pytest.mark.parametrize("said", [b"", b"GET /health HTTP/1.1\r\nHo"])
async def test_a_connection_without_a_whole_head_is_closed(said: bytes) -> None:
    runner = make_runner(web.Application(), head_timeout_s=0.1)
    await runner.setup()
    assert runner.server is not None
    listener = await asyncio.get_running_loop().create_server(runner.server, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
    writer.write(said)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    listener.close()
    await runner.cleanup()


def test_a_bad_file_is_refused_in_the_log_and_a_mended_one_is_taken_up(worker: Worker) -> None:
    worker.config.write_text('{"providers": {"echo": {"type": "openia"}}}')
    worker.process.send_signal(signal.SIGHUP)
    until(lambda: worker.said("the changed configuration is refused, the old one stays: providers.echo.type"))
    assert worker.ready() == 200
    assert not worker.said("the configuration was read again")
    worker.config.write_text('{"providers": {"echo": {"type": "echo"}}, "limits": {"rpm": 5}}')
    worker.process.send_signal(signal.SIGHUP)
    until(lambda: worker.said("the configuration was read again"))
    assert worker.ready() == 200


def test_the_gauges_of_a_worker_that_serves_are_left_for_the_others_to_read(worker: Worker, settings: Settings) -> None:
    file = settings.data_dir / "metrics" / "0.json"
    until(file.exists)
    first = file.stat().st_mtime_ns
    until(lambda: file.stat().st_mtime_ns > first)
    assert json.loads(file.read_text())["gauges"]["in_flight"] == 0


def test_with_a_bad_file_it_does_not_start_and_says_why_without_a_trace(
    start: Callable[[], Worker], tmp_path: Path
) -> None:
    (tmp_path / "guardflow.yaml").write_text("providers: {echo: {type: openia}}")
    failed = start()
    assert failed.process.wait(30) == 1
    said = failed.log.read_text()
    assert said.startswith("guardflow.yaml can't be used:\nproviders.echo.type: ")
    assert "Traceback" not in said
