"""A reply as it arrives: taken whole (`read`) or handed on piece by piece (`pump`), and never held without bound."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from gateway.providers.base import ReplyTooLarge, UpstreamCut

UNREAD_BYTES = 262_144


class Source(Protocol):
    """Where a reply comes from: the connection, until the reply has ended."""

    def listen(self, idle_timeout_s: float) -> None: ...

    def hold(self) -> None: ...

    def fail(self, error: Exception) -> None: ...


class Reply:
    """The `UpstreamReply` of the connection pool. It has ended when its source is None."""

    __slots__ = ("_ceiling", "_congested", "_error", "_feed", "_parts", "_reading", "_size", "_source", "_waiter",
                 "headers", "status")  # fmt: skip

    def __init__(self, source: Source) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._source: Source | None = source
        self._parts: list[bytes] = []
        self._size = 0
        self._ceiling = UNREAD_BYTES
        self._reading = self._congested = False
        self._feed: Callable[[bytes], bool] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    # What the reader does.

    async def arrival(self) -> "Reply":
        """This reply, once its head is here."""
        if self.status == 0 and self._source is not None:
            try:
                await self._news()
            except asyncio.CancelledError:
                self.abort()
                raise
        if self.status == 0 and self._error is not None:
            raise self._error
        return self

    async def read(self, max_bytes: int, idle_timeout_s: float) -> bytes:
        self._reading, self._ceiling = True, max_bytes
        try:
            while self._source is not None and self._size <= max_bytes:
                self._source.listen(idle_timeout_s)
                await self._news()
        except asyncio.CancelledError:
            self.abort()
            raise
        if self._size > max_bytes:
            self.abort()
            raise ReplyTooLarge(f"a reply of more than {max_bytes} bytes")
        if self._error is not None:
            raise self._error
        return self._held()

    async def pump(
        self, feed: Callable[[bytes], bool], drained: Callable[[], Awaitable[None]], idle_timeout_s: float
    ) -> None:
        self._feed = feed
        try:
            while self._parts or self._source is not None:
                if self._congested:
                    await self._relief(drained)
                elif self._parts:
                    self._congested = feed(self._held())
                elif self._source is not None:
                    self._source.listen(idle_timeout_s)
                    await self._news()
        except BaseException:
            self.abort()
            raise
        if self._error is not None:
            raise self._error

    def abort(self) -> None:
        if self._source is not None:
            self._source.fail(UpstreamCut("given up by its reader"))

    # What the connection does.

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.status, self.headers = status, headers
        self._wake()

    def take(self, piece: bytes) -> None:
        """A piece of the body arrived."""
        if self._feed is None or self._congested:
            self._parts.append(piece)
            self._size += len(piece)
            if self._size > self._ceiling:
                self._overfull()
            return
        source = self._source
        try:
            self._congested = self._feed(piece)
        except Exception as error:  # noqa: BLE001  (whatever it is, it belongs to `pump`, which raises it)
            if source is not None:
                source.fail(error)
        if self._congested and source is not None:
            source.hold()
            self._wake()

    def end(self, error: Exception | None) -> None:
        self._source, self._error = None, error
        self._wake()

    @property
    def ends_with_the_connection(self) -> bool:
        """Does nothing but the end of the connection mark the end of this body?"""
        coding = self.headers.get("transfer-encoding", "").lower()
        return "content-length" not in self.headers and not coding.endswith("chunked")

    # Its own affairs.

    def _overfull(self) -> None:
        if self._source is not None:
            self._source.hold()
        if self._reading:
            self._wake()

    def _held(self) -> bytes:
        held = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return held

    async def _relief(self, drained: Callable[[], Awaitable[None]]) -> None:
        if self._source is not None:
            self._source.hold()
        await drained()
        self._congested = False

    def _news(self) -> asyncio.Future[None]:
        """Done when something has changed. Whoever is cancelled while waiting has to `abort`."""
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        return waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
