"""An upstream request as bytes, framed by us alone.

Invariant: the bytes hold one request, whatever the path and the header values are; or there are no bytes.
"""

import re
from urllib.parse import urlsplit

from gateway.providers.base import UpstreamRequest

_MAX_HEADS = 512
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
_TARGET = re.compile(r"/[!-~]*")
# What concerns this connection and no other is ours to say.
_OURS = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "http2-settings", "keep-alive"}
    | {"proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


class RequestWriter:
    """Writes requests to one base URL. The heads seen lately are kept: a client's requests differ in their bodies."""

    def __init__(self, base_url: str) -> None:
        url = urlsplit(base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("a base URL is http://host[:port][/path] or https://…")
        if url.username is not None or url.query or url.fragment:
            raise ValueError("a base URL holds no user, query or fragment: credentials go into a header")
        self.tls = url.scheme == "https"
        self.host = url.hostname if ":" in url.hostname else url.hostname.encode("idna").decode()
        self.port = url.port or (443 if self.tls else 80)
        name = f"[{self.host}]" if ":" in self.host else self.host
        self.origin = name if url.port is None else f"{name}:{url.port}"
        self._prefix = url.path.rstrip("/")
        self._heads: dict[tuple[str, tuple[tuple[str, str], ...]], bytes] = {}

    def write(self, request: UpstreamRequest) -> bytes:
        """The whole request. Raises ValueError where the path or a header would break the framing."""
        key = (request.path, request.headers)
        head = self._heads.get(key)
        if head is None:
            head = self._head(request)
            if len(self._heads) >= _MAX_HEADS:
                self._heads.clear()
            self._heads[key] = head
        return b"%b%d\r\n\r\n%b" % (head, len(request.body), request.body)

    def _head(self, request: UpstreamRequest) -> bytes:
        target = self._prefix + request.path
        if _TARGET.fullmatch(target) is None:
            raise ValueError("an upstream path holds a space, a control character or a letter beyond ASCII")
        lines = [f"POST {target} HTTP/1.1\r\nhost: {self.origin}\r\naccept-encoding: identity\r\n".encode()]
        lines += [_line(name, value) for name, value in request.headers if name.lower() not in _OURS]
        return b"".join([*lines, b"content-length: "])


def _line(name: str, value: str) -> bytes:
    # A value that came in as bytes goes out as the same bytes.
    raw = value.encode("utf-8", "surrogateescape")
    if _NAME.fullmatch(name) is None or _VALUE.fullmatch(raw) is None:
        raise ValueError(f"the header {name[:40]!r} holds what no header may")
    return b"%b: %b\r\n" % (name.encode(), raw)
