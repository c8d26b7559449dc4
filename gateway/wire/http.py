"""The HTTP edge: an aiohttp request becomes an Inbound, a Downstream its reply. Nothing behind it knows aiohttp.

It takes the place of the application's own request handler on the same listener, so that a data-plane call costs
neither routing nor middlewares; whatever is not a data-plane path goes on to the application.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from aiohttp import HttpVersion11, web

from gateway.downstream import Downstream
from gateway.errors import ClientGone, MethodNotAllowed, Refusal, RequestTimeout, RequestTooLarge, render
from gateway.exchange import Dialect, Endpoint, Exchange, Inbound
from gateway.headers import names_of
from gateway.wire import sse

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Serve = Callable[[Inbound, Downstream], Awaitable[Exchange]]

PREFIXES = ("/v1/", "/api/v1/")
ALIASES = {"/chat/completions": Endpoint.CHAT}
CONGESTED_BYTES = 128 * 1024
STALLED_READER_S = 60.0
BODY_TIMEOUT_S = 60.0
_POLL_S = 0.005

_POST = {f"{prefix}{e.value}": e for prefix in PREFIXES for e in Endpoint if e is not Endpoint.MODELS} | ALIASES
_MODELS = tuple(f"{prefix}models" for prefix in PREFIXES)


class HttpEdge:
    """Takes data-plane requests to `serve`, all others to `elsewhere`. `max_body_bytes` may change at run time."""

    def __init__(self, serve: Serve, elsewhere: Handler, max_body_bytes: Callable[[], int]) -> None:
        self._serve = serve
        self._elsewhere = elsewhere
        self._max_body_bytes = max_body_bytes
        self.in_flight = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.rel_url.raw_path
        endpoint, model_id = _POST.get(path), None
        if endpoint is None:
            if not path.startswith(_MODELS) or (rest := _below_models(request.rel_url.path)) is None:
                return await self._elsewhere(request)
            endpoint, model_id = Endpoint.MODELS, rest or None
        dialect = _dialect(endpoint, request)
        inbound = Inbound(
            new_id(), endpoint, dialect, request.headers, self._body_reader(request), time.perf_counter(),
            datetime.now(UTC), model_id,
        )  # fmt: skip
        if (refused := _wrong_method(request, inbound)) is not None:
            return refused
        down = HttpDownstream(request, inbound)
        self.in_flight += 1
        try:
            await self._serve(inbound, down)
        finally:
            self.in_flight -= 1
        return down.response

    def _body_reader(self, request: web.BaseRequest) -> Callable[[], Awaitable[bytes]]:
        return lambda: read_body(request, self._max_body_bytes())


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """The whole body. Raises RequestTooLarge as soon as that is known, RequestTimeout when it doesn't come."""
    if (request.content_length or 0) > limit:
        raise RequestTooLarge(f"The request body is larger than {limit} bytes.")
    content = request.content
    if content.is_eof():  # it came with the head, as short bodies do: no timer
        return _within(content.read_nowait(-1), limit)
    _ask_for_it(request)
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while part := await content.readany():
                size += len(part)
                parts.append(part)
                _within(b"", limit - size)
    except TimeoutError as error:
        raise RequestTimeout("The request body did not arrive in time.") from error
    return b"".join(parts)


def _ask_for_it(request: web.BaseRequest) -> None:
    """Some clients (curl, for one) hold a large body back until they are told to go on."""
    if request.headers.get("expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise RequestTooLarge("The request body is too large.")
    return body


def new_id() -> str:
    """A UUIDv7 (RFC 9562) in 32 hex digits: milliseconds, then 74 random bits, so that log rows lie in the order of
    time. Written straight as text: `uuid.UUID` would cost three times as much."""
    random = os.urandom(10).hex()
    return f"{time.time_ns() // 1_000_000:012x}7{random[:3]}{'89ab'[int(random[3], 16) & 3]}{random[4:19]}"


def _below_models(path: str) -> str | None:
    """What stands below `…/models`; None if this is another path that only starts so."""
    for base in _MODELS:
        if path in (base, base + "/"):
            return ""
        if path.startswith(base + "/"):
            return path[len(base) + 1 :]
    return None


def _dialect(endpoint: Endpoint, request: web.BaseRequest) -> Dialect:
    if endpoint is Endpoint.MODELS:
        return Dialect.ANTHROPIC if "anthropic-version" in request.headers else Dialect.OPENAI
    return endpoint.dialect


def _wrong_method(request: web.BaseRequest, inbound: Inbound) -> web.Response | None:
    allowed = ("GET", "HEAD") if inbound.endpoint is Endpoint.MODELS else ("POST",)
    if request.method in allowed:
        return None
    headers = {**names_of(inbound), "allow": ", ".join((*allowed, "OPTIONS"))}
    if request.method == "OPTIONS":
        return web.Response(status=204, headers=headers)
    refusal = MethodNotAllowed(f"{request.method} is not possible here; use {allowed[0]}.")
    body = render(refusal, inbound.dialect, inbound.request_id)
    return web.Response(status=405, headers=headers, body=body, content_type="application/json")


class HttpDownstream:
    """One HTTP reply. A stream's pieces go straight to the transport, re-framed as chunks (HTTP/1.0 knows none: there
    the end of the connection is the end of the stream)."""

    def __init__(self, request: web.BaseRequest, inbound: Inbound) -> None:
        self._request = request
        self._inbound = inbound
        self._chunked = request.version >= HttpVersion11
        self._stream: web.StreamResponse | None = None
        self._body = self._tail = b""
        self.response: web.StreamResponse = web.Response(status=500)

    @property
    def committed(self) -> bool:
        return self._stream is not None

    async def begin(self, headers: Mapping[str, str]) -> None:
        stream = web.StreamResponse(headers=headers)
        if self._chunked:
            stream.enable_chunked_encoding()
        await self._start(stream)
        self._stream = stream

    async def _start(self, response: web.StreamResponse) -> None:
        writer = await response.prepare(self._request)
        if writer is None:
            raise ClientGone("The client left before the end.")
        writer.send_headers()
        self.response = response

    def send(self, data: bytes) -> bool:
        return self._write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def _write(self, data: bytes) -> bool:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ClientGone("The client left before the end.")
        transport.write(data)
        return transport.get_write_buffer_size() > CONGESTED_BYTES

    async def drained(self) -> None:
        """Polled: congestion is rare, and the loop's own signal belongs to aiohttp."""
        deadline, last = time.monotonic() + STALLED_READER_S, -1
        while (transport := self._request.transport) is not None and not transport.is_closing():
            waiting = transport.get_write_buffer_size()
            if waiting <= CONGESTED_BYTES // 2:
                return
            if waiting != last:
                deadline, last = time.monotonic() + STALLED_READER_S, waiting
            elif time.monotonic() > deadline:
                transport.abort()
            await asyncio.sleep(_POLL_S)
        raise ClientGone("The client left before the end.")

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.response, self._body = web.Response(status=status, headers=headers, body=body), body

    def hold(self, tail: bytes) -> None:
        self._tail = tail

    def refuse(self, refusal: Refusal, headers: Mapping[str, str]) -> None:
        body = render(refusal, self._inbound.dialect, self._inbound.request_id)
        if self._stream is None:
            self.response = web.Response(status=refusal.status, headers=headers, body=body)
        else:
            self._tail = sse.event(body, "error" if self._inbound.dialect is Dialect.ANTHROPIC else None)

    async def finish(self) -> None:
        """A short reply is left to aiohttp, which waits for its reader without end: for others the wait is bounded.
        Who leaves now leaves with everything but the end; the row stands."""
        try:
            if self._stream is not None:
                async with asyncio.timeout(STALLED_READER_S):
                    await self._stream.write_eof(self._tail)
            elif len(self._body) > CONGESTED_BYTES:
                await self._send_whole(self._body)
        except (ClientGone, ConnectionError):
            return
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()

    async def _send_whole(self, body: bytes) -> None:
        answer = self.response
        await self._start(
            web.StreamResponse(status=answer.status, headers={**answer.headers, "content-length": str(len(body))})
        )
        self._write(body)
        await self.drained()
        await self.response.write_eof()
