"""The worker processes: started, started again when they crash, stopped together."""

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from guardflow.children import spawn_child

logger = logging.getLogger("guardflow.supervisor")

PROGRAM = (sys.executable, "-P", "-m", "guardflow.worker")
_BACKOFF_MIN_S, _BACKOFF_MAX_S = 0.2, 10.0
_STEADY_S = 60.0
_ROOT = Path(__file__).parent.parent


class Worker:
    """One slot: a process, or the time at which the next is due."""

    def __init__(self, index: int, environ: Mapping[str, str], program: Sequence[str] = PROGRAM) -> None:
        self.index = index
        self._program = program
        self._environ = {**environ, "WORKER_INDEX": str(index)}
        # A folder called `admin` where Guardflow was started must not be taken for ours.
        self._environ["PYTHONPATH"] = ":".join(filter(None, [str(_ROOT), environ.get("PYTHONPATH")]))
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._due = 0.0
        self._backoff_s = _BACKOFF_MIN_S

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        # Killed with us and not asked: whoever starts next needs the port and the spool.
        self._process = spawn_child(self._program, environ=self._environ, death_signal=signal.SIGKILL)
        self._started = time.monotonic()

    def exit_code(self) -> int | None:
        """The code it ended with, once; None while it runs or waits for its next start."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self._process = None
        if time.monotonic() - self._started > _STEADY_S:
            self._backoff_s = _BACKOFF_MIN_S
        self._due = time.monotonic() + self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, _BACKOFF_MAX_S)
        return code

    def seconds_until_due(self) -> float | None:
        return None if self._process else max(0.0, self._due - time.monotonic())

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None


class Workers:
    def __init__(self, count: int, environ: Mapping[str, str], program: Sequence[str] = PROGRAM) -> None:
        self._workers = [Worker(index, environ, program) for index in range(count)]

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._workers)

    def start(self) -> None:
        for worker in self._workers:
            worker.start()

    def ended(self) -> list[tuple[int, int]]:
        """(index, exit code) of those that ended since the last call."""
        codes = [(worker.index, worker.exit_code()) for worker in self._workers]
        return [(index, code) for index, code in codes if code is not None]

    def restart_due(self) -> None:
        for worker in self._workers:
            if worker.seconds_until_due() == 0:
                logger.info("starting worker %d again", worker.index)
                worker.start()

    def pause(self, most_s: float) -> float:
        """How long nothing is due, at most `most_s`."""
        due = (worker.seconds_until_due() for worker in self._workers)
        return min([most_s, *(seconds for seconds in due if seconds is not None)])

    def signal(self, number: signal.Signals) -> None:
        for worker in self._workers:
            worker.signal(number)

    def kill(self) -> None:
        """End them, now, and see that they have ended."""
        for worker in self._workers:
            worker.kill()

    def any_running(self) -> bool:
        return any(worker.running() for worker in self._workers)
