"""Connections under bytes that nobody foresaw: split anywhere, mutated, broken off. What must hold: nothing of one
request is taken for another's, nothing raises, nothing stays."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from hashlib import sha256
from typing import Any

import pytest

from gateway.downstream import Downstream
from gateway.errors import InvalidRequest, Refusal
from gateway.exchange import Endpoint, Exchange, Inbound
from gateway.wire.client import BODY_TIMEOUT_S, HEAD_TIMEOUT_S, KEEP_ALIVE_S, LINGER_S, STALLED_READER_S
from gateway.wire.http import HttpEdge
from tests.gateway.wire.conftest import until

SMUGGLED = b"\r\n\r\nPOST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\nsmuggled"
BODIES = (b"", b"{}", b"x" * 3000, SMUGGLED, b"0\r\n\r\n" + SMUGGLED, b"\r\n\r\n" + b"y" * 200 + SMUGGLED)
TOKENS = (
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\x00", b"\xff", b" ", b":", b",", b"0", b"9" * 30, b"-1", b"chunked",
    b"close", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Upgrade: h2c\r\nConnection: Upgrade\r\n",
    b"Expect: 100-continue\r\n", b"HTTP/1.0", b"HTTP/2.0", b"OPTIONS", b"HEAD", b"CONNECT", b"x" * 9000, b"x" * 70_000,
)  # fmt: skip


class Nobody(asyncio.Protocol):
    """What is not for the data plane finds nobody."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class Echo:
    """An edge whose replies tell the bodies they answer. Embeddings are refused unread; responses are streams."""

    def __init__(self) -> None:
        self.edge = HttpEdge(self._serve, Nobody, lambda: 100_000)
        self.seen: list[tuple[Endpoint, bytes | None]] = []
        self.faults: list[dict[str, Any]] = []

    async def _serve(self, inbound: Inbound, down: Downstream) -> Exchange:
        try:
            await self._answer(inbound, down)
        except Refusal as refusal:
            down.refuse(refusal, {"content-type": "application/json"})
        await down.finish()
        return Exchange(inbound)

    async def _answer(self, inbound: Inbound, down: Downstream) -> None:
        if inbound.endpoint is Endpoint.EMBEDDINGS:
            self.seen.append((inbound.endpoint, None))
            raise InvalidRequest("not read")
        await asyncio.sleep(0)
        body = await inbound.read_body()
        self.seen.append((inbound.endpoint, body))
        if inbound.endpoint is Endpoint.RESPONSES:
            await down.begin({})
            down.send(told(body)[:5])
            await asyncio.sleep(0)
            down.hold(told(body)[5:])
        else:
            down.answer(200, {}, told(body))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[tuple[str, int]]:
        """Its address. At the end nothing may be left of it."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.faults.append(context))
        before = asyncio.all_tasks()
        listener = await loop.create_server(self.edge.protocol, "127.0.0.1", 0, backlog=500)
        with closing(listener):
            yield listener.sockets[0].getsockname()
        await self._comes_to_rest()
        await until(lambda: asyncio.all_tasks() <= before)
        assert self.edge.in_flight == 0
        assert not self.faults

    async def _comes_to_rest(self) -> None:
        """Whatever a connection waits for, that wait has an end."""
        for _ in range(20):
            for wait_s in (HEAD_TIMEOUT_S, BODY_TIMEOUT_S, KEEP_ALIVE_S, STALLED_READER_S, LINGER_S):
                self.edge.sweep(self.edge.now + wait_s + 1)
                await asyncio.sleep(0.002)
            if not self.edge.connections:
                return
        pytest.fail(f"{len(self.edge.connections)} connections are still there")


def told(body: bytes) -> bytes:
    return b"%d %b" % (len(body), sha256(body).hexdigest().encode())


class Question:
    """A well-formed request, and what the one reply to it says."""

    def __init__(self, rng: random.Random, *, chunked: bool) -> None:
        kind = rng.choice(("completions", "chat/completions", "embeddings", "responses", "models", "OPTIONS", "PUT"))
        body = rng.choice(BODIES)
        method = {"models": "GET", "OPTIONS": "OPTIONS", "PUT": "PUT"}.get(kind, "POST")
        path = "chat/completions" if kind in ("OPTIONS", "PUT") else kind
        self.is_chunked = chunked and rng.random() < 0.5
        if self.is_chunked:
            middle = rng.randint(0, len(body))
            parts = [part for part in (body[:middle], body[middle:]) if part]
            body = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\nx-trailer: 1\r\n\r\n"
            framing = b"transfer-encoding: chunked"
        else:
            parts, framing = [body], b"content-length: %d" % len(body)
        head = f"{method} /v1/{path} HTTP/1.1\r\nhost: a\r\n".encode() + framing
        self.head, self.body = head, body
        self.status = {"embeddings": 400, "OPTIONS": 204, "PUT": 405}.get(kind, 200)
        self.answer = told(b"".join(parts)) if self.status == 200 else None

    def sent(self, *, last: bool) -> bytes:
        return self.head + (b"\r\nconnection: close" if last else b"") + b"\r\n\r\n" + self.body


def replies(data: bytes) -> Iterator[tuple[int, bytes | None, bool]]:
    """Status, body (of a 200) and whether it is the last, of each of the replies in `data`."""
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        status, is_last = int(head.split()[1]), b"\r\nconnection: close" in head
        body = b""
        if b"transfer-encoding: chunked" in head:
            while not data.startswith(b"0\r\n\r\n"):
                assert data
                size, _, data = data.partition(b"\r\n")
                body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
            data = data[5:]
        elif status != 204:
            length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
            assert len(data) >= length
            body, data = data[:length], data[length:]
        yield status, body if status == 200 else None, is_last


def is_whole(data: bytes) -> bool:
    try:
        return bool(list(replies(data)))
    except (AssertionError, IndexError, ValueError):
        return False


def pieces(rng: random.Random, data: bytes, most: int) -> Iterator[bytes]:
    cuts = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(0, most)))
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        yield data[start:end]


@asynccontextmanager
async def connection(address: tuple[str, int]) -> AsyncIterator[socket.socket]:
    with socket.socket() as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        yield sock


async def say(sock: socket.socket, parts: Iterator[bytes]) -> None:
    for part in parts:
        await asyncio.get_running_loop().sock_sendall(sock, part)
        await asyncio.sleep(0.0005)


async def hear(sock: socket.socket, enough: Callable[[bytes], bool] = lambda _: False) -> bytes:
    """What comes, until it is enough or nothing comes any more."""
    heard = b""
    async with asyncio.timeout(5):
        while not enough(heard) and (data := await asyncio.get_running_loop().sock_recv(sock, 65536)):
            heard += data
    return heard


@pytest.mark.slow
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("cuts", [0, 6])
async def test_requests_that_follow_each_other_are_answered_as_one_by_one(cuts: int, chunked: bool) -> None:
    """Where the end of a request can't be told for sure, the connection ends, and says so or is seen to."""
    for seed in range(150):
        rng, echo = random.Random(seed), Echo()
        asked = [Question(rng, chunked=chunked) for _ in range(rng.randint(1, 6))]
        data = b"".join(one.sent(last=one is asked[-1]) for one in asked)
        async with echo.listening() as address, connection(address) as sock:
            with suppress(ConnectionError):  # of what is sent after the end
                await say(sock, pieces(rng, data, cuts))
            got = list(replies(await hear(sock)))
        expected = [(one.status, one.answer) for one in asked]
        assert [reply[:2] for reply in got] == expected[: len(got)], seed
        assert (Endpoint.CHAT, b"smuggled") not in echo.seen, seed
        if not cuts and not chunked:
            assert len(got) == len(asked), seed
            assert [is_last for *_, is_last in got] == [False] * (len(got) - 1) + [True], seed


@pytest.mark.slow
async def test_requests_that_wait_for_the_reply_before_are_all_answered_however_split() -> None:
    for seed in range(100):
        rng, echo = random.Random(seed), Echo()
        asked = [Question(rng, chunked=True) for _ in range(3)]
        async with echo.listening() as address, connection(address) as sock:
            for one in asked:
                await say(sock, pieces(rng, one.sent(last=False), 4))
                got = list(replies(await hear(sock, is_whole)))
                assert [reply[:2] for reply in got] == [(one.status, one.answer)], (seed, one.head, one.body)
                if got[0][2]:  # it was answered before its end was there
                    assert one.is_chunked
                    break


def mutated(rng: random.Random) -> bytes:
    data = bytearray(b"".join(Question(rng, chunked=True).sent(last=False) for _ in range(rng.randint(1, 3))))
    for _ in range(rng.randint(1, 5)):
        at = rng.randint(0, min(len(data), 400))
        data[at : at + rng.choice((0, 0, 1, 5))] = rng.choice(TOKENS)
    return bytes(data)


def broken_off(rng: random.Random) -> bytes:
    whole = Question(rng, chunked=True).sent(last=False) * rng.randint(1, 3)
    return whole[: rng.choice((0, rng.randint(0, len(whole)), len(whole)))]


async def come_and_go(rng: random.Random, address: tuple[str, int], data: bytes) -> None:
    """Connect, say something, perhaps hear something, leave: anywhere, and in one of three ways."""
    async with connection(address) as sock:
        with suppress(OSError, TimeoutError):
            await say(sock, pieces(rng, data, 2))
            await asyncio.sleep(rng.choice((0, 0, 0.001, 0.01)))
            if rng.random() < 0.3:
                async with asyncio.timeout(0.02):
                    await asyncio.get_running_loop().sock_recv(sock, rng.randint(1, 300))
            if rng.random() < 0.3:
                sock.shutdown(socket.SHUT_WR)
                await asyncio.sleep(0)
        if rng.random() < 0.5:  # a reset in place of an orderly end
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.slow
@pytest.mark.parametrize("made", [mutated, broken_off])
async def test_of_two_thousand_clients_that_come_and_go_nothing_is_left(made: Callable[[random.Random], bytes]) -> None:
    rng, echo = random.Random(11), Echo()
    async with echo.listening() as address:
        for _ in range(20):
            await asyncio.gather(*(come_and_go(rng, address, made(rng)) for _ in range(100)))
    assert len(echo.seen) > 100  # most come to nothing, some must not


@pytest.mark.slow
async def test_no_mutated_request_waits_for_ever() -> None:
    """Its client stays, and says nothing more."""
    rng, echo = random.Random(13), Echo()
    async with AsyncExitStack() as stack, echo.listening() as address:
        for _ in range(300):
            sock = await stack.enter_async_context(connection(address))
            with suppress(ConnectionError):
                await say(sock, pieces(rng, mutated(rng), 1))
