"""Signals as values that a loop waits for, rather than interruptions of whatever runs."""

import contextlib
import select
import signal
import socket
from collections.abc import Iterable, Iterator
from typing import Any


class Signals:
    """Collects signals from `listening` on. SIGCHLD wakes `wait` too: children are then to be looked at."""

    def __init__(self, wanted: Iterable[signal.Signals]) -> None:
        self._wanted = [*wanted, signal.SIGCHLD]
        self._heard: list[signal.Signals] = []
        self._ear, self._mouth = socket.socketpair()
        for end in (self._ear, self._mouth):
            end.setblocking(False)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._hear) for number in self._wanted}
        wakeup = signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._ear.close()
            self._mouth.close()

    def wait(self, timeout_s: float) -> list[signal.Signals]:
        """What came since the last call, waiting for it at most `timeout_s`."""
        if not self._heard:
            select.select([self._ear], [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            while self._ear.recv(4096):
                pass
        heard, self._heard = self._heard, []
        return heard

    def _hear(self, number: int, _: Any) -> None:
        self._heard.append(signal.Signals(number))
