"""Requests out of bytes: whole, in any pieces, broken, and more than one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.reader import MAX_HEAD_BYTES, MAX_NAME_BYTES, RequestReader, _header_name

POST = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nx-two: 2\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: t\r\n\r\n"
)


def read(data: bytes, *, is_http_1_1: bool = True) -> RequestReader:
    reader = RequestReader()
    reader.begin(is_http_1_1=is_http_1_1)
    reader.feed(data)
    return reader


UPGRADE = b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"


@given(cuts=st.lists(st.integers(1, len(CHUNKED)), max_size=8), chunked=st.booleans(), upgrade=st.booleans())
def test_any_split_of_the_bytes_gives_the_same_request(cuts: list[int], chunked: bool, upgrade: bool) -> None:
    data = CHUNKED if chunked else POST
    if upgrade:
        data = data.replace(b"\r\n", UPGRADE, 1)
    reader = RequestReader()
    reader.begin(is_http_1_1=True)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        reader.feed(data[start:end])
    assert reader.complete
    assert not reader.broken
    assert b"".join(reader.pieces) == b"hello"
    assert reader.headers["host"] == "a"
    assert chunked or reader.headers["x-two"] == "1, 2"
    assert "trailer" not in reader.headers
    assert reader.received == len(data)
    assert reader.rest == (None if upgrade else b"")


def test_a_request_in_one_piece_with_the_next_ends_where_its_length_says() -> None:
    reader = read(POST + POST[:30])
    assert (b"".join(reader.pieces), reader.rest) == (b"hello", POST[:30])
    reader.begin(is_http_1_1=True)
    reader.feed(POST)
    assert reader.complete


def test_what_follows_a_chunked_request_is_not_trusted() -> None:
    assert read(CHUNKED + POST).rest is None


def test_what_follows_a_head_that_came_in_pieces_is_not_trusted() -> None:
    reader = read(POST[:40])
    reader.feed(POST[40:] + POST)
    assert (reader.complete, reader.rest) == (True, None)


@pytest.mark.parametrize("body", [b"hello", b"\r\n\r\n."])
@pytest.mark.parametrize("cut", [0, 1, 4])
def test_what_follows_a_body_that_came_in_pieces_is_found_by_its_length(body: bytes, cut: int) -> None:
    whole = POST.replace(b"hello", body)
    at = len(whole) - 5 + cut
    reader = read(whole[:at])
    reader.pieces.clear()
    reader.feed(whole[at:] + whole)
    assert (reader.complete, reader.rest) == (True, whole)


@pytest.mark.parametrize("name", ["Host", "Authorization", "Content-Type", "Content-Length", "X-Api-Key"])
def test_a_header_that_may_stand_once_stands_once(name: str) -> None:
    values = ("5", "5") if name == "Content-Length" else ("a", "b")
    head = b"".join(f"{name}: {value}\r\n".encode() for value in values)
    reader = read(b"POST /v1/x HTTP/1.1\r\n" + head + b"\r\n")
    assert (reader.broken, reader.head_done) == (True, False)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: a\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\nHost: a\r\n",
        b"Transfer-Encoding: identity, chunked, x\r\nHost: a\r\n",
        b"Transfer-Encoding: identity, chunked\r\nHost: a\r\n",
        b"Transfer-Encoding: ,chunked\r\nHost: a\r\n",
        b"Transfer-Encoding: xchunked\r\nHost: a\r\n",
        b"Transfer-Encoding: chunked\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\nHost: a\r\n",
        b"Transfer-Encoding: gzip\r\nConnection: upgrade\r\nUpgrade: h2c\r\nHost: a\r\n",
        b"Content-Length: 00000000000000000005\r\nHost: a\r\n",
        b"Content-Length: -1\r\nHost: a\r\n",
        b"Content-Length: +1\r\nHost: a\r\n",
        b"Content-Length: 0x5\r\nHost: a\r\n",
        b"Content-Length: 99999999999999999999999\r\nHost: a\r\n",
        b"Content-Length : 5\r\nHost: a\r\n",
        b"Host: a\r\nX: \x00\r\n",
        b"Host: a\r\nX: a\rb\r\n",
        b"Host: a\r\nX y: a\r\n",
        b"Host: a\r\n: a\r\n",
        b"Host: a\r\n folded: a\r\n",
        b"Host: a\nX: b\n",
        b"",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_no_request(head: bytes) -> None:
    reader = read(b"POST /v1/x HTTP/1.1\r\n" + head + b"\r\n")
    assert (reader.broken, reader.head_done) == (True, False)


def test_http_1_0_needs_no_host_and_ends_its_connection() -> None:
    reader = read(b"GET /v1/models HTTP/1.0\r\n\r\n", is_http_1_1=False)
    assert (reader.complete, reader.keep_alive) == (True, False)


def test_http_1_0_knows_no_chunks() -> None:
    head = b"POST /v1/x HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    reader = read(head, is_http_1_1=False)
    assert (reader.broken, reader.head_done) == (True, False)


LONG = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nX: "


@pytest.mark.parametrize("first", [0, 1, 50, MAX_HEAD_BYTES])
def test_a_head_is_too_long_however_much_of_it_comes_at_once(first: int) -> None:
    whole = LONG + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n"
    reader = read(whole[:first])
    reader.feed(whole[first:])
    assert (reader.broken, reader.head_done) == (True, False)
    assert reader.received > MAX_HEAD_BYTES


@pytest.mark.parametrize("before_end", [0, 1, 2, 3, 4, 20])
def test_a_head_that_ends_in_time_may_be_followed_by_any_amount(before_end: int) -> None:
    """Wherever the pieces meet, the end of the head included."""
    head = LONG + b"x" * 1000 + b"\r\n\r\n"
    at = len(head) - before_end
    reader = read(head[:at])
    reader.feed(head[at:] + b"b" * 100_000)
    assert (reader.broken, reader.complete, len(b"".join(reader.pieces))) == (False, True, 100_000)


def test_a_name_that_long_is_no_name_and_is_not_kept() -> None:
    kept = _header_name.cache_info().currsize
    reader = read(b"GET /v1/x HTTP/1.1\r\nHost: a\r\n" + b"n" * (MAX_NAME_BYTES + 1) + b": a\r\n\r\n")
    assert (reader.broken, reader.head_done) == (True, False)
    assert _header_name.cache_info().currsize <= kept + 1


@pytest.mark.parametrize("endless", [b"0\r\nX: ", b"1;"])
def test_trailers_and_extensions_without_end_are_broken(endless: bytes) -> None:
    reader = read(CHUNKED[: CHUNKED.index(b"3;ext")] + endless)
    fed = 0
    while not reader.broken:
        reader.feed(b"x" * 1000)
        fed += 1000
        assert fed <= MAX_HEAD_BYTES + 1000


def test_a_head_without_end_is_broken() -> None:
    reader = read(POST[:30])
    while not reader.broken:
        reader.feed(b"x" * 1000)
        assert reader.received <= MAX_HEAD_BYTES + 1000


def test_broken_chunks_leave_the_head_standing() -> None:
    reader = read(CHUNKED[: CHUNKED.index(b"2\r\n")] + b"zz\r\n")
    assert (reader.head_done, reader.broken, reader.complete) == (True, True, False)


@given(st.binary(max_size=200))
def test_no_bytes_raise(junk: bytes) -> None:
    reader = read(POST[:50] + junk)
    reader.feed(junk)
