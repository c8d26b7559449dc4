"""Every way in which a provider can fail, on a real socket, for every dialect: the client is told what happened, there
is one row, and nothing stays held."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.exchange import Endpoint
from gateway.lifecycle import serve
from gateway.wire.sse import MAX_EVENT_BYTES
from gateway.wire.upstream import UpstreamPool
from tests.gateway.phases.test_stream import CHAT, MESSAGES, RESPONSES
from tests.gateway.scripted import ALICE, ListDownstream, World, make_config, make_inbound, with_limits

Writer = asyncio.StreamWriter
Fault = Callable[[Writer, bytes], Awaitable[None]]

FIRST = {Endpoint.CHAT: CHAT[0], Endpoint.MESSAGES: MESSAGES[0], Endpoint.RESPONSES: RESPONSES[0]}
PROVIDER = {Endpoint.MESSAGES: "claude"}
WHO = with_limits(ALICE, concurrent=1, tpm=1_000_000)


def head(status: str = "200 OK", kind: str = "text/event-stream", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}\r\n".encode()


def whole(
    status: str, body: bytes = b'{"error":{"message":"m"}}', more: str = "", kind: str = "application/json"
) -> Fault:
    async def answer(writer: Writer, first: bytes) -> None:
        writer.write(head(status, kind, f"content-length: {len(body)}\r\n{more}") + body)

    return answer


def reset(writer: Writer) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(1, 13, linger)  # SO_LINGER of 0: the peer sees a reset
    writer.transport.abort()


async def closes(writer: Writer, first: bytes) -> None:
    """Not a word."""


async def resets(writer: Writer, first: bytes) -> None:
    reset(writer)


async def resets_after_the_head(writer: Writer, first: bytes) -> None:
    writer.write(head(more="transfer-encoding: chunked\r\n"))
    await writer.drain()
    await asyncio.sleep(0.005)
    reset(writer)


async def stalls(writer: Writer, first: bytes) -> None:
    await asyncio.sleep(1)


async def stalls_after_the_head(writer: Writer, first: bytes) -> None:
    writer.write(head(more="transfer-encoding: chunked\r\n"))
    await asyncio.sleep(1)


async def babbles(writer: Writer, first: bytes) -> None:
    writer.write(b"220 mail.example.org ESMTP\r\n\r\n")


async def never_ends_its_head(writer: Writer, first: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n" + b"x-more: yes\r\n" * 50_000)


async def cut_in_an_event(writer: Writer, first: bytes) -> None:
    writer.write(head(more="transfer-encoding: chunked\r\n") + chunk(first + first[:20]))
    await writer.drain()
    await asyncio.sleep(0.02)


async def ends_early(writer: Writer, first: bytes) -> None:
    writer.write(head(more="transfer-encoding: chunked\r\n") + chunk(first) + b"0\r\n\r\n")


async def stalls_in_the_middle(writer: Writer, first: bytes) -> None:
    writer.write(head(more="transfer-encoding: chunked\r\n") + chunk(first))
    await asyncio.sleep(1)


async def sends_an_endless_event(writer: Writer, first: bytes) -> None:
    writer.write(head(more="transfer-encoding: chunked\r\n") + chunk(first))
    await asyncio.sleep(0.02)
    writer.write(chunk(b"data: " + b"x" * (MAX_EVENT_BYTES + 100)))
    await asyncio.sleep(0.5)


async def breaks_its_chunks(writer: Writer, first: bytes) -> None:
    writer.write(head(more="transfer-encoding: chunked\r\n") + chunk(first))
    await asyncio.sleep(0.02)
    writer.write(b"not a size\r\n")
    await asyncio.sleep(0.5)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


BEFORE_THE_FIRST_BYTE: dict[str, tuple[Fault, int]] = {
    "closes": (closes, 502),
    "resets": (resets, 502),
    "resets after the head": (resets_after_the_head, 502),
    "stalls": (stalls, 504),
    "stalls after the head": (stalls_after_the_head, 504),
    "babbles": (babbles, 502),
    "never ends its head": (never_ends_its_head, 502),
    "HTML": (whole("200 OK", b"<html>hello</html>", kind="text/html"), 502),
    "a redirect": (whole("307 Temporary Redirect", more="location: http://169.254.169.254/\r\n"), 502),
    "400": (whole("400 Bad Request"), 400),
    "401": (whole("401 Unauthorized"), 502),
    "429": (whole("429 Too Many Requests", more="retry-after: 7\r\n"), 429),
    "500": (whole("500 Internal Server Error"), 502),
    "529": (whole("529 Overloaded"), 502),
    "an endless reply": (whole("200 OK", b'"' + b"x" * 5000), 502),
}
AFTER_THE_FIRST_BYTE: dict[str, Fault] = {
    "is cut in an event": cut_in_an_event,
    "ends early": ends_early,
    "stalls": stalls_in_the_middle,
    "sends an endless event": sends_an_endless_event,
    "breaks its chunks": breaks_its_chunks,
}


@asynccontextmanager
async def world(fault: Fault | None, endpoint: Endpoint) -> AsyncIterator[World]:
    """A gateway whose one provider has the fault; None refuses connections."""

    async def handle(reader: asyncio.StreamReader, writer: Writer) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if fault is not None:
                await fault(writer, FIRST[endpoint])
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if fault is None:
        server.close()
    pool = UpstreamPool(f"http://127.0.0.1:{port}")
    name = PROVIDER.get(endpoint, "a")
    made = World(
        make_config(name, retries=0, max_reply_bytes=4096, first_byte_timeout_s=0.5, idle_timeout_s=0.5),
        {name: pool},
        WHO,
    )
    try:
        yield made
        assert pool.active == 0
    finally:
        await pool.close()
        server.close()


async def live(made: World, endpoint: Endpoint, *, stream: bool) -> ListDownstream:
    down = ListDownstream()
    began = asyncio.get_running_loop().time()
    await serve(make_inbound(endpoint, stream=stream), down, made.services)
    assert asyncio.get_running_loop().time() - began < 0.9
    assert len(made.log.rows) == 1
    assert len(made.quotas.settled) == 1
    usage = await made.quotas.usage(made.quotas.asked[0].scopes[0])
    assert usage.concurrent.used == usage.concurrent.reserved == usage.tokens_per_minute.reserved == 0
    return down


@pytest.mark.parametrize("name", list(BEFORE_THE_FIRST_BYTE))
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("endpoint", list(FIRST))
async def test_a_fault_before_the_first_byte_is_a_status(endpoint: Endpoint, stream: bool, name: str) -> None:
    fault, status = BEFORE_THE_FIRST_BYTE[name]
    async with world(fault, endpoint) as made:
        down = await live(made, endpoint, stream=stream)
    assert (down.status, made.log.rows[0]["status"]) == (status, status)
    assert not down.committed
    assert made.log.rows[0]["total_tokens"] == 0
    if status == 429:
        assert down.headers["retry-after"] == "7"


@pytest.mark.parametrize("endpoint", list(FIRST))
async def test_a_provider_that_is_not_there_is_a_502(endpoint: Endpoint) -> None:
    async with world(None, endpoint) as made:
        assert (await live(made, endpoint, stream=True)).status == 502


@pytest.mark.parametrize("name", list(AFTER_THE_FIRST_BYTE))
@pytest.mark.parametrize("endpoint", list(FIRST))
async def test_a_fault_after_the_first_byte_is_an_error_in_the_stream(endpoint: Endpoint, name: str) -> None:
    async with world(AFTER_THE_FIRST_BYTE[name], endpoint) as made:
        down = await live(made, endpoint, stream=True)
    row = made.log.rows[0]
    if name == "ends early" and not down.committed:  # its end came with its beginning: there was nothing to take back
        assert (row["status"], row["total_tokens"]) == (502, 0)
        return
    assert down.sent == FIRST[endpoint]
    assert down.refusal is not None
    assert down.refusal.status == (504 if name == "stalls" else 502)
    assert (row["status"], row["error_code"]) == (200, down.refusal.code)
    assert down.tail == b""
    assert row["prompt_tokens"] > 0


@pytest.mark.parametrize("name", ["closes", "stalls after the head", "an endless reply"])
async def test_the_next_call_finds_its_slot_free(name: str) -> None:
    async with world(BEFORE_THE_FIRST_BYTE[name][0], Endpoint.CHAT) as made:
        for _ in range(2):
            down = ListDownstream()
            await serve(make_inbound(), down, made.services)
            assert down.status != 429
    assert len(made.log.rows) == 2
