"""A gateway as its users start it: the program in a process of its own, with an environment of its own."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 60.0
PROGRAM = [sys.executable, "-P", "-m", "guardflow"]
ROOT = Path(__file__).parent.parent.parent
NOTHING: Mapping[str, str] = {}


def environment(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    own = {"PATH": os.defpath, "HOME": str(folder), "PYTHONPATH": str(ROOT), "DATA_DIR": str(folder / "data")}
    return {**own, **given}


def run(
    folder: Path, *arguments: str, given: Mapping[str, str] = NOTHING, stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run one command to its end. `given` is its environment besides what every test's has."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=environment(folder, given),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=START_TIMEOUT_S,
    )


@dataclass
class Gateway:
    """A running `guardflow serve`. `said` is what it printed until it answered."""

    process: "subprocess.Popen[bytes]"
    said: str
    url: str

    @property
    def token(self) -> str:
        found = re.search(r"gf_\w+", self.said)
        assert found, self.said
        return found[0]

    def workers(self) -> dict[int, int]:
        """The process of each worker, by its index."""
        found = {}
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                with contextlib.suppress(OSError):
                    environ = Path(f"/proc/{child}/environ").read_bytes()
                    if index := re.search(rb"\0WORKER_INDEX=(\d+)\0", b"\0" + environ + b"\0"):
                        found[int(index[1])] = int(child)
        return found

    def chat(self, token: str, text: str = "Hello") -> tuple[int, Any]:
        body = {"model": "echo", "messages": [{"role": "user", "content": text}]}
        return self.ask("/v1/chat/completions", token, body)

    def ask(self, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=10) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read())

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextlib.contextmanager
def serving(folder: Path, *arguments: str, given: Mapping[str, str] = NOTHING) -> Iterator[Gateway]:
    """`guardflow serve` on a free port until the block ends."""
    log, command = folder / "serve.log", [*PROGRAM, "serve", "--port", "0", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(folder, given), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        said = _welcome(process, log)
        yield Gateway(process, said, _url(said))
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()


def _welcome(process: "subprocess.Popen[bytes]", log: Path) -> str:
    end = time.monotonic() + START_TIMEOUT_S
    while "Try it:" not in log.read_text() or not log.read_text().endswith("\n"):
        assert process.poll() is None, f"it ended with {process.returncode}:\n{log.read_text()}"
        assert time.monotonic() < end, f"it does not answer:\n{log.read_text()}"
        time.sleep(0.02)
    return log.read_text()


def _url(said: str) -> str:
    found = re.search(r"API +(http://\S+)", said)
    assert found
    return found[1]
