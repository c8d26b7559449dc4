"""Reading and pumping: what arrives, in what order, and never more of it in memory than the reader can bear."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.providers.base import ReplyTooLarge, UpstreamCut, UpstreamReply, UpstreamRequest, UpstreamSilent
from gateway.wire.reply import Reply
from gateway.wire.upstream import UpstreamPool
from tests.gateway.wire.conftest import Handler, Serve, read_request, until, whole

ASK = UpstreamRequest("/", (), b"{}")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = 64 << 20


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Firehose:
    """Sends up to 64 MB as fast as it is taken, and knows how much it got rid of."""

    def __init__(self) -> None:
        self.sent = 0
        self.left = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % ENDLESS)
        piece = b"x" * 65_536
        try:
            while self.sent < ENDLESS:
                writer.write(piece)
                await writer.drain()
                self.sent += len(piece)
            await reader.read()
        finally:
            self.left.set()

    async def settle(self) -> int:
        """How much is sent once no more is taken."""
        before = -1
        while before != self.sent:
            before = self.sent
            await asyncio.sleep(0.1)
        return before


def spaced(pieces: list[bytes], *, after: bytes = chunk(b""), gap: asyncio.Event | None = None) -> Handler:
    """Each piece in a packet of its own, as far as TCP lets us say so."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED + chunk(pieces[0]))
        for piece in pieces[1:]:
            await asyncio.sleep(0.01)
            writer.write(chunk(piece))
        if gap is not None:
            await gap.wait()
        writer.write(after)
        await writer.drain()
        if after:
            await reader.read()

    return handler


async def never() -> None:
    raise AssertionError("nobody was congested")


def keep(into: list[bytes]) -> Callable[[bytes], bool]:
    def feed(piece: bytes) -> bool:
        into.append(piece)
        return False

    return feed


async def test_pieces_are_handed_on_as_they_arrive_and_in_order(serve: Serve) -> None:
    pieces = [b"data: %d\n\n" % i for i in range(10)]
    go = asyncio.Event()
    pool = UpstreamPool(await serve(spaced(pieces, gap=go)))
    reply = await pool.send(ASK, 5)
    got: list[bytes] = []
    pumping = asyncio.ensure_future(reply.pump(keep(got), never, 5))
    await until(lambda: b"".join(got) == b"".join(pieces))
    assert not pumping.done()
    assert len(got) > 5, "handed on piece by piece, not in one lump"
    go.set()
    await pumping
    assert (pool.idle, pool.active) == (1, 0)
    await pool.close()


async def test_a_body_that_came_with_the_head_is_fed_first(serve: Serve) -> None:
    async def at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED + chunk(b"a") + chunk(b"b") + chunk(b""))
        await reader.read()

    pool = UpstreamPool(await serve(at_once))
    reply = await pool.send(ASK, 5)
    await until(lambda: pool.idle == 1)
    got: list[bytes] = []
    await reply.pump(keep(got), never, 5)
    assert got == [b"ab"], "the chunks of one packet are one piece"
    await pool.close()


async def test_a_congested_reader_stops_the_upstream(serve: Serve) -> None:
    hose = Firehose()
    pool = UpstreamPool(await serve(hose))
    reply = await pool.send(ASK, 5)
    got, free = 0, asyncio.Event()

    def feed(piece: bytes) -> bool:
        nonlocal got
        got += len(piece)
        return not free.is_set()

    pumping = asyncio.ensure_future(reply.pump(feed, lambda: as_coroutine(free), 0.1))
    stuck = await hose.settle()
    assert stuck < 16 << 20, "what the sockets hold, no more"
    assert got <= 2 * 262_144, "what was there before it was read, and one read"
    assert not pumping.done(), "a congested reader is not a silent upstream"
    free.set()
    await pumping
    assert got == ENDLESS
    assert (pool.idle, pool.active) == (1, 0)
    await pool.close()


async def as_coroutine(event: asyncio.Event) -> None:
    await event.wait()


async def test_a_reader_congested_by_every_piece_gets_them_all(serve: Serve) -> None:
    pieces = [b"%d," % i for i in range(20)]
    pool = UpstreamPool(await serve(spaced(pieces)))
    got: list[bytes] = []
    congested = 0

    def feed(piece: bytes) -> bool:
        got.append(piece)
        return True

    async def drained() -> None:
        nonlocal congested
        congested += 1
        await asyncio.sleep(0.005)

    await (await pool.send(ASK, 5)).pump(feed, drained, 5)
    assert b"".join(got) == b"".join(pieces)
    assert 0 < congested <= len(got)
    await pool.close()


async def test_a_reply_nobody_reads_is_not_held_without_bound(serve: Serve) -> None:
    hose = Firehose()
    pool = UpstreamPool(await serve(hose))
    reply = await pool.send(ASK, 5)
    assert await hose.settle() < 16 << 20
    assert isinstance(reply, Reply)
    assert reply._size <= 2 * 262_144
    assert len(await reply.read(ENDLESS, 5)) == ENDLESS, "and all of it is there for a late reader"
    await pool.close()


@pytest.mark.parametrize("late", [False, True])
async def test_a_reply_too_large_is_given_up_as_soon_as_that_is_known(serve: Serve, late: bool) -> None:
    hose = Firehose()
    pool = UpstreamPool(await serve(hose))
    reply = await pool.send(ASK, 5)
    if late:
        await hose.settle()
    with pytest.raises(ReplyTooLarge):
        await reply.read(100_000, 5)
    await asyncio.wait_for(hose.left.wait(), 5)
    assert hose.sent < 16 << 20
    assert (pool.idle, pool.active) == (0, 0)


@pytest.mark.parametrize("size", [0, 1, 99, 100])
async def test_a_reply_up_to_the_limit_is_not_too_large(serve: Serve, size: int) -> None:
    async def sized(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(whole(b"x" * size))

    pool = UpstreamPool(await serve(sized))
    assert len(await (await pool.send(ASK, 5)).read(100, 5)) == size
    await pool.close()


class Gone(Exception):
    pass


@pytest.mark.parametrize("at", [0, 3])
async def test_what_feed_raises_comes_out_of_pump_and_the_connection_is_closed(serve: Serve, at: int) -> None:
    pool = UpstreamPool(await serve(spaced([b"%d" % i for i in range(10)])))
    fed = 0

    def feed(piece: bytes) -> bool:
        nonlocal fed
        fed += 1
        if fed > at:
            raise Gone
        return False

    reply = await pool.send(ASK, 5)
    with pytest.raises(Gone):
        await reply.pump(feed, never, 5)
    assert fed == at + 1, "nothing is fed to one that failed"
    assert (pool.idle, pool.active) == (0, 0)


async def test_what_drained_raises_comes_out_of_pump_and_the_connection_is_closed(serve: Serve) -> None:
    async def gone() -> None:
        raise Gone

    hose = Firehose()
    pool = UpstreamPool(await serve(hose))
    with pytest.raises(Gone):
        await (await pool.send(ASK, 5)).pump(lambda _: True, gone, 5)
    await asyncio.wait_for(hose.left.wait(), 5)
    assert pool.active == 0


async def test_a_cut_stream_hands_on_what_came_and_says_that_it_was_cut(serve: Serve) -> None:
    pool = UpstreamPool(await serve(spaced([b"a", b"b", b"c"], after=b"")))
    got: list[bytes] = []
    with pytest.raises(UpstreamCut):
        await (await pool.send(ASK, 5)).pump(keep(got), never, 5)
    assert b"".join(got) == b"abc"


async def test_a_stream_that_stalls_is_silence(serve: Serve) -> None:
    pool = UpstreamPool(await serve(spaced([b"a", b"b"], gap=asyncio.Event())))
    got: list[bytes] = []
    with pytest.raises(UpstreamSilent, match=r"0\.1 s"):
        await (await pool.send(ASK, 5)).pump(keep(got), never, 0.1)
    assert b"".join(got) == b"ab"
    assert pool.active == 0


async def read_it(reply: UpstreamReply) -> None:
    await reply.read(ENDLESS, 5)


async def pump_it(reply: UpstreamReply) -> None:
    await reply.pump(lambda _: False, never, 5)


async def pump_it_congested(reply: UpstreamReply) -> None:
    await reply.pump(lambda _: True, asyncio.Event().wait, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("consume", [read_it, pump_it, pump_it_congested])
@pytest.mark.parametrize("how", ["cancel", "abort"])
async def test_a_reader_that_leaves_closes_the_connection_at_once(
    serve: Serve, consume: Callable[[UpstreamReply], Awaitable[None]], how: str
) -> None:
    left = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED + chunk(b"x"))
        await reader.read()
        left.set()

    pool = UpstreamPool(await serve(stall))
    reply = await pool.send(ASK, 5)
    reading = asyncio.ensure_future(consume(reply))
    await asyncio.sleep(0.02)
    if how == "cancel":
        reading.cancel()
    else:
        reply.abort()
        reply.abort()
        if consume is pump_it_congested:
            reading.cancel()  # its `drained` is what it waits for, and that is not ours to end
    with pytest.raises((asyncio.CancelledError, UpstreamCut)):
        await reading
    assert (pool.idle, pool.active) == (0, 0)
    await asyncio.wait_for(left.wait(), 5)


async def test_aborting_a_reply_that_has_ended_leaves_its_connection_alone(serve: Serve) -> None:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(whole(b"fine"))

    pool = UpstreamPool(await serve(one))
    first = await pool.send(ASK, 5)
    await first.read(10, 5)
    second = asyncio.ensure_future(pool.send(ASK, 5))
    await asyncio.sleep(0)
    first.abort()
    assert await (await second).read(10, 5) == b"fine"
    assert pool.idle == 1
    await pool.close()
