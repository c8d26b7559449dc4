"""Processes under measurement: where they run, whose turn it is, what they have cost. Linux only: /proc, affinity."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


class NotReady(Exception):
    """A process ended, or did not answer in time; the message holds the end of its output."""


class Target:
    """A process and those it started, pinned to one core. Servers in other languages (the gateway's database and
    store) are counted as its surroundings and moved to `elsewhere`."""

    def __init__(self, name: str, command: Sequence[str], *, core: int, environ: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.port = free_port()
        self.log = log
        self._stopped = False
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [part.replace("{port}", str(self.port)) for part in command],
                env={"PYTHONPATH": str(ROOT), "PATH": os.environ.get("PATH", os.defpath), **environ},
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        os.sched_setaffinity(self._process.pid, {core})
        with contextlib.suppress(PermissionError):  # as root: what else runs on the machine shows less
            os.setpriority(os.PRIO_PROCESS, self._process.pid, -10)

    def wait_for_port(self, timeout_s: float) -> None:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise NotReady(f"{self.name} ended with code {self._process.returncode}:\n{self.tail()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return
            time.sleep(0.05)
        raise NotReady(f"{self.name} did not listen within {timeout_s:g} s:\n{self.tail()}")

    def tail(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-25:])

    def move_surroundings(self, core: int) -> int:
        """Move what isn't Python to `core`; return how many processes that were."""
        others = [pid for pid in descendants(self._process.pid) if not _is_python(pid)]
        for pid in others:
            for thread in _ids(_PROC / str(pid) / "task"):
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(thread, {core})
        return len(others)

    def cpu_s(self) -> float:
        return sum(map(cpu_seconds, self._own()))

    def rss_mb(self) -> float:
        pages = [int((_PROC / str(pid) / "statm").read_text().split()[1]) for pid in self._own()]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)
        self._stopped = True

    def resume(self) -> None:
        self._signal(signal.SIGCONT)
        self._stopped = False

    def stop(self) -> None:
        if self._stopped:
            self.resume()
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _own(self) -> list[int]:
        return [self._process.pid, *(pid for pid in descendants(self._process.pid) if _is_python(pid))]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._own():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@contextlib.contextmanager
def turn_of(target: Target, others: Iterable[Target]) -> Iterator[None]:
    """Only `target` runs; whatever else the machine does meanwhile falls on all targets alike."""
    for other in others:
        if other is not target:
            other.pause()
    target.resume()
    yield


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = [child for parent in waiting for child in _children(parent)]
        found += children
        waiting = children
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process: to the nanosecond where the kernel keeps it so, else in ticks."""
    try:
        tasks = (_PROC / str(pid) / "task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except OSError:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    try:
        lists = [(task / "children").read_text() for task in (_PROC / str(pid) / "task").iterdir()]
    except OSError:
        return []
    return [int(child) for line in lists for child in line.split()]


def _is_python(pid: int) -> bool:
    try:
        return (_PROC / str(pid) / "exe").readlink().name.startswith(Path(sys.executable).resolve().name[:6])
    except OSError:
        return False


def _ids(folder: Path) -> list[int]:
    try:
        return [int(entry.name) for entry in folder.iterdir()]
    except OSError:
        return []
