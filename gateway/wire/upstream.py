"""The connection pool: one upstream's warm sockets, newest first.

Invariant: a request is sent at most twice, and the second time only because a kept connection turned out to be dead
before any byte of a reply.
"""

import asyncio
import socket
import ssl
from functools import lru_cache, partial
from math import inf

import aiohappyeyeballs

from gateway.providers.base import ConnectFailed, OutOfTime, UpstreamCut, UpstreamReply, UpstreamRequest
from gateway.wire.connection import Connection
from gateway.wire.request import RequestWriter

# How long one address may keep us from trying the next (RFC 8305).
_NEXT_ADDRESS_AFTER_S = 0.25


class UpstreamPool:
    """The `Upstream` that speaks HTTP/1.1 over TCP or TLS."""

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout_s: float = 5,
        max_idle: int = 256,
        idle_ttl_s: float = 60,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._writer = RequestWriter(base_url)
        self._ssl = (ssl_context or _default_context()) if self._writer.tls else None
        self._connect_timeout_s, self._max_idle, self._idle_ttl_s = connect_timeout_s, max_idle, idle_ttl_s
        self._idle: dict[Connection, None] = {}
        self._active: set[Connection] = set()
        self._closed = False

    @property
    def active(self) -> int:
        """Connections with an exchange under way."""
        return len(self._active)

    @property
    def idle(self) -> int:
        return len(self._idle)

    async def send(self, request: UpstreamRequest, first_byte_timeout_s: float, ends_at: float = inf) -> UpstreamReply:
        """Raises ValueError, and sends nothing, where the path or a header would break the framing."""
        data = self._writer.write(request)
        connection = self._warm()
        if connection is not None:
            try:
                return await connection.exchange(data, first_byte_timeout_s, ends_at).arrival()
            except UpstreamCut:
                if connection.heard:
                    raise
        connection = await self._connect(ends_at)
        return await connection.exchange(data, first_byte_timeout_s, ends_at).arrival()

    def retire(self) -> None:
        """Keep no connection from now on; what is under way ends in its own time."""
        self._max_idle = 0
        for connection in list(self._idle):
            connection.fail(UpstreamCut("the pool is retired"))

    async def close(self) -> None:
        self._closed = True
        for connection in [*self._idle, *self._active]:
            connection.fail(UpstreamCut("the pool is closed"))
        await asyncio.sleep(0)  # the transports tell their sockets in the next turn of the loop

    def _warm(self) -> Connection | None:
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.usable:
                self._active.add(connection)
                return connection
        return None

    async def _connect(self, ends_at: float) -> Connection:
        origin, loop = self._writer.origin, asyncio.get_running_loop()
        if self._closed:
            raise ConnectFailed("the pool is closed")
        try:
            async with asyncio.timeout_at(min(loop.time() + self._connect_timeout_s, ends_at)):
                connection = await self._open()
        except TimeoutError:
            if ends_at <= loop.time():
                raise OutOfTime(f"no connection to {origin} before the end of the call") from None
            raise ConnectFailed(f"no connection to {origin} in {self._connect_timeout_s:g} s") from None
        except OSError as error:
            raise ConnectFailed(f"no connection to {origin}: {error}") from error
        self._active.add(connection)
        if self._closed:
            connection.fail(UpstreamCut("the pool is closed"))
            raise ConnectFailed("the pool is closed")
        return connection

    async def _open(self) -> Connection:
        loop, writer = asyncio.get_running_loop(), self._writer
        addresses = await loop.getaddrinfo(writer.host, writer.port, type=socket.SOCK_STREAM)
        sock = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER_S, interleave=1
        )
        _, connection = await loop.create_connection(
            partial(Connection, loop, self._keep, self._forget),
            sock=sock,
            ssl=self._ssl,
            server_hostname=writer.host if self._ssl is not None else None,
        )
        return connection

    def _keep(self, connection: Connection) -> None:
        self._active.discard(connection)
        if len(self._idle) < self._max_idle and not self._closed:
            self._idle[connection] = None
            connection.expect(self._idle_ttl_s)
        else:
            connection.fail(UpstreamCut("not kept"))

    def _forget(self, connection: Connection) -> None:
        self._active.discard(connection)
        self._idle.pop(connection, None)


@lru_cache(maxsize=1)
def _default_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
