"""One exchange on one socket: every kind of body, every way to break off, and silence."""

import asyncio
from contextlib import suppress
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.base import OutOfTime, UpstreamCut, UpstreamFailed, UpstreamRequest, UpstreamSilent
from gateway.wire.connection import Connection
from gateway.wire.upstream import UpstreamPool
from tests.gateway.wire.conftest import Handler, Serve, read_request, until, whole

ASK = UpstreamRequest("/", (), b"{}")
OK = b"HTTP/1.1 200 OK\r\n"

COMPLETE = {
    "content-length": (whole(b"hello"), 200, b"hello", True),
    "empty": (whole(b""), 200, b"", True),
    "chunked": (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", 200, b"hello", True),
    "trailers": (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-T: 1\r\n\r\n", 200, b"x", True),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b"", True),
    "after interim replies": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + whole(b"hello"),
        200,
        b"hello",
        True,
    ),
    "until close": (OK + b"X: y\r\n\r\nhello", 200, b"hello", False),
    "until close, empty": (OK + b"\r\n", 200, b"", False),
    "http/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", False),
    "asked to close": (whole(b"hello", b"Connection: close\r\n"), 200, b"hello", False),
}
CUT = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 20",
    "half a head": OK + b"Content-Le",
    "short of its length": OK + b"Content-Length: 10\r\n\r\nhello",
    "no last chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "half a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
    "only an interim reply": b"HTTP/1.1 100 Continue\r\n\r\n",
}
GARBAGE = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "bad chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "negative length": OK + b"Content-Length: -1\r\n\r\n",
    "upgrade": b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "huge head": OK + b"".join(b"x-%d: %b\r\n" % (i, b"y" * 1000) for i in range(70)) + b"\r\n",
    "huge header": OK + b"x: " + b"y" * 70_000,
    "endless interim replies": b"HTTP/1.1 102 Processing\r\n\r\n" * 4000,
    "endless trailers": OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n" + b"t: " + b"y" * 400_000,
}


def answer(sent: bytes, *, hang_up: bool = True) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(sent)
        if not hang_up:
            await reader.read()

    return handler


@pytest.mark.parametrize("kind", COMPLETE)
async def test_a_complete_reply_is_read_whole(serve: Serve, kind: str) -> None:
    sent, status, body, kept = COMPLETE[kind]
    pool = UpstreamPool(await serve(answer(sent, hang_up="until close" in kind)))
    reply = await pool.send(ASK, 5)
    assert (reply.status, await reply.read(100, 5)) == (status, body)
    assert (pool.idle, pool.active) == (int(kept), 0)
    await pool.close()


@pytest.mark.parametrize("kind", COMPLETE)
@given(at=st.lists(st.integers(0, 10_000), max_size=8))
def test_any_cut_of_the_bytes_gives_the_same_reply(kind: str, at: list[int]) -> None:
    sent, status, body, kept = COMPLETE[kind]
    edges = [0, *sorted(i % (len(sent) + 1) for i in at), len(sent)]
    assert asyncio.run(received([sent[a:b] for a, b in pairwise(edges)])) == (status, body, kept)


@given(sent=st.lists(st.sampled_from([OK, b"\r\n", b"content-length: 3\r\n", b"5\r\n", b"abc", b"\x00", b"HTTP"])))
def test_whatever_an_upstream_sends_it_is_a_reply_or_a_failure(sent: list[bytes]) -> None:
    with suppress(UpstreamFailed):
        asyncio.run(received(sent))


async def received(pieces: list[bytes]) -> tuple[int, bytes, bool]:
    kept: list[Connection] = []
    connection = Connection(asyncio.get_running_loop(), kept.append, lambda _: None)
    connection.connection_made(Socket())
    exchange = asyncio.ensure_future(connection.exchange(b"", 5).arrival())
    await asyncio.sleep(0)
    for piece in filter(None, pieces):
        connection.data_received(piece)
    was_kept = bool(kept)
    connection.connection_lost(None)
    reply = await exchange
    return reply.status, await reply.read(1000, 5), was_kept


class Socket(asyncio.Transport):
    """A transport to nowhere: bytes are put into the connection by hand."""

    def __init__(self) -> None:
        self._closing = False

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self._closing = True

    def write(self, data: object) -> None:
        assert not self._closing

    def get_write_buffer_size(self) -> int:
        return 0


@pytest.mark.parametrize("kind", CUT)
async def test_a_reply_that_breaks_off_is_told_from_one_that_ends(serve: Serve, kind: str) -> None:
    pool = UpstreamPool(await serve(answer(CUT[kind])))
    with pytest.raises(UpstreamCut, match="ended early"):
        await (await pool.send(ASK, 5)).read(1000, 5)
    assert (pool.idle, pool.active) == (0, 0)


@pytest.mark.parametrize("kind", GARBAGE)
async def test_what_is_not_a_reply_is_cut_off(serve: Serve, kind: str) -> None:
    pool = UpstreamPool(await serve(answer(GARBAGE[kind], hang_up=False)))
    with pytest.raises(UpstreamCut, match="not HTTP"):
        await (await pool.send(ASK, 5)).read(1 << 20, 5)
    assert (pool.idle, pool.active) == (0, 0)
    await pool.close()


async def test_no_first_byte_in_time_is_silence(serve: Serve) -> None:
    pool = UpstreamPool(await serve(answer(b"", hang_up=False)))
    with pytest.raises(UpstreamSilent):
        await pool.send(ASK, 0.05)
    assert (pool.idle, pool.active) == (0, 0)


async def test_a_head_that_drips_is_silence_too(serve: Serve) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)
        for i in range(1000):
            writer.write(b"x-%d: y\r\n" % i)
            await asyncio.sleep(0.01)

    pool = UpstreamPool(await serve(drip))
    with pytest.raises(UpstreamSilent):
        await pool.send(ASK, 0.1)


async def test_a_body_that_stalls_is_silence_and_one_that_trickles_is_not(serve: Serve) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, asked = await read_request(reader)
            writer.write(OK + b"Content-Length: 20\r\n\r\n")
            for _ in range(int(asked)):
                writer.write(b"x")
                await asyncio.sleep(0.02)

    pool = UpstreamPool(await serve(trickle))
    reply = await pool.send(UpstreamRequest("/", (), b"20"), 5)
    assert await reply.read(100, 0.15) == b"x" * 20, "0.4 s in all, and never 0.15 s of silence"
    reply = await pool.send(UpstreamRequest("/", (), b"5"), 5)
    with pytest.raises(UpstreamSilent):
        await reply.read(100, 0.15)
    await pool.close()


async def test_a_short_patience_after_a_long_one_is_kept_to(serve: Serve) -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(whole(b"fine"))
        await reader.read()

    pool = UpstreamPool(await serve(once))
    await (await pool.send(ASK, 600)).read(10, 600)
    with pytest.raises(UpstreamSilent):
        await pool.send(ASK, 0.05)


@pytest.mark.parametrize("sent", [b"", OK, OK + b"Content-Length: 9\r\n\r\nx"], ids=["nothing", "half", "body"])
async def test_an_exchange_ends_when_its_time_is_over_though_nobody_was_silent_for_long(
    serve: Serve, sent: bytes
) -> None:
    pool = UpstreamPool(await serve(answer(sent, hang_up=False)))
    with pytest.raises(OutOfTime):
        await (await pool.send(ASK, 9, asyncio.get_running_loop().time() + 0.05)).read(100, 9)
    assert (pool.idle, pool.active) == (0, 0)


async def test_a_body_that_trickles_ends_with_the_time_of_the_exchange(serve: Serve) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK + b"\r\n")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.01)

    pool = UpstreamPool(await serve(trickle))
    reply = await pool.send(ASK, 5, asyncio.get_running_loop().time() + 0.1)
    with pytest.raises(OutOfTime):
        await reply.pump(lambda _: False, asyncio.Event().wait, 5)  # type: ignore[arg-type]
    assert pool.active == 0


async def test_the_end_of_one_exchange_is_not_that_of_the_next_nor_of_the_connection(serve: Serve) -> None:
    async def second_is_slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(whole(b"first"))
        await read_request(reader)
        await asyncio.sleep(0.1)
        writer.write(whole(b"second"))
        await reader.read()

    pool = UpstreamPool(await serve(second_is_slow))
    assert await (await pool.send(ASK, 5, asyncio.get_running_loop().time() + 0.05)).read(10, 5) == b"first"
    assert await (await pool.send(ASK, 5)).read(10, 5) == b"second"
    await asyncio.sleep(0.05)
    assert pool.idle == 1
    await pool.close()


async def test_a_cancelled_wait_for_the_head_closes_the_connection(serve: Serve) -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await reader.read()
        left.set()

    pool = UpstreamPool(await serve(silent))
    asking = asyncio.ensure_future(pool.send(ASK, 5))
    await until(lambda: pool.active == 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (pool.idle, pool.active) == (0, 0)
    await asyncio.wait_for(left.wait(), 5)


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancellation_at_any_turn_of_the_loop_leaks_nothing(serve: Serve, turns: int) -> None:
    open_now = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        open_now += 1
        try:
            await read_request(reader)
            writer.write(whole(b"x" * 100))
            await reader.read()
        finally:
            open_now -= 1

    async def ask(pool: UpstreamPool) -> bytes:
        return await (await pool.send(ASK, 5)).read(1000, 5)

    pool = UpstreamPool(await serve(count))
    asking = asyncio.ensure_future(ask(pool))
    for _ in range(turns):
        await asyncio.sleep(0)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    assert pool.active == 0
    await pool.close()
    await until(lambda: open_now == 0)


async def test_a_connection_that_went_leaves_no_cycle_behind() -> None:
    connection = Connection(asyncio.get_running_loop(), lambda _: None, lambda _: None)
    connection.connection_made(cast(asyncio.BaseTransport, Socket()))
    connection.connection_lost(None)
    assert not hasattr(connection, "_parser")
    assert connection._alarm is None
