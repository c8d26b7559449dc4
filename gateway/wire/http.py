"""The HTTP edge: which requests are the data plane's, and the connections they come on.

It owns the listener. A connection whose next request is not for the data plane is handed, bytes and all, to the
protocol `elsewhere`, and stays there: what answers there has to say `connection: close`. Nothing here knows aiohttp.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate

from gateway.downstream import Downstream
from gateway.exchange import Exchange, Inbound
from gateway.tasks import spawn
from gateway.wire.client import STALLED_READER_S, ClientConnection

Serve = Callable[[Inbound, Downstream], Awaitable[Exchange]]

SWEEP_S = 1.0
_POLL_S = 0.02


class HttpEdge:
    """Takes data-plane requests to `serve`. `max_body_bytes` may change at run time. Times are of the coarse clock
    `now`, which `sweep` sets: no request pays for a timer of its own. It counts sweeps: time in which nobody could be
    heard, because the loop was held up or the machine asleep, is held against nobody."""

    def __init__(
        self, serve: Serve, elsewhere: Callable[[], asyncio.Protocol], max_body_bytes: Callable[[], int]
    ) -> None:
        self.serve = serve
        self.elsewhere = elsewhere
        self.max_body_bytes = max_body_bytes
        self.connections: set[ClientConnection] = set()
        self.handed_on: dict[asyncio.Transport, tuple[int, float]] = {}
        """What their readers had not taken, and since when."""
        self.in_flight = 0
        self.draining = False
        self.now = 0.0
        self.date = ""
        self.sweep(self.now)
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def listen(self, host: str, port: int, backlog: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self.protocol, host, port, backlog=backlog, reuse_port=True)
        self._sweeper = spawn(self._sweep_for_ever(), name="edge-sweep")

    def protocol(self) -> ClientConnection:
        """A new connection's protocol."""
        return ClientConnection(self)

    def sweep(self, now: float) -> None:
        """Look at the clock for everybody: close what is idle or stalled too long."""
        self.now = now
        self.date = formatdate(usegmt=True)
        for connection in list(self.connections):
            connection.check(now)
        for transport in list(self.handed_on):
            self._check_handed_on(transport)

    def hand_on(self, transport: asyncio.Transport, data: bytes) -> None:
        """Somebody else answers what begins with `data`. All we still see to is that its reader does not stall."""
        self.handed_on[transport] = 0, self.now
        protocol = self.elsewhere()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)

    def _check_handed_on(self, transport: asyncio.Transport) -> None:
        before, since = self.handed_on[transport]
        waiting = transport.get_write_buffer_size()
        if not waiting and transport.is_closing():
            del self.handed_on[transport]
        elif waiting != before:
            self.handed_on[transport] = waiting, self.now
        elif waiting and self.now - since > STALLED_READER_S:
            transport.abort()

    def last_calls(self) -> None:
        """From now on every reply is the last of its connection."""
        self.draining = True

    def stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close_if_idle()

    async def close(self, timeout_s: float = 5.0) -> None:
        """Let what is written reach its readers, then cut what is left."""
        self.stop_listening()
        end = time.monotonic() + timeout_s
        while self.connections and time.monotonic() < end:  # noqa: ASYNC110 - once in a life
            await asyncio.sleep(_POLL_S)
        for connection in list(self.connections):
            connection.cut()
        if self._sweeper is not None:
            self._sweeper.cancel()

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.sweep(self.now + SWEEP_S)
