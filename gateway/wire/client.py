"""One client's connection: requests come in one at a time and are answered in their order.

Invariant: no byte of one request is ever taken for another's; where that can't be told, the connection ends with the
reply. Reading stops while nobody takes what was read, and no wait is without end: `check` sees to that.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, cast

from gateway.errors import InvalidRequest, Refusal, RequestHeadTooLarge, RequestTimeout, RequestTooLarge
from gateway.exchange import Inbound
from gateway.ids import new_id
from gateway.wire.reader import MAX_HEAD_BYTES, RequestReader
from gateway.wire.request_line import RequestLine, request_line
from gateway.wire.response import HttpResponse, dialect_of, method_answer

if TYPE_CHECKING:
    from gateway.wire.http import HttpEdge

logger = logging.getLogger("guardflow.edge")

MAX_LINE_BYTES = 8 * 1024
UNREAD_BYTES = 64 * 1024
LINGER_BYTES = 1024 * 1024
HEAD_TIMEOUT_S = 15.0
BODY_TIMEOUT_S = 60.0
KEEP_ALIVE_S = 75.0
LINGER_S = 5.0
STALLED_READER_S = 60.0
CONGESTED_BYTES = 128 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class ClientConnection(asyncio.Protocol):
    """`_line` is None between requests. `_kept` came early and belongs to the next one. `_since`: when, by the edge's
    clock, the present wait began. `_lingering`: the reply is written, what comes of its request is dropped, up to
    `_linger_end` bytes of it. `_deaf`: whatever still comes is dropped. `gone`: nobody reads any more."""

    __slots__ = (
        "_body_error", "_body_waiter", "_deaf", "_edge", "_keep", "_kept", "_line", "_linger_end", "_lingering",
        "_paused", "_reader", "_since", "_stuck", "_task", "_transport", "_writable", "gone",
    )  # fmt: skip

    def __init__(self, edge: "HttpEdge") -> None:
        self._edge = edge
        self._reader = RequestReader()
        self._line: RequestLine | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._body_waiter: asyncio.Future[None] | None = None
        self._body_error: Refusal | None = None
        self._keep = True
        self._lingering = self._paused = self._deaf = self.gone = False
        self._stuck = self._linger_end = 0
        self._kept = b""
        self._since = edge.now

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=CONGESTED_BYTES)
        self._edge.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._line is None:
            self._first_line(data)
        elif self._deaf:
            return
        elif self._reader.complete:
            self._keep_for_later(data)
        else:
            self._feed(data)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def eof_received(self) -> None:
        """Who sends no more reads no more: a client that left looks just the same."""
        if self._task is not None:
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._edge.connections.discard(self)
        self.resume_writing()
        self._tell()
        self._reader.close()

    # From bytes to a request.

    def _first_line(self, data: bytes) -> None:
        """Whose is the next request? Until its first line is here, nothing is read."""
        if self._kept:
            data = self._kept + data
        elif data := data.lstrip(b"\r\n"):
            self._since = self._edge.now
        end = data.find(b"\n")
        if end < 0 and len(data) <= MAX_LINE_BYTES:
            self._kept = data
            return
        self._kept = b""
        is_line = 0 < end <= MAX_LINE_BYTES and data[end - 1] == 13
        self._line = line = request_line(data[: end - 1]) if is_line else None
        if line is None:
            self._hand_over(data)
        else:
            self._reader.begin(is_http_1_1=line.is_http_1_1)
            self._keep, self._body_error = True, None
            self._feed(data)

    def _hand_over(self, data: bytes) -> None:
        self._edge.connections.discard(self)
        self._reader.close()
        self._edge.hand_on(self._transport, data)

    def _feed(self, data: bytes) -> None:
        reader = self._reader
        reader.feed(data)
        if not reader.head_done:
            if reader.broken:
                self._refuse_head()
            return
        if reader.broken and self._body_error is None:
            self._fail_body(InvalidRequest("The request body is not framed as HTTP says."))
        if self._lingering:
            self._linger()
        elif self._task is None:
            self._begin(reader)
        else:
            self._body_came(reader)

    def _note_rest(self, reader: RequestReader) -> None:
        """What came with the end of a request: the next, or nothing that can be told."""
        if reader.rest is None:
            self._keep = False
        elif reader.rest:
            self._keep_for_later(reader.rest)

    def _keep_for_later(self, data: bytes) -> None:
        self._kept += data
        if len(self._kept) > UNREAD_BYTES:
            self._pause()

    # A request under way.

    def _begin(self, reader: RequestReader) -> None:
        self._note_rest(reader)
        inbound, response = self._exchange(reader.headers)
        self._edge.in_flight += 1
        self._task = asyncio.get_running_loop().create_task(self._serve(inbound, response))

    def _exchange(self, headers: dict[str, str]) -> tuple[Inbound, HttpResponse]:
        line = self._line
        assert line is not None
        inbound = Inbound(
            new_id(), line.endpoint, dialect_of(line.endpoint, headers), headers, self.read_body, perf_counter(),
            datetime.now(UTC), line.model_id, line.query, line.stream,
        )  # fmt: skip
        return inbound, HttpResponse(self, inbound, line)

    async def _serve(self, inbound: Inbound, response: HttpResponse) -> None:
        ended = False
        try:
            if (answer := method_answer(inbound, response.method)) is None:
                await self._edge.serve(inbound, response)
            else:
                response.answer(*answer)
                await response.finish()
            ended = True
        except asyncio.CancelledError:
            if not self.gone:
                raise
        except Exception:  # a reply that can't be written must not look like one that was
            logger.exception("the reply to %s could not be written", inbound.request_id)
        finally:
            self._edge.in_flight -= 1
            self._task = None
            if ended and not self.gone:
                self._end()
            else:
                self.cut()

    async def read_body(self) -> bytes:
        """The whole body. Raises RequestTooLarge as soon as that is known, RequestTimeout when it doesn't come."""
        reader, limit = self._reader, self._edge.max_body_bytes()
        if not reader.complete and self._body_error is None:
            await self._rest_of_body(limit)
        if self._body_error is not None:
            raise self._body_error
        pieces = reader.pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if len(body) > limit:
            raise _too_large(limit)
        return body

    async def _rest_of_body(self, limit: int) -> None:
        if self._reader.content_length > limit:
            raise _too_large(limit)
        if self._is_awaited(self._reader.headers):
            del self._reader.headers["expect"]
            self.write(_CONTINUE)
        self._since = self._edge.now
        self._resume()
        waiter = self._body_waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            self._body_waiter = None

    def _body_came(self, reader: RequestReader) -> None:
        """Some more of the body, or its end."""
        if reader.complete:
            self._note_rest(reader)
            self._wake()
        elif self._body_waiter is None:
            if reader.received > MAX_HEAD_BYTES + UNREAD_BYTES:
                self._pause()
        elif reader.received > UNREAD_BYTES + (limit := self._edge.max_body_bytes()):
            self._fail_body(_too_large(limit))

    def _fail_body(self, refusal: Refusal) -> None:
        """What is left of the body can't be read, or is not worth it."""
        self._body_error = refusal
        if self._reader.broken:
            self._keep = False
            self._deaf = True
        self._wake()

    def _wake(self) -> None:
        if self._body_waiter is not None and not self._body_waiter.done():
            self._body_waiter.set_result(None)

    def _refuse_head(self) -> None:
        """There is no request to log: what came is none."""
        too_large = self._reader.received > MAX_HEAD_BYTES
        self._keep = False
        _, response = self._exchange({})
        if too_large:
            response.send_refusal(RequestHeadTooLarge("The request's head is too large."))
        else:
            response.send_refusal(InvalidRequest("The request's head is not valid HTTP."))
        self._close_gently()

    # How an exchange ends.

    def last(self) -> None:
        """The reply that is about to begin ends with the connection."""
        self._keep = False

    def keeps(self) -> bool:
        """Whether the connection outlives the reply that is about to begin."""
        reader = self._reader
        self._keep = self._keep and reader.keep_alive and not self._edge.draining
        if self._keep and not reader.complete:
            # Where the next request begins is told by a length alone. And who was not told to send the body may send
            # the next request in its place.
            is_short = reader.content_length - reader.received <= LINGER_BYTES
            self._keep = is_short and not reader.is_chunked and not self._is_awaited(reader.headers)
        return self._keep

    def _is_awaited(self, headers: Mapping[str, str]) -> bool:
        """Does the client wait for our word before it sends the body? HTTP/1.0 knows of no such word."""
        line = self._line
        return line is not None and line.is_http_1_1 and headers.get("expect", "").lower() == "100-continue"

    def _end(self) -> None:
        """The reply is written: on to the next request, if there may be one."""
        if not self._reader.complete:
            self._linger()
        elif not self._keep:
            if self._kept or self._reader.rest is None:
                self._close_gently()
            else:
                self._transport.close()
        elif not self._transport.is_closing():
            kept, self._kept = self._kept, b""
            self._line = None
            self._lingering = False
            self._since = self._edge.now
            self._resume()
            if kept:
                self.data_received(kept)

    def _linger(self) -> None:
        """Read what is left of the body and drop it: closing on it could take the reply from its reader."""
        reader = self._reader
        reader.pieces.clear()
        if not self._lingering:
            self._lingering, self._since = True, self._edge.now
            self._linger_end = reader.received + LINGER_BYTES
            self._resume()
        if reader.complete:
            self._note_rest(reader)
            self._end()
        elif reader.broken or reader.received > self._linger_end:
            self._close_gently()

    def _close_gently(self) -> None:
        """Say that nothing more comes, and give the reader time to read that. What it still sends is dropped."""
        self._deaf = self._lingering = True
        self._since = self._edge.now
        self._resume()
        if not self._transport.is_closing():
            with suppress(OSError):  # it has left already; the loop is about to say so
                self._transport.write_eof()

    def check(self, now: float) -> None:
        """Has it been idle, slow or stalled for too long?"""
        waiting = self._transport.get_write_buffer_size()
        if waiting != self._stuck:
            self._stuck, self._since = waiting, now
        waited = now - self._since
        if waited > self._patience(is_stalled=waiting > 0):
            if waiting or self._lingering:
                self.cut()
            elif self._body_waiter is not None:
                self._keep = False
                self._fail_body(RequestTimeout("The request body did not arrive in time."))
            else:
                self._transport.close()

    def _patience(self, *, is_stalled: bool) -> float:
        """For how many seconds the present state may last."""
        if is_stalled:
            return STALLED_READER_S
        if self._lingering:
            return LINGER_S
        if self._line is None:
            return HEAD_TIMEOUT_S if self._kept else KEEP_ALIVE_S
        if not self._reader.head_done:
            return HEAD_TIMEOUT_S
        return BODY_TIMEOUT_S if self._body_waiter is not None else float("inf")

    def close_if_idle(self) -> None:
        if self._line is None:
            self._transport.close()

    def cut(self) -> None:
        """Close at once. Whoever is still at work on it is told."""
        self.gone = True
        self._transport.abort()
        self._tell()

    def _tell(self) -> None:
        """Cancel the task, but not before it has begun: nothing of it would run then, its counting included."""
        if self._task is not None:
            asyncio.get_running_loop().call_soon(self._task.cancel)

    # What a response does.

    @property
    def date(self) -> str:
        return self._edge.date

    def write(self, data: bytes) -> bool:
        """Hand `data` to the socket; True when its reader is congested."""
        self._transport.write(data)
        return self._writable is not None

    async def drained(self) -> None:
        """Wait until the reader has caught up; `check` cuts one that never does."""
        if self._writable is not None and not self.gone:
            await self._writable

    # Its own affairs.

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"The request body is larger than {limit} bytes.")
