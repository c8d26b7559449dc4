"""A Valkey of a test's own, to be stopped, starved and killed."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from guardflow.embedded import EmbeddedValkey


class OwnValkey:
    def __init__(self, server: EmbeddedValkey) -> None:
        self._server = server

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        self._server.start()

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        process = self._server._process
        assert process is not None
        process.wait()

    def freeze(self) -> None:
        """From now on it accepts everything and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        process = self._server._process
        assert process is not None
        os.kill(process.pid, number)


@contextmanager
def own_valkey(*, durable: bool = False) -> Iterator[OwnValkey]:
    with tempfile.TemporaryDirectory(prefix="gf-own-") as folder:
        server = EmbeddedValkey(Path(folder), durable=durable)
        server.start()
        own = OwnValkey(server)
        try:
            yield own
        finally:
            if server.alive():
                own.thaw()
            server.stop()
