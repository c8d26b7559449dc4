"""One HTTP reply: whole, with its length, or a stream in chunks as it comes (HTTP/1.0 knows none: there the end of the
connection is the end of the stream)."""

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from gateway.errors import ClientGone, MethodNotAllowed, Refusal, render
from gateway.exchange import Dialect, Endpoint, Inbound
from gateway.headers import names_of
from gateway.wire import sse
from gateway.wire.request_line import RequestLine

if TYPE_CHECKING:
    from gateway.wire.client import ClientConnection

_LAST_CHUNK = b"0\r\n\r\n"
_JSON = {"content-type": "application/json"}
EVENTS = "text/event-stream"


class HttpResponse:
    """The `Downstream` of a client's connection. The head of a stream leaves with its first bytes."""

    __slots__ = ("_body", "_client", "_head", "_headers", "_inbound", "_is_broken", "_line", "_status", "_tail",
                 "committed")  # fmt: skip

    def __init__(self, client: "ClientConnection", inbound: Inbound, line: RequestLine) -> None:
        self._client = client
        self._inbound = inbound
        self._line = line
        self.committed = self._is_broken = False
        self._status = 500
        self._headers: Mapping[str, str] = {}
        self._body = self._head = self._tail = b""

    @property
    def method(self) -> str:
        return self._line.method

    async def begin(self, headers: Mapping[str, str]) -> None:
        if self._client.gone:
            raise ClientGone("The client left before the end.")
        self._headers = headers
        if self._line.is_http_1_1:
            self._head = self._head_of(200, headers, "transfer-encoding: chunked")
        else:
            self._client.last()
            self._head = self._head_of(200, headers, "")
        self.committed = True

    def send(self, data: bytes) -> bool:
        if self._client.gone:
            raise ClientGone("The client left before the end.")
        if not data:
            return False  # an empty chunk would end the stream
        if self._line.is_http_1_1:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if self._head:
            data, self._head = self._head + data, b""
        return self._client.write(data)

    async def drained(self) -> None:
        await self._client.drained()
        if self._client.gone:
            raise ClientGone("The client left before the end.")

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._status, self._headers, self._body = status, headers, body

    def hold(self, tail: bytes) -> None:
        self._tail = tail

    def refuse(self, refusal: Refusal, headers: Mapping[str, str]) -> None:
        body = render(refusal, self._inbound.dialect, self._inbound.request_id)
        if not self.committed:
            self.answer(refusal.status, headers, body)
        elif self._headers.get("content-type", EVENTS).startswith(EVENTS):
            self._tail = sse.event(body, "error" if self._inbound.dialect is Dialect.ANTHROPIC else None)
        else:
            self._is_broken = True

    async def finish(self) -> None:
        """Who leaves now leaves with everything but the end; the row stands."""
        if self._client.gone:
            return
        if not self.committed:
            congested = self.send_whole(self._status, self._headers, self._body)
        elif self._is_broken:
            self._client.last()  # the connection ends, the stream doesn't: without a last chunk it is not whole
            congested = True
        elif self._line.is_http_1_1:
            tail = b"%x\r\n%b\r\n" % (len(self._tail), self._tail) if self._tail else b""
            congested = self._client.write(self._head + tail + _LAST_CHUNK)
        else:
            congested = self._client.write(self._head + self._tail)
        if congested:
            await self._client.drained()

    def send_whole(self, status: int, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the reader is congested."""
        framing = f"content-length: {len(body)}" if status != HTTPStatus.NO_CONTENT else ""
        head = self._head_of(status, headers, framing)
        return self._client.write(head if self._line.method == "HEAD" else head + body)

    def send_refusal(self, refusal: Refusal) -> None:
        """For what never became a request."""
        body = render(refusal, self._inbound.dialect, self._inbound.request_id)
        self.send_whole(refusal.status, names_of(self._inbound) | _JSON, body)

    def _head_of(self, status: int, headers: Mapping[str, str], framing: str) -> bytes:
        lines = [*map(": ".join, headers.items())]
        if not self._client.keeps():
            lines.append("connection: close")
        elif not self._line.is_http_1_1:
            lines.append("connection: keep-alive")
        if framing:
            lines.append(framing)
        text = f"{_status_line(status)}date: {self._client.date}\r\n" + "\r\n".join(lines)
        if text.count("\n") != len(lines) + 1 or text.count("\r") != len(lines) + 1:
            raise ValueError("a reply's header holds a line break")
        return f"{text}\r\n\r\n".encode("utf-8", "surrogateescape")


def method_answer(inbound: Inbound, method: str) -> tuple[int, Mapping[str, str], bytes] | None:
    """The reply to a method that does not call for one of the data plane's; None where it does."""
    allowed = ("GET", "HEAD") if inbound.endpoint is Endpoint.MODELS else ("POST",)
    if method in allowed:
        return None
    headers = {**names_of(inbound), "allow": ", ".join((*allowed, "OPTIONS"))}
    if method == "OPTIONS":
        return HTTPStatus.NO_CONTENT, headers, b""
    refusal = MethodNotAllowed(f"{method} is not possible here; use {allowed[0]}.")
    return 405, headers | _JSON, render(refusal, inbound.dialect, inbound.request_id)


def dialect_of(endpoint: Endpoint, headers: Mapping[str, str]) -> Dialect:
    """In which dialect a request is answered: its path says so, or, where three share one, its headers do."""
    if endpoint is not Endpoint.MODELS:
        return endpoint.dialect
    if "anthropic-version" in headers:
        return Dialect.ANTHROPIC
    return Dialect.GEMINI if "x-goog-api-key" in headers else Dialect.OPENAI


@lru_cache(maxsize=128)
def _status_line(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n"
