"""The edge on a real socket: what clients send, well-meant or not, and what reaches them."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from aiohttp import web

from gateway.downstream import Downstream
from gateway.exchange import Endpoint, Exchange, Inbound
from gateway.lifecycle import serve
from gateway.tasks import drain
from gateway.wire import http
from gateway.wire.client import BODY_TIMEOUT_S, CONGESTED_BYTES, STALLED_READER_S
from gateway.wire.http import HttpEdge
from tests.gateway.phases.test_stream import CHAT, ERROR, ROLE, STOP, USAGE, word
from tests.gateway.scripted import (
    BODIES,
    JSON,
    TOKEN,
    ScriptedReply,
    ScriptedUpstream,
    World,
    for_ever,
    make_config,
)
from tests.gateway.wire.conftest import until

MAX_BODY = 4096
REPLY = b'{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Client:
    """A socket, and HTTP as it lies on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = [line.split(": ", 1) for line in lines[1:] if line]
        return int(lines[0].split()[1]), {name.lower(): value for name, value in fields}

    async def chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self.reader.readline(), 16):
            yield (await self.reader.readexactly(size + 2))[:-2]
        assert await self.reader.readline() == b"\r\n"

    async def reply(self, method: str = "POST") -> Reply:
        status, headers = await self.head()
        if method == "HEAD" or status == 204:
            return Reply(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Reply(status, headers, b"".join([chunk async for chunk in self.chunks()]))
        return Reply(status, headers, await self.reader.readexactly(int(headers["content-length"])))

    async def ask(self, path: str = "/v1/chat/completions", method: str = "POST", **options: Any) -> Reply:
        self.send(request(path, method, **options))
        return await self.reply(method)

    async def is_closed(self) -> bool:
        return await self.reader.read(1) == b""


def request(
    path: str = "/v1/chat/completions",
    method: str = "POST",
    *,
    body: bytes | dict[str, Any] | None = None,
    version: str = "1.1",
    token: str | None = TOKEN,
    **headers: str,
) -> bytes:
    given = BODIES[Endpoint.CHAT] if body is None and method == "POST" else body or b""
    raw = given if isinstance(given, bytes) else orjson.dumps(given)
    fields = {"host": "test", "content-length": str(len(raw))}
    if token is not None:
        fields["authorization"] = f"Bearer {token}"
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"{method} {path} HTTP/{version}\r\n{head}\r\n".encode() + raw


STREAMING = {**BODIES[Endpoint.CHAT], "stream": True}


class Edge:
    """The edge before a gateway whose one provider is scripted."""

    def __init__(self, *replies: ScriptedReply | Exception, elsewhere: bytes | None = None) -> None:
        self._said_elsewhere = elsewhere
        self.upstream = ScriptedUpstream(*(replies or (ScriptedReply(REPLY, headers=JSON),)))
        self.world = World(make_config("a", retries=0, idle_timeout_s=5), {"a": self.upstream})
        self.server = web.Server(self._elsewhere, handler_cancellation=True)
        self.http = HttpEdge(self._serve, self.server, lambda: MAX_BODY)
        self.seen: list[Inbound] = []

    async def _serve(self, inbound: Inbound, down: Downstream) -> Exchange:
        self.seen.append(inbound)
        return await serve(inbound, down, self.world.services)

    async def _elsewhere(self, request: web.BaseRequest) -> web.StreamResponse:
        body = self._said_elsewhere or f"elsewhere {request.path}".encode()
        response = web.Response(status=404, body=body)
        response.force_close()
        return response

    def pass_time(self, seconds: float) -> None:
        self.http.sweep(self.http.now + seconds)

    def unread(self) -> int:
        """Bytes that were written and that the reader has not taken."""
        transports = [*self.http.handed_on, *(one._transport for one in self.http.connections)]
        return sum(one.get_write_buffer_size() for one in transports)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.world.log.rows

    @asynccontextmanager
    async def client(self, receive_buffer: int | None = None) -> AsyncIterator[Client]:
        listener = await asyncio.get_running_loop().create_server(self.http.protocol, "127.0.0.1", 0)
        sock = socket.socket()
        if receive_buffer is not None:
            listener.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, receive_buffer)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, listener.sockets[0].getsockname())
        reader, writer = await asyncio.open_connection(sock=sock, limit=2**20)
        try:
            async with asyncio.timeout(5):
                yield Client(reader, writer)
        finally:
            writer.close()
            listener.close()
            await self.http.close(1)
            await self.server.shutdown(1)
            await drain(1)


# Routes, methods, dialects.


@pytest.mark.parametrize("prefix", ["/v1/", "/api/v1/"])
@pytest.mark.parametrize("endpoint", list(BODIES))
async def test_every_endpoint_answers_under_both_prefixes(prefix: str, endpoint: Endpoint) -> None:
    edge = Edge()
    async with edge.client() as client:
        reply = await client.ask(prefix + endpoint.value + "?beta=true", body=BODIES[endpoint])
    assert edge.seen[0].endpoint is endpoint
    assert reply.status == 200
    assert reply.headers["x-request-id"] == edge.rows[0]["request_id"]


@pytest.mark.parametrize("path", ["/chat/completions"])
async def test_aliases_answer(path: str) -> None:
    edge = Edge()
    async with edge.client() as client:
        assert (await client.ask(path)).body == REPLY
    assert edge.seen[0].endpoint is Endpoint.CHAT


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/modelsx", "/v1/chat", "/v1/chat/completions/", "/v2/models", "/health"]
)
async def test_other_paths_go_elsewhere(path: str) -> None:
    async with Edge().client() as client:
        reply = await client.ask(path, "GET")
    assert (reply.status, reply.body) == (404, f"elsewhere {path}".encode())


async def test_models_are_listed_for_who_asks() -> None:
    async with Edge().client() as client:
        openai = await client.ask("/v1/models", "GET")
        anthropic = await client.ask("/api/v1/models/", "GET", anthropic_version="2023-06-01")
        head = await client.ask("/v1/models", "HEAD")
    assert openai.json["object"] == "list"
    assert anthropic.json["has_more"] is False
    assert (head.status, head.headers["content-length"]) == (200, openai.headers["content-length"])


@pytest.mark.parametrize(("path", "status"), [("m", 200), ("only-a", 200), ("none", 404), ("a%2Fm", 404), ("a/m", 404)])
async def test_one_model_is_found_by_its_name(path: str, status: int) -> None:
    edge = Edge()
    async with edge.client() as client:
        reply = await client.ask(f"/v1/models/{path}", "GET")
    assert reply.status == status
    assert edge.seen[0].model_id == path.replace("%2F", "/")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/v1/messages"])
async def test_options_are_told_without_a_key(path: str) -> None:
    edge = Edge()
    async with edge.client() as client:
        reply = await client.ask(path, "OPTIONS", token=None)
    assert reply.status == 204
    assert "OPTIONS" in reply.headers["allow"]
    assert not edge.seen


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_another_method_is_refused_in_the_dialect_of_the_route(method: str, path: str) -> None:
    async with Edge().client() as client:
        reply = await client.ask(path, method)
        assert (await client.ask()).status == 200
    assert (reply.status, reply.headers["allow"]) == (405, "POST, OPTIONS")
    assert reply.headers["x-request-id"].startswith("req_")
    assert reply.headers["server"] == "guardflow"
    if path == "/v1/messages":
        assert reply.json["error"]["type"] == "invalid_request_error"
        assert reply.json["request_id"] == reply.headers["x-request-id"]
    else:
        assert reply.json["error"]["code"] == "method_not_allowed"


async def test_errors_come_in_the_dialect_of_the_route_with_a_request_id() -> None:
    async with Edge().client() as client:
        openai = await client.ask(token=None)
        anthropic = await client.ask("/v1/messages", token="gf_wrong")
    assert openai.status == anthropic.status == 401
    assert openai.json["error"]["code"] == "invalid_api_key"
    assert set(openai.json["error"]) == {"message", "type", "param", "code"}
    assert (anthropic.json["type"], anthropic.json["error"]["type"]) == ("error", "authentication_error")
    assert anthropic.headers["request-id"] == anthropic.headers["x-request-id"] == anthropic.json["request_id"]
    assert openai.headers["content-type"] == anthropic.headers["content-type"] == "application/json"


async def test_a_key_of_any_bytes_is_a_wrong_key() -> None:
    async with Edge().client() as client:
        client.send(request(token=None)[:-2].split(b"\r\n\r\n")[0] + b"\r\nauthorization: Bearer \xff\xfe\r\n\r\n")
        status, _ = await client.head()
    assert status == 401


# Bodies.


async def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    edge = Edge()
    async with edge.client() as client:
        client.send(request(body=b"x")[:-1].replace(b"content-length: 1", b"content-length: %d" % (MAX_BODY + 1)))
        status, _ = await client.head()
    assert (status, edge.rows[0]["error_code"]) == (413, "request_too_large")


@pytest.mark.parametrize("pieces", [1, 9])
async def test_a_body_that_becomes_too_large_is_refused(pieces: int) -> None:
    async with Edge().client() as client:
        client.send(request(content_length="", transfer_encoding="chunked", body=b""))
        for _ in range(pieces):
            size = (MAX_BODY + 8) // pieces + 1
            client.send(b"%x\r\n%b\r\n" % (size, b"x" * size))
            await asyncio.sleep(0.001)
        client.send(b"0\r\n\r\n")
        reply = await client.reply()
        assert reply.status == 413
        assert (await client.ask()).status == 200  # the rest was read and dropped


@pytest.mark.parametrize("cut", [1, 30, -1])
async def test_a_body_in_pieces_is_put_together(cut: int) -> None:
    whole = request()
    async with Edge().client() as client:
        client.send(whole[:cut])
        await asyncio.sleep(0.01)
        client.send(whole[cut:])
        assert (await client.reply()).status == 200


async def test_a_body_that_does_not_come_is_given_up() -> None:
    edge = Edge()
    async with edge.client() as client:
        client.send(request()[:-5])
        await until(lambda: edge.http.in_flight == 1)
        await asyncio.sleep(0)
        edge.pass_time(BODY_TIMEOUT_S - 1)
        assert not edge.rows
        edge.pass_time(2)
        status, _ = await client.head()
    assert (status, edge.rows[0]["error_code"]) == (408, "request_timeout")


async def test_a_body_whose_chunks_are_broken_is_refused() -> None:
    edge = Edge()
    async with edge.client() as client:
        client.send(request(content_length="", transfer_encoding="chunked", body=b"") + b"3\r\nabc\r\n")
        await until(lambda: bool(edge.seen))
        client.send(b"zz\r\n")
        assert (await client.reply()).status == 400
        assert await client.is_closed()
    assert [row["status"] for row in edge.rows] == [400]


async def test_a_body_that_waits_to_be_asked_for_is_asked_for() -> None:
    whole = request(expect="100-continue")
    at = whole.index(b"\r\n\r\n") + 4
    async with Edge().client() as client:
        client.send(whole[:at])
        assert await client.reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert await client.reader.readline() == b"\r\n"
        client.send(whole[at:])
        assert (await client.reply()).status == 200


async def test_a_compressed_body_is_refused() -> None:
    async with Edge().client() as client:
        reply = await client.ask(content_encoding="gzip", body=b"\x1f\x8b\x08\x00")
    assert (reply.status, reply.json["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
async def test_a_bad_body_is_refused_and_the_connection_lives(body: bytes) -> None:
    async with Edge().client() as client:
        assert (await client.ask(body=body)).status == 400
        assert (await client.ask()).status == 200


async def test_a_refusal_before_the_body_was_read_keeps_the_connection() -> None:
    edge = Edge()
    async with edge.client() as client:
        assert (await client.ask(token=None, body=b"x" * MAX_BODY)).status == 401
        assert (await client.ask()).status == 200
    assert [row["status"] for row in edge.rows] == [401, 200]


async def test_a_client_that_leaves_in_the_middle_of_its_body_makes_a_row() -> None:
    edge = Edge()
    async with edge.client() as client:
        client.send(request()[:-5])
        await until(lambda: edge.http.in_flight == 1)
        client.writer.close()
        await until(lambda: edge.http.in_flight == 0)
    assert [row["status"] for row in edge.rows] == [499]


# Replies.


async def test_connections_are_kept_after_replies_and_streams() -> None:
    edge = Edge(ScriptedReply(*CHAT), ScriptedReply(REPLY, headers=JSON))
    async with edge.client() as client:
        stream = await client.ask(body=STREAMING)
        assert stream.body == b"".join(CHAT).replace(USAGE, b"")
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["x-guardflow-model"] == "a/m"
        assert (await client.ask()).body == REPLY
    assert edge.http.in_flight == 0
    assert len(edge.rows) == 2


async def test_the_first_bytes_of_a_stream_leave_at_once() -> None:
    go_on = asyncio.Event()
    async with Edge(ScriptedReply(ROLE, go_on.wait, STOP)).client() as client:
        client.send(request(body=STREAMING))
        await client.head()
        chunks = client.chunks()
        assert await anext(chunks) == ROLE
        go_on.set()
        assert b"".join([chunk async for chunk in chunks]) == STOP + b"data: [DONE]\n\n"


async def test_the_end_of_a_stream_comes_after_the_row() -> None:
    edge = Edge(ScriptedReply(*CHAT))
    async with edge.client() as client:
        client.send(request(body=STREAMING))
        await client.head()
        async for chunk in client.chunks():
            if b"[DONE]" in chunk:
                assert len(edge.rows) == 1


async def test_an_error_after_the_first_byte_is_an_event_and_no_done_follows() -> None:
    edge = Edge(ScriptedReply(ROLE, ERROR))
    async with edge.client() as client:
        openai = await client.ask(body=STREAMING)
        assert (await client.ask(body=STREAMING)).status == 200  # and the connection lives
    last = openai.body.removeprefix(ROLE)
    assert orjson.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_error"
    assert b"[DONE]" not in openai.body


async def test_a_client_of_http_1_0_gets_its_stream_without_chunks() -> None:
    async with Edge(ScriptedReply(*CHAT)).client() as client:
        client.send(request(body=STREAMING, version="1.0"))
        status, headers = await client.head()
        body = await client.reader.read()
    assert status == 200
    assert "transfer-encoding" not in headers
    assert body == b"".join(CHAT).replace(USAGE, b"")


async def test_a_client_of_http_1_0_gets_a_whole_reply() -> None:
    async with Edge().client() as client:
        assert (await client.ask(version="1.0")).body == REPLY


@pytest.mark.parametrize("size", [10, 3_000_000])
async def test_a_whole_reply_of_any_size_arrives(size: int) -> None:
    big = json.dumps({"data": "x" * size, "usage": {"prompt_tokens": 1}}).encode()
    async with Edge(ScriptedReply(big, headers=JSON)).client() as client:
        for _ in range(2):
            reply = await client.ask()
            assert reply.body == big
            assert reply.headers["x-request-id"]


# Readers that stall or leave.

PIECE = word("x" * 65_000)
PIECES = 120


def flood() -> ScriptedReply:
    return ScriptedReply(*[PIECE] * PIECES, STOP)


async def settled(progress: Callable[[], int]) -> None:
    """Wait until nothing moves any more."""
    last = -1
    while progress() != last:
        last = progress()
        await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_a_stalled_reader_pauses_the_upstream_and_costs_little_memory() -> None:
    reply = flood()
    edge = Edge(reply)
    async with edge.client(receive_buffer=4096) as client:
        client.send(request(body=STREAMING))
        await client.head()
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await settled(lambda: reply.played)
        assert 0 < reply.played < PIECES
        assert 0 < edge.unread() <= CONGESTED_BYTES + 2 * len(PIECE)
        client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        client.reader._transport.resume_reading()  # type: ignore[attr-defined]
        body = b"".join([chunk async for chunk in client.chunks()])
    assert body == PIECE * PIECES + STOP + b"data: [DONE]\n\n"
    assert edge.rows[0]["status"] == 200


@pytest.mark.parametrize("stream", [True, False])
async def test_a_reader_that_stalls_for_good_is_cut(stream: bool) -> None:
    whole = ScriptedReply(b'{"data":"%b"}' % (b"x" * 16_000_000), headers=JSON)
    edge = Edge(flood() if stream else whole)
    async with edge.client(receive_buffer=4096) as client:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        client.send(request(body=STREAMING if stream else None))
        await until(lambda: edge.unread() > CONGESTED_BYTES)
        await settled(edge.unread)
        edge.pass_time(1)
        edge.pass_time(STALLED_READER_S - 1)
        assert edge.http.in_flight == 1
        edge.pass_time(2)
        await until(lambda: bool(edge.rows) and edge.http.in_flight == 0)
        await until(lambda: not edge.http.connections)
    assert [row["status"] for row in edge.rows] == [499 if stream else 200]


async def test_a_reader_that_stalls_at_the_very_end_is_cut() -> None:
    """All is written and on record; what the reader doesn't take does not stay for ever."""
    edge = Edge(ScriptedReply(*[PIECE] * 2, STOP))
    async with edge.client(receive_buffer=4096) as client:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        client.send(request(body=STREAMING))
        await until(lambda: bool(edge.rows))
        edge.pass_time(1)
        edge.pass_time(STALLED_READER_S + 1)
        await until(lambda: not edge.http.connections)
    assert [row["status"] for row in edge.rows] == [200]


@pytest.mark.parametrize(
    "reply", [ScriptedReply(ROLE, for_ever), ScriptedReply(for_ever), ScriptedReply(for_ever, headers=JSON)]
)
async def test_a_client_that_leaves_stops_the_upstream(reply: ScriptedReply) -> None:
    edge = Edge(reply)
    async with edge.client() as client:
        client.send(request(body=STREAMING))
        await until(lambda: bool(edge.upstream.requests))
        client.writer.close()
        await until(lambda: bool(edge.rows))
    assert reply.aborted
    assert [row["status"] for row in edge.rows] == [499]
    assert edge.http.in_flight == 0


async def test_a_client_that_leaves_after_the_terminal_event_did_not_leave() -> None:
    edge = Edge(ScriptedReply(*CHAT))
    async with edge.client() as client:
        client.send(request(body=STREAMING))
        await client.reader.readuntil(b"[DONE]")
        client.writer.close()
        await until(lambda: not edge.http.connections)
    assert [row["status"] for row in edge.rows] == [200]


async def test_requests_on_one_connection_are_answered_in_turn() -> None:
    async with Edge().client() as client:
        client.send(request() + request("/v1/models", "GET") + request(token=None))
        assert [(await client.reply()).status for _ in range(3)] == [200, 200, 401]


async def test_time_in_which_the_loop_was_held_up_is_held_against_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SWEEP_S", 0.01)
    edge = Edge().http
    await edge.listen("127.0.0.1", 0, 1)
    await until(lambda: edge.now > 0)
    before = edge.now
    time.sleep(0.3)
    await until(lambda: edge.now > before)
    assert edge.now - before < 0.1
    await edge.close()


# Ids.


async def test_each_request_has_an_id_of_its_own() -> None:
    edge = Edge()
    async with edge.client() as client:
        first = await client.ask(x_request_id="req_mine")
        second = await client.ask(x_request_id="req_mine")
    assert first.headers["x-request-id"] != second.headers["x-request-id"] != "req_mine"
    assert edge.seen[0].request_id == first.headers["x-request-id"]
