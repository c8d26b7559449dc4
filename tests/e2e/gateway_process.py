"""The gateway as its operators run it: the real program in processes of its own, on a folder and a port of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.e2e.plain_http import call

ADMIN_EMAIL = "admin@example.org"
ADMIN_PASSWORD = "correct horse battery staple"
START_TIMEOUT_S = 90.0
_RELOADED = "the configuration was read again"
_INHERITED = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR")


class GatewayProcess:
    """`start` returns once every worker serves. `kill` is what a power cut does, `terminate` what an operator does.
    A gateway that was stopped may be started again: it keeps its data."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any] | None = None,
        *,
        workers: int = 1,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data_dir = folder / "data"
        self.workers = workers
        self.environ = {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            "API_PORT": "0", "DATA_DIR": str(self.data_dir), "ADMIN_EMAIL": ADMIN_EMAIL,
            "ADMIN_PASSWORD": ADMIN_PASSWORD, **(environ or {}),
        }  # fmt: skip
        if config is not None:
            (folder / "guardflow.yaml").write_text(json.dumps(config))
        self.base_url = ""
        self.database_url = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "GatewayProcess":
        command = [str(Path(sys.prefix) / "bin" / "guardflow"), "serve", "--workers", str(self.workers)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )
        began = time.time()
        note = self._wait_for(self._note, "announce itself")
        self.base_url, self.database_url = note["api_url"], note["database_url"]
        self._wait_for(lambda: self._serving_since(began), "have every worker serving")
        self._wait_for(lambda: call(self.base_url, "GET", "/ready").status == 200, "be ready")
        return self

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write a new configuration and have it taken up, as SIGHUP does."""
        assert self.process is not None
        (self.folder / "guardflow.yaml").write_text(json.dumps(config))
        before = self.log().count("the configuration was read again")
        self.process.send_signal(signal.SIGHUP)
        done = before + self.workers
        self._wait_for(
            lambda: self.log().count("the configuration was read again") >= done, "take the configuration up"
        )

    def worker_pids(self) -> list[int]:
        assert self.process is not None
        pid = self.process.pid
        children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return [child for child in children if b"guardflow.worker" in Path(f"/proc/{child}/cmdline").read_bytes()]

    def terminate(self, timeout_s: float = 60.0) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL to the supervisor alone: what it started has to go by itself."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Whatever state it is in; twice is fine."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def log(self) -> str:
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    @property
    def _log(self) -> Path:
        return self.folder / "gateway.log"

    def _note(self) -> dict[str, str] | None:
        """Where it says it can be reached; a predecessor's note is not it."""
        assert self.process is not None
        try:
            note: dict[str, Any] = json.loads((self.data_dir / "gateway.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return note if note["pid"] == self.process.pid else None

    def _serving_since(self, began: float) -> bool:
        """A worker writes its numbers from its first second of service on."""
        files: Iterable[Path] = (self.data_dir / "metrics" / f"{index}.json" for index in range(self.workers))
        return all(file.exists() and file.stat().st_mtime >= began for file in files)

    def _wait_for(self, happens: Any, what: str) -> Any:
        assert self.process is not None
        end = time.monotonic() + START_TIMEOUT_S
        while True:
            if found := happens():
                return found
            ended = self.process.poll()
            if ended is not None or time.monotonic() > end:
                why = f"it ended with {ended}" if ended is not None else "the time was up"
                raise AssertionError(f"the gateway did not {what}: {why}\n{self.log()[-4000:]}")
            time.sleep(0.02)
