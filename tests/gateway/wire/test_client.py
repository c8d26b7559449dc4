"""A client's connection over its life: slow, idle, ill-mannered, kept, handed on, closed."""

import asyncio

import pytest

from gateway.wire.client import HEAD_TIMEOUT_S, KEEP_ALIVE_S, LINGER_S, MAX_LINE_BYTES
from tests.gateway.wire.conftest import until
from tests.gateway.wire.test_http import Edge, request


async def connected(edge: Edge) -> None:
    await until(lambda: len(edge.http.connections) == 1)


async def test_a_head_that_trickles_in_is_given_up() -> None:
    edge = Edge()
    async with edge.client() as client:
        for byte in (b"POST /v1/chat", b"/completions HTTP/1.1\r\n", b"x-a: 1\r\n"):
            client.send(byte)
            await asyncio.sleep(0.005)
            edge.pass_time(HEAD_TIMEOUT_S * 0.4)
        assert await client.is_closed()
    assert not edge.rows


async def test_an_idle_connection_is_closed_after_a_while_and_not_before() -> None:
    edge = Edge()
    async with edge.client() as client:
        assert (await client.ask()).status == 200
        edge.pass_time(KEEP_ALIVE_S - 1)
        assert (await client.ask()).status == 200
        edge.pass_time(KEEP_ALIVE_S + 1)
        assert await client.is_closed()


async def test_a_long_wait_between_requests_leaves_the_next_head_its_time() -> None:
    whole = request()
    async with (edge := Edge()).client() as client:
        await connected(edge)
        edge.pass_time(KEEP_ALIVE_S - 1)
        client.send(whole[:60])
        await asyncio.sleep(0.01)
        edge.pass_time(HEAD_TIMEOUT_S - 1)
        client.send(whole[60:])
        assert (await client.reply()).status == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /v1/messages HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        (b"POST /v1/messages HTTP/1.1\r\ncontent-length: 1\r\n\r\n", 400),
        (b"POST /v1/messages HTTP/1.1\r\nhost: a\r\nx: " + b"x" * 70_000, 431),
    ],
)
async def test_a_bad_head_is_refused_in_the_dialect_of_its_route_and_the_connection_ends(
    head: bytes, status: int
) -> None:
    edge = Edge()
    async with edge.client() as client:
        client.send(head)
        reply = await client.reply()
        assert (reply.status, reply.json["type"], reply.headers["connection"]) == (status, "error", "close")
        client.send(request())
        assert await client.is_closed()
    assert not edge.seen


async def test_who_does_not_close_after_a_refused_head_is_closed() -> None:
    edge = Edge()
    async with edge.client() as client:
        client.send(b"POST /v1/messages HTTP/1.1\r\n\r\n")
        await client.reply()
        edge.pass_time(LINGER_S - 1)
        assert edge.http.connections
        edge.pass_time(2)
        await until(lambda: not edge.http.connections)


async def test_what_is_not_for_the_data_plane_is_handed_on_with_every_byte() -> None:
    async with Edge().client() as client:
        assert (await client.ask()).status == 200
        client.send(b"PO")
        await asyncio.sleep(0.005)
        client.send(b"ST /elsewhere HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
        reply = await client.reply()
        assert (reply.status, reply.body) == (404, b"elsewhere /elsewhere")
        assert await client.is_closed()


@pytest.mark.parametrize("junk", [b"\x16\x03\x01\x00\xff\n", b"GET " + b"x" * (MAX_LINE_BYTES + 1), b"one\ntwo\n"])
async def test_junk_is_not_taken_for_a_request(junk: bytes) -> None:
    edge = Edge()
    async with edge.client() as client:
        client.send(junk)
        client.send(b"\r\n\r\n")
        assert b" 40" in await client.reader.readline() or await client.is_closed()
    assert not edge.seen


async def test_empty_lines_before_a_request_are_skipped() -> None:
    async with Edge().client() as client:
        client.send(b"\r\n\r\n" + request())
        assert (await client.reply()).status == 200


async def test_a_request_that_comes_while_another_is_answered_waits_its_turn() -> None:
    async with Edge().client() as client:
        client.send(request())
        await asyncio.sleep(0)
        client.send(request("/v1/models", "GET"))
        assert [(await client.reply()).status for _ in range(2)] == [200, 200]


async def test_after_a_chunked_request_with_something_behind_it_the_connection_ends() -> None:
    edge = Edge()
    chunked = request(content_length="", transfer_encoding="chunked", body=b"") + b"2\r\n{}\r\n0\r\n\r\n"
    async with edge.client() as client:
        client.send(chunked + request())
        reply = await client.reply()
        assert (reply.status, reply.headers["connection"]) == (400, "close")
        assert await client.is_closed()
    assert len(edge.seen) == 1


async def test_a_client_that_asks_for_it_is_closed_on() -> None:
    async with Edge().client() as client:
        assert (await client.ask(connection="close")).headers["connection"] == "close"
        assert await client.is_closed()


async def test_an_upgrade_is_not_taken_up() -> None:
    async with Edge().client() as client:
        assert (await client.ask(connection="upgrade", upgrade="h2c")).status == 200


async def test_with_the_last_calls_every_reply_ends_its_connection_and_idle_ones_close() -> None:
    edge = Edge()
    async with edge.client() as client:
        await client.ask()
        edge.http.last_calls()
        assert (await client.ask()).headers["connection"] == "close"
        assert await client.is_closed()
    async with edge.client() as client:
        await connected(edge)
        edge.http.stop_listening()
        assert await client.is_closed()


async def test_a_refusal_before_a_huge_body_ends_the_connection_and_is_read() -> None:
    """The body is announced and never read: the refusal reaches its reader all the same."""
    huge = request(token=None, body=b"x").replace(b"content-length: 1\r\n", b"content-length: 99999999\r\n")
    async with Edge().client() as client:
        client.send(huge + b"x" * 300_000)
        reply = await client.reply()
        assert (reply.status, reply.headers["connection"]) == (401, "close")
