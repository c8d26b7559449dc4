"""A client's connection over its life: slow, idle, ill-mannered, kept, handed on, closed."""

import asyncio

import pytest

from gateway.wire.client import (
    BODY_TIMEOUT_S,
    CONGESTED_BYTES,
    HEAD_TIMEOUT_S,
    KEEP_ALIVE_S,
    LINGER_S,
    MAX_LINE_BYTES,
    STALLED_READER_S,
)
from gateway.wire.request_line import request_line
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


async def test_a_reader_that_stalls_elsewhere_is_cut_as_well() -> None:
    edge = Edge(elsewhere=b"x" * 3_000_000)
    async with edge.client(receive_buffer=4096) as client:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        client.send(b"GET /elsewhere HTTP/1.1\r\nhost: a\r\n\r\n")
        await until(lambda: edge.unread() > 0)
        edge.pass_time(1)
        edge.pass_time(STALLED_READER_S - 1)
        assert edge.unread() > 0
        edge.pass_time(2)
        await until(lambda: edge.unread() == 0)
        edge.pass_time(1)
        assert not edge.http.handed_on


async def test_who_was_answered_elsewhere_is_forgotten() -> None:
    edge = Edge()
    async with edge.client() as client:
        await client.ask("/elsewhere", "GET")
        assert await client.is_closed()
        edge.pass_time(1)
        assert not edge.http.handed_on


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


# What one request leaves for the next.


@pytest.mark.parametrize("body", [b"x" * 40, b"\r\n\r\n" + b"x" * 36, request("/v1/embeddings")])
async def test_what_follows_a_body_that_was_refused_unread_is_the_next_request(body: bytes) -> None:
    """The refusal leaves first; then the body and the next request come together. A blank line in either is no head."""
    edge = Edge()
    refused = request(token=None, body=body)
    async with edge.client() as client:
        client.send(refused[: -len(body)])
        assert (await client.reply()).status == 401
        client.send(body + request() + request("/v1/models", "GET"))
        assert [(await client.reply()).status for _ in range(2)] == [200, 200]
    assert [one.endpoint.value for one in edge.seen] == ["chat/completions", "chat/completions", "models"]


async def test_a_request_behind_a_body_in_pieces_is_answered() -> None:
    whole = request()
    async with Edge().client() as client:
        client.send(whole[:-5])
        await asyncio.sleep(0.01)
        client.send(whole[-5:] + request("/v1/models", "GET"))
        assert [(await client.reply()).status for _ in range(2)] == [200, 200]


async def test_a_refusal_before_the_last_chunk_ends_the_connection() -> None:
    """Where chunks end among what comes next can't be told."""
    chunked = request(content_length="", transfer_encoding="chunked", body=b"", token=None)
    async with Edge().client() as client:
        client.send(chunked + b"5\r\n")
        assert (await client.reply()).headers["connection"] == "close"


async def test_a_refusal_before_the_body_was_asked_for_ends_the_connection() -> None:
    """Some then leave the body out: the next request would be taken for it."""
    whole = request(token=None, expect="100-continue", body=b"x" * 100)
    async with Edge().client() as client:
        client.send(whole[:-100])
        reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (401, "close")


async def test_a_client_of_http_1_0_is_not_told_to_go_on() -> None:
    whole = request(expect="100-continue", version="1.0")
    edge = Edge()
    async with edge.client() as client:
        client.send(whole[:-5])
        await until(lambda: edge.http.in_flight == 1)
        await asyncio.sleep(0.005)
        client.send(whole[-5:])
        assert (await client.head())[0] == 200


async def test_a_body_given_up_ends_the_connection() -> None:
    edge = Edge()
    async with edge.client() as client:
        client.send(request()[:-5])
        await until(lambda: any(one._body_waiter for one in edge.http.connections))
        edge.pass_time(BODY_TIMEOUT_S + 1)
        assert (await client.head())[1]["connection"] == "close"


async def test_a_last_reply_is_read_though_more_was_sent_than_it_answers() -> None:
    """Closing at once would make the kernel throw the reply away."""
    edge = Edge()
    async with edge.client() as client:
        client.send(request(connection="close") + request() * 2000)
        assert (await client.reply()).status == 200
        assert await client.is_closed()
    assert len(edge.seen) == 1


# What strangers can make us hold, or do.


async def test_a_thousand_requests_at_once_that_need_no_answer_of_the_gateway_are_answered_in_turn() -> None:
    async with Edge().client() as client:
        client.send(b"OPTIONS /v1/models HTTP/1.1\r\nhost: a\r\n\r\n" * 1000)
        for _ in range(1000):
            assert (await client.reply("OPTIONS")).status == 204


async def test_who_asks_on_and_on_without_reading_is_no_longer_heard() -> None:
    edge = Edge()
    async with edge.client(receive_buffer=4096) as client:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(200):
            client.send(b"OPTIONS /v1/models HTTP/1.1\r\nhost: a\r\n\r\n" * 500)
            await asyncio.sleep(0.001)
        assert 0 < edge.unread() <= CONGESTED_BYTES + 4096
        client.writer.transport.abort()


async def test_a_line_that_is_too_long_is_not_kept() -> None:
    request_line.cache_clear()
    async with Edge().client() as client:
        client.send(b"POST /v1/chat/completions?" + b"x" * 100_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n")
        await client.reader.read()
    assert request_line.cache_info().currsize == 0


@pytest.mark.parametrize("zeros", [30, 5000])
async def test_a_length_of_many_zeros_is_refused(zeros: int) -> None:
    whole = request()
    length = b"content-length: %d" % len(whole.partition(b"\r\n\r\n")[2])
    async with Edge().client() as client:
        client.send(whole.replace(length, length.replace(b": ", b": " + b"0" * zeros)))
        assert (await client.reply()).status == 400


async def test_an_upgrade_with_a_framing_of_its_own_is_refused() -> None:
    async with Edge().client() as client:
        client.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
            b"transfer-encoding: \xff\r\n\r\n"
        )
        assert (await client.reply()).status == 400


class Wire(asyncio.Transport):
    """A transport whose peer is this test: it says what came in one turn of the loop, and when it was left."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def write(self, data: object) -> None: ...

    def abort(self) -> None: ...


async def test_who_leaves_in_the_very_moment_of_asking_is_on_record() -> None:
    """uvloop may tell of a request and of its end in one turn: a task that has not begun would never begin."""
    edge = Edge()
    connection = edge.http.protocol()
    connection.connection_made(Wire())
    connection.data_received(request()[:-5])
    connection.eof_received()
    connection.connection_lost(None)
    await until(lambda: bool(edge.rows))
    assert edge.http.in_flight == 0
    assert [row["status"] for row in edge.rows] == [499]
