"""The bytes of a reply."""

from datetime import UTC, datetime
from typing import cast

import pytest

from gateway.errors import ClientGone, UpstreamError
from gateway.exchange import Dialect, Endpoint, Inbound
from gateway.wire.client import ClientConnection
from gateway.wire.request_line import RequestLine
from gateway.wire.response import HttpResponse


class Paper:
    """What a connection is to a response."""

    date = "today"

    def __init__(self, *, gone: bool = False) -> None:
        self.gone, self.keep = gone, True
        self.writes: list[bytes] = []

    def last(self) -> None:
        self.keep = False

    def keeps(self) -> bool:
        return self.keep

    def write(self, data: bytes) -> bool:
        self.writes.append(data)
        return False

    async def drained(self) -> None:
        return


async def no_body() -> bytes:
    return b""


def response(paper: Paper, method: str = "POST", *, is_http_1_1: bool = True) -> HttpResponse:
    inbound = Inbound("1" * 32, Endpoint.CHAT, Dialect.OPENAI, {}, no_body, 0.0, datetime.now(UTC))
    line = RequestLine(method, Endpoint.CHAT, None, "", is_http_1_1)
    return HttpResponse(cast(ClientConnection, paper), inbound, line)


async def test_a_whole_reply_is_one_write_with_its_length() -> None:
    reply = response(paper := Paper())
    reply.answer(200, {"x-a": "1"}, b"body")
    await reply.finish()
    assert paper.writes == [b"HTTP/1.1 200 OK\r\ndate: today\r\nx-a: 1\r\ncontent-length: 4\r\n\r\nbody"]


async def test_the_head_of_a_stream_leaves_with_its_first_bytes_and_its_end_with_the_tail() -> None:
    reply = response(paper := Paper())
    await reply.begin({"x-a": "1"})
    assert (reply.committed, paper.writes) == (True, [])
    reply.send(b"one")
    reply.hold(b"last")
    await reply.finish()
    head = b"HTTP/1.1 200 OK\r\ndate: today\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n"
    assert paper.writes == [head + b"3\r\none\r\n", b"4\r\nlast\r\n0\r\n\r\n"]


async def test_a_stream_of_nothing_has_a_head_and_an_end() -> None:
    reply = response(paper := Paper())
    await reply.begin({})
    await reply.finish()
    assert paper.writes[0].endswith(b"chunked\r\n\r\n0\r\n\r\n")


async def test_nothing_is_no_chunk() -> None:
    """An empty one would say that the stream is at its end."""
    reply = response(paper := Paper())
    await reply.begin({})
    assert reply.send(b"") is False
    assert paper.writes == []


async def test_http_1_0_has_no_chunks_and_its_stream_ends_with_the_connection() -> None:
    reply = response(paper := Paper(), is_http_1_1=False)
    await reply.begin({})
    reply.send(b"one")
    reply.hold(b"last")
    await reply.finish()
    assert paper.writes == [b"HTTP/1.1 200 OK\r\ndate: today\r\nconnection: close\r\n\r\none", b"last"]


async def test_head_asks_for_no_body() -> None:
    reply = response(paper := Paper(), "HEAD")
    reply.answer(200, {}, b"body")
    await reply.finish()
    assert paper.writes[0].endswith(b"content-length: 4\r\n\r\n")


async def test_an_error_after_the_first_bytes_is_the_last_event() -> None:
    reply = response(paper := Paper())
    await reply.begin({})
    reply.refuse(UpstreamError("gone"), {})
    await reply.finish()
    assert b'data: {"error":{"message":"gone"' in paper.writes[0]


@pytest.mark.parametrize("is_http_1_1", [True, False])
async def test_sound_has_no_words_for_an_error_and_is_never_taken_for_whole(is_http_1_1: bool) -> None:
    reply = response(paper := Paper(), is_http_1_1=is_http_1_1)
    await reply.begin({"content-type": "audio/mpeg"})
    reply.send(b"one")
    reply.refuse(UpstreamError("gone"), {})
    await reply.finish()
    assert len(paper.writes) == 1
    assert b"error" not in paper.writes[0]
    assert not paper.keep


@pytest.mark.parametrize("value", ["a\r\nset-cookie: b", "a\nb", "a\rb"])
async def test_no_header_can_hold_another(value: str) -> None:
    reply = response(paper := Paper())
    reply.answer(200, {"x-a": value}, b"")
    with pytest.raises(ValueError, match="line break"):
        await reply.finish()
    assert not paper.writes


async def test_a_reader_that_left_is_told_of() -> None:
    reply = response(paper := Paper(gone=True))
    with pytest.raises(ClientGone):
        await reply.begin({})
    with pytest.raises(ClientGone):
        reply.send(b"x")
    with pytest.raises(ClientGone):
        await reply.drained()
    await reply.finish()
    assert not paper.writes
