"""Bytes to one request after another: its headers, and its body in pieces.

Where a request ends is decided once, by llhttp in its strict mode. What it finds broken, or what could be read in two
ways, has no request: nothing of it is acted on.
"""

from functools import lru_cache

import httptools

MAX_HEAD_BYTES = 64 * 1024
MAX_NAME_BYTES = 256
_MAX_LENGTH_DIGITS = 19
_ONCE = frozenset(("host", "authorization", "content-type", "content-length", "transfer-encoding", "x-api-key"))


class _Malformed(Exception):
    """Raised through the parser, which then stops."""


class RequestReader:
    """`head_done`: there is a request. `broken`: what came since is not HTTP. `rest`: what came after the request, and
    belongs to the next; None where that can't be told for sure. `received` counts the bytes of head and body,
    `_head_bytes` those of the head where that is known (else 0), `_bodiless` those since the last piece of a body:
    extensions and trailers, which nobody wants."""

    __slots__ = (
        "_bodiless", "_head_bytes", "_is_http_1_1", "_parser", "broken", "complete", "head_done", "headers",
        "keep_alive", "on_body", "pieces", "received", "rest",
    )  # fmt: skip

    def __init__(self) -> None:
        # The parser calls list.append itself: no Python frame for a piece of the body.
        self.pieces: list[bytes] = []
        self.on_body = self.pieces.append
        self._parser = httptools.HttpRequestParser(self)
        self.begin(is_http_1_1=True)

    def begin(self, *, is_http_1_1: bool) -> None:
        """Be ready for the next request."""
        self._is_http_1_1 = is_http_1_1
        self.headers: dict[str, str] = {}
        self.head_done = self.complete = self.broken = False
        self.keep_alive = True
        self.received = self._bodiless = self._head_bytes = 0
        self.rest: bytes | None = b""
        self.pieces.clear()

    @property
    def content_length(self) -> int:
        return int(self.headers.get("content-length", 0))

    @property
    def is_chunked(self) -> bool:
        return "transfer-encoding" in self.headers

    def feed(self, data: bytes) -> None:
        if not self.head_done and self.received + len(data) > MAX_HEAD_BYTES:
            data = self._past_head(data)
        before = len(self.pieces) if self.head_done else -1
        self.received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            if self.complete:
                self._overrun(data)
            else:
                self.broken = True
        if not self.complete and self.head_done:
            if before < 0:
                self._head_bytes = self.received - sum(map(len, self.pieces))
            self._bodiless = self._bodiless + len(data) if len(self.pieces) == before else 0
            self.broken = self.broken or self._bodiless > MAX_HEAD_BYTES

    def _past_head(self, data: bytes) -> bytes:
        """What of `data` is left to feed, when it may hold more of a head than a head may have."""
        room = MAX_HEAD_BYTES - self.received
        if data.find(b"\r\n\r\n", 0, room) >= 0:
            return data
        if room > 0:
            self.feed(data[:room])  # the end of the head may lie across two pieces
        if not self.head_done:
            self.received, self.broken = MAX_HEAD_BYTES + 1, True
        if self.complete:
            self.rest = None
        return b"" if self.complete or self.broken else data[room:]

    def close(self) -> None:
        del self._parser  # it holds our methods, and so ourselves

    def _decline_upgrade(self, body: bytes) -> None:
        """Java's client offers HTTP/2 with every request. The parser then takes what follows the head for the other
        protocol; for us it is the body, framed as the head says."""
        self._parser = httptools.HttpRequestParser(self)
        self.complete, self.rest = False, None
        framing = "transfer-encoding" if "transfer-encoding" in self.headers else "content-length"
        head = f"POST / HTTP/1.1\r\n{framing}: {self.headers.get(framing, 0)}\r\n\r\n"
        self.received -= len(body)
        self._parser.feed_data(head.encode())
        self.feed(body)

    def _overrun(self, data: bytes) -> None:
        """More came than this request. A length tells its end, where it is known how long the head was; else there is
        no next one."""
        self._parser = httptools.HttpRequestParser(self)
        if self._head_bytes == 0 and self.received == len(data):
            self._head_bytes = data.find(b"\r\n\r\n") + 4
        if self._head_bytes and self.rest is not None and not self.is_chunked:
            over = self.received - self._head_bytes - self.content_length
            self.rest = data[len(data) - over :]
        else:
            self.rest = None

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self.complete:
            raise _Malformed("the next request")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head_done:
            return  # trailers
        key, headers = _header_name(name), self.headers
        if key not in headers:
            headers[key] = value.decode("utf-8", "surrogateescape")
        elif key in _ONCE:
            raise _Malformed("a header that may stand once stands twice")
        else:
            headers[key] = f"{headers[key]}, {value.decode('utf-8', 'surrogateescape')}"

    def on_headers_complete(self) -> None:
        if self.head_done:
            return  # of an upgrade that we declined
        headers = self.headers
        if self._is_http_1_1 and "host" not in headers:
            raise _Malformed("no host")
        if "transfer-encoding" in headers:
            # Of other codings than this one, of two framings and of chunks in HTTP/1.0, servers make different things.
            if (
                headers["transfer-encoding"].lower() != "chunked"
                or "content-length" in headers
                or not self._is_http_1_1
            ):
                raise _Malformed("a framing that can be read in two ways")
        elif len(headers.get("content-length", "")) > _MAX_LENGTH_DIGITS:
            raise _Malformed("a length of any number of zeros")
        self.head_done = True
        self.keep_alive = self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        self.complete = True


@lru_cache(maxsize=512)
def _header_name(name: bytes) -> str:
    if len(name) > MAX_NAME_BYTES:  # what raises is not kept: the cache is no place for a stranger's megabytes
        raise _Malformed("a name that long")
    return name.decode("latin-1").lower()
