"""A request is one request on the wire, whatever is put into it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.base import UpstreamRequest
from gateway.wire.request import RequestWriter


def test_the_request_on_the_wire_is_framed_by_us() -> None:
    headers = (("authorization", "Bearer k"), ("Host", "evil"), ("transfer-encoding", "chunked"), ("x-a", "é\t\udcff"))
    written = RequestWriter("http://api.test:81/v1/").write(UpstreamRequest("/messages?beta=true", headers, b"body"))
    assert written.split(b"\r\n") == [
        b"POST /v1/messages?beta=true HTTP/1.1",
        b"host: api.test:81",
        b"accept-encoding: identity",
        b"authorization: Bearer k",
        b"x-a: \xc3\xa9\t\xff",
        b"content-length: 4",
        b"",
        b"body",
    ]


@pytest.mark.parametrize(
    ("url", "host", "port", "origin", "tls"),
    [
        ("https://api.openai.com/v1", "api.openai.com", 443, "api.openai.com", True),
        ("http://127.0.0.1:11434", "127.0.0.1", 11434, "127.0.0.1:11434", False),
        ("http://[::1]:8080/v1", "::1", 8080, "[::1]:8080", False),
        ("http://[::1]", "::1", 80, "[::1]", False),
        ("HTTPS://Bücher.test", "xn--bcher-kva.test", 443, "xn--bcher-kva.test", True),
    ],
)
def test_where_a_base_url_leads(url: str, host: str, port: int, origin: str, tls: bool) -> None:
    writer = RequestWriter(url)
    assert (writer.host, writer.port, writer.origin, writer.tls) == (host, port, origin, tls)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "x:80",
        "http://",
        "http://u:p@x",
        "http://x?a=1",
        "http://x#f",
        "http://x:99999",
        "http://" + "a" * 64,
    ],
)
def test_a_base_url_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"base URL|[Pp]ort|label"):
        RequestWriter(url)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/a b", ()),
        ("/a\r\nx: y", ()),
        ("/ä", ()),
        ("", ()),
        ("/a", (("x", "1\r\ny: 2"),)),
        ("/a", (("x", "1\ny: 2"),)),
        ("/a", (("x", "\x00"),)),
        ("/a", (("x: y", "1"),)),
        ("/a", (("", "1"),)),
    ],
)
def test_what_would_break_the_framing_is_refused(path: str, headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(ValueError, match="holds"):
        RequestWriter("http://x").write(UpstreamRequest(path, headers, b""))


@given(path=st.text(max_size=9), name=st.text(max_size=8), value=st.text(max_size=20), body=st.binary(max_size=40))
def test_whatever_goes_in_one_request_comes_out_or_none(path: str, name: str, value: str, body: bytes) -> None:
    request = UpstreamRequest("/" + path, ((name, value), ("x-last", "1")), body)
    try:
        written = RequestWriter("http://x").write(request)
    except ValueError:
        return
    head, _, rest = written.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert rest == body
    assert len(lines) in (5, 6)  # a header of ours is left out
    assert b"\n" not in b"".join(lines)
    assert b"\r" not in b"".join(lines)
    assert lines[-2:] == [b"x-last: 1", b"content-length: %d" % len(body)]


def test_heads_that_never_repeat_do_not_pile_up() -> None:
    writer = RequestWriter("http://x")
    for i in range(2000):
        writer.write(UpstreamRequest("/", (("x-request-id", str(i)),), b""))
    assert len(writer._heads) <= 512
