"""One socket to an upstream, one exchange at a time.

Invariant: a connection carries a second exchange only if the first reply was complete, its sender keeps the
connection, and no byte is left over on either side. In every other case it is closed.
"""

import asyncio
from collections.abc import Callable
from functools import lru_cache
from math import inf
from typing import cast

import httptools

from gateway.providers.base import OutOfTime, UpstreamCut, UpstreamSilent
from gateway.wire.reply import Reply

MAX_HEAD_BYTES = 65_536


class _Malformed(Exception):
    """Raised through the parser, which then stops."""


class Connection(asyncio.Protocol):
    """`on_idle` hears when it may be used again, `on_gone` (perhaps twice) when it never will be."""

    __slots__ = (
        "_alarm", "_alarm_at", "_bodiless", "_complete", "_deadline", "_ends_at", "_fields", "_head_done",
        "_keep_alive", "_loop", "_on_gone", "_on_idle", "_parser", "_patience", "_paused", "_pieces", "_reply",
        "_transport", "heard", "on_body", "on_header",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_idle: Callable[["Connection"], None],
        on_gone: Callable[["Connection"], None],
    ) -> None:
        self._loop, self._on_idle, self._on_gone = loop, on_idle, on_gone
        self._reply: Reply | None = None
        self._head_done, self._complete, self._keep_alive = False, True, False
        self._bodiless = 0
        self._paused = False
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = self._deadline = self._patience = self._ends_at = inf
        self.heard = False
        # The parser fills these itself: no Python frame for a piece of the body, nor for a header.
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        self._fields: dict[bytes, bytes] = {}
        self.on_header = self._fields.__setitem__
        self._parser = httptools.HttpResponseParser(self)

    # What its owner does.

    @property
    def usable(self) -> bool:
        return not self._transport.is_closing()

    def exchange(self, request: bytes, first_byte_timeout_s: float, ends_at: float = inf) -> Reply:
        """Send the request. The reply is to arrive; `heard` tells whether any byte of it came. However it goes on,
        it ends at `ends_at`."""
        reply = self._reply = Reply(self)
        self.heard = self._head_done = self._complete = False
        self._bodiless = 0
        self._ends_at = ends_at
        self._transport.write(request)
        self.expect(first_byte_timeout_s)
        return reply

    def expect(self, within_s: float) -> None:
        """Sound the alarm when no body arrives for so long. The timer outlives exchanges and looks at the deadlines
        when it fires: neither a piece of the body nor a request makes a timer of its own."""
        self._patience = within_s
        self._deadline = due = self._loop.time() + within_s
        if self._ends_at < due:
            due = self._ends_at
        if due < self._alarm_at:
            self._set_alarm(due)

    def listen(self, idle_timeout_s: float) -> None:
        """Read on; somebody waits for what comes."""
        if self._paused:
            self._paused = False
            if self.usable:
                self._transport.resume_reading()
        self.expect(idle_timeout_s)

    def hold(self) -> None:
        """Read no further. The silence is ours, so only the end of the exchange stays due."""
        self._patience = self._deadline = inf
        if not self._paused and self.usable:
            self._paused = True
            self._transport.pause_reading()

    def fail(self, error: Exception) -> None:
        """Close at once; the exchange under way, if any, ends with `error`."""
        reply, self._reply = self._reply, None
        self._transport.abort()
        self._on_gone(self)
        if reply is not None:
            reply.end(error)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.heard = True
        try:
            self._parser.feed_data(data)
            broken = False
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            broken = True
        if self._pieces:
            self._bodiless = 0
            self._deadline = self._loop.time() + self._patience
            self._deliver()
        elif not self._complete:
            # Endless heads, interim replies, trailers and chunk extensions: held to this, give or take one read.
            self._bodiless += len(data)
            broken = broken or self._bodiless > MAX_HEAD_BYTES
        if self._reply is None:
            self.fail(UpstreamCut("bytes that nobody asked for"))
        elif self._complete:
            self._finish(self._reply, reusable=self._keep_alive and not broken)
        elif broken:
            self.fail(UpstreamCut("the upstream sent what is not HTTP"))

    def eof_received(self) -> None:
        self._ended(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._ended(exc)
        del self._parser  # it holds our methods, and so ourselves

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._complete:
            raise _Malformed("bytes after the reply")
        self._fields.clear()

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status == 101:
            raise _Malformed("an upgrade that nobody asked for")
        if status >= 200 and self._reply is not None:
            self._head_done = True
            self._keep_alive = self._parser.should_keep_alive()
            self._patience = self._deadline = inf  # until somebody waits for the body
            fields = self._fields.items()
            self._reply.begin(status, {_header_name(n): value.rstrip().decode("latin-1") for n, value in fields})

    def on_message_complete(self) -> None:
        self._complete = self._head_done

    # How an exchange goes on and ends.

    def _deliver(self) -> None:
        pieces = self._pieces
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if self._reply is not None:
            self._reply.take(piece)

    def _finish(self, reply: Reply, *, reusable: bool) -> None:
        self._reply, self._ends_at = None, inf
        usable = self.usable
        if self._paused and usable:
            self._paused = False
            self._transport.resume_reading()
        # A reply that came before its request was sent whole leaves the rest of the request on the connection.
        if reusable and usable and not self._transport.get_write_buffer_size():
            self._on_idle(self)
        else:
            self._transport.abort()
            self._on_gone(self)
        reply.end(None)

    def _ended(self, error: Exception | None) -> None:
        reply = self._reply
        if reply is not None and error is None and self._head_done and reply.ends_with_the_connection:
            self._finish(reply, reusable=False)
        else:
            self.fail(UpstreamCut(f"the connection ended early: {error or 'closed by the upstream'}"))

    def _set_alarm(self, at: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = self._loop.call_at(at, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm, self._alarm_at = None, inf
        now = self._loop.time()
        if self._ends_at <= now:
            self.fail(OutOfTime("the time of the whole call is over"))
        elif self._deadline <= now:
            self.fail(UpstreamSilent(f"nothing came for {self._patience:g} s"))
        elif (due := min(self._deadline, self._ends_at)) < inf:
            self._set_alarm(due)


@lru_cache(maxsize=512)
def _header_name(name: bytes) -> str:
    return name.decode("latin-1").lower()
