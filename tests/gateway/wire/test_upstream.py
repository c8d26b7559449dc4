"""The pool: what goes out, which connections are kept, and who may use them again."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from gateway.providers.base import ConnectFailed, OutOfTime, UpstreamCut, UpstreamRequest
from gateway.wire.upstream import UpstreamPool
from tests.gateway.wire.conftest import Serve, read_request, until, whole

ASK = UpstreamRequest("/chat/completions", (("content-type", "application/json"),), b'{"a":1}')


async def ask(pool: UpstreamPool, request: UpstreamRequest = ASK) -> bytes:
    reply = await pool.send(request, 5)
    return await reply.read(1 << 20, 5)


class Keeper:
    """Answers every request on every connection with the connection's number; notes what it was sent."""

    def __init__(self, extra: bytes = b"", tail: bytes = b"") -> None:
        self.connections = 0
        self.requests: list[tuple[bytes, bytes]] = []
        self._extra, self._tail = extra, tail

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = b"%d" % self.connections
        while True:
            self.requests.append(await read_request(reader))
            writer.write(whole(number, self._extra) + self._tail)


async def test_a_request_that_would_break_the_framing_is_not_sent(serve: Serve) -> None:
    keeper = Keeper()
    pool = UpstreamPool(await serve(keeper))
    with pytest.raises(ValueError, match="header"):
        await pool.send(UpstreamRequest("/", (("x", "1\r\ny: 2"),), b""), 5)
    assert (keeper.connections, pool.active) == (0, 0)


async def test_status_and_headers_come_back_as_they_are_and_redirects_are_not_followed(serve: Serve) -> None:
    async def moved(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        extra = b"Location: http://other/\r\nX-Two: a\r\nx-two:  b \r\nX-Empty:\r\n"
        writer.write(whole(b"gone", extra, b"307 Temporary Redirect"))

    pool = UpstreamPool(await serve(moved))
    reply = await pool.send(ASK, 5)
    assert reply.status == 307
    assert reply.headers == {"location": "http://other/", "x-two": "b", "x-empty": "", "content-length": "4"}
    assert await reply.read(10, 5) == b"gone"
    await pool.close()


async def test_a_connection_is_used_again_and_the_newest_first(serve: Serve) -> None:
    keeper = Keeper()
    pool = UpstreamPool(await serve(keeper))
    assert sorted(await asyncio.gather(ask(pool), ask(pool), ask(pool))) == [b"1", b"2", b"3"]
    assert (pool.idle, pool.active) == (3, 0)
    newest = await ask(pool)
    assert [await ask(pool) for _ in range(3)] == [newest] * 3
    assert (pool.idle, keeper.connections) == (3, 3)
    await pool.close()
    assert pool.idle == 0


async def test_replies_are_never_mixed_up_under_concurrency(serve: Serve) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, body = await read_request(reader)
            await asyncio.sleep(int(body) % 7 / 1000)
            writer.write(whole(body))

    pool = UpstreamPool(await serve(echo), max_idle=8)
    for _ in range(3):
        bodies = [b"%d" % i for i in range(100)]
        got = await asyncio.gather(*(ask(pool, UpstreamRequest("/", (), body)) for body in bodies))
        assert got == bodies
        assert (pool.active, pool.idle) == (0, 8)
    await pool.close()


@pytest.mark.parametrize(
    ("extra", "tail"),
    [(b"Connection: close\r\n", b""), (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), (b"", b"x")],
    ids=["told to close", "a second reply unasked", "stray bytes"],
)
async def test_a_connection_that_may_hold_something_is_closed(serve: Serve, extra: bytes, tail: bytes) -> None:
    keeper = Keeper(extra, tail)
    pool = UpstreamPool(await serve(keeper))
    assert [await ask(pool), await ask(pool)] == [b"1", b"2"]
    assert (pool.idle, pool.active) == (0, 0)
    await pool.close()


async def test_bytes_that_come_while_idle_close_the_connection(serve: Serve) -> None:
    poison = asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(whole(b"good"))
        await poison.wait()
        writer.write(whole(b"poison"))
        await reader.read()

    pool = UpstreamPool(await serve(late))
    assert await ask(pool) == b"good"
    assert pool.idle == 1
    poison.set()
    await until(lambda: pool.idle == 0)
    assert await ask(pool) == b"good"
    await pool.close()


async def test_a_reply_before_the_request_was_sent_whole_leaves_no_connection_to_use(serve: Serve) -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole(b"too large", status=b"413 Payload Too Large"))
        await asyncio.sleep(30)

    pool = UpstreamPool(await serve(hasty, limit=1024))
    reply = await pool.send(UpstreamRequest("/", (), b"x" * (16 << 20)), 5)
    assert reply.status == 413
    assert await reply.read(100, 5) == b"too large"
    assert (pool.idle, pool.active) == (0, 0)
    await pool.close()


async def test_no_more_than_so_many_are_kept(serve: Serve) -> None:
    pool = UpstreamPool(await serve(Keeper()), max_idle=2)
    await asyncio.gather(*(ask(pool) for _ in range(5)))
    assert pool.idle == 2
    await pool.close()


async def test_an_idle_connection_is_closed_after_its_time(serve: Serve) -> None:
    keeper = Keeper()
    pool = UpstreamPool(await serve(keeper), idle_ttl_s=0.05)
    await ask(pool)
    assert pool.idle == 1
    await until(lambda: pool.idle == 0)
    assert await ask(pool) == b"2"
    await pool.close()


async def test_a_kept_connection_found_dead_is_replaced_once(serve: Serve) -> None:
    opened = 0

    async def fickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await read_request(reader)
        writer.write(whole(b"%d" % opened))
        await read_request(reader)  # and hang up without a word

    pool = UpstreamPool(await serve(fickle))
    assert [await ask(pool) for _ in range(3)] == [b"1", b"2", b"3"]
    await pool.close()


async def test_a_fresh_connection_that_dies_is_not_tried_again(serve: Serve) -> None:
    asked = 0

    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await read_request(reader)
        asked += 1

    pool = UpstreamPool(await serve(rude))
    with pytest.raises(UpstreamCut):
        await ask(pool)
    assert (asked, pool.active) == (1, 0)
    await pool.close()


async def test_a_request_is_not_sent_again_once_a_byte_of_a_reply_came(serve: Serve) -> None:
    asked = 0

    async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while True:
            await read_request(reader)
            asked += 1
            if asked > 1:
                writer.write(b"HTTP/1.1 2")
                return
            writer.write(whole(b"fine"))

    pool = UpstreamPool(await serve(breaks_off))
    await ask(pool)
    with pytest.raises(UpstreamCut):
        await ask(pool)
    assert asked == 2
    await pool.close()


async def test_no_connection_is_told_from_no_reply() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        pool = UpstreamPool(f"http://127.0.0.1:{unheard.getsockname()[1]}")
        with pytest.raises(ConnectFailed, match="no connection to 127"):
            await ask(pool)
    with pytest.raises(ConnectFailed):
        await ask(UpstreamPool("http://no-such-host.invalid", connect_timeout_s=2))


async def test_a_server_that_never_shakes_hands_is_given_up_in_time(serve: Serve) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    url = (await serve(mute)).replace("http:", "https:")
    pool = UpstreamPool(url, connect_timeout_s=0.1)
    with pytest.raises(ConnectFailed, match=r"in 0\.1 s"):
        await ask(pool)
    assert pool.active == 0


async def test_no_connection_is_waited_for_beyond_the_end_of_the_call(serve: Serve) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    pool = UpstreamPool((await serve(mute)).replace("http:", "https:"))
    with pytest.raises(OutOfTime):
        await pool.send(ASK, 5, asyncio.get_running_loop().time() + 0.05)
    assert pool.active == 0


async def test_of_a_header_that_comes_twice_the_last_counts(serve: Serve) -> None:
    pool = UpstreamPool(await serve(Keeper(b"X-A: 1\r\nX-A: 2\r\n")))
    reply = await pool.send(ASK, 5)
    assert reply.headers["x-a"] == "2"
    await pool.close()


async def test_a_host_that_answers_on_one_address_only_is_reached(serve: Serve) -> None:
    """`localhost` is ::1 and 127.0.0.1; only the second listens."""
    url = await serve(Keeper())
    pool = UpstreamPool(url.replace("127.0.0.1", "localhost"))
    assert await ask(pool) == b"1"
    await pool.close()


async def test_ipv6(serve: Serve) -> None:
    try:
        url = await serve(keeper := Keeper(), host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    pool = UpstreamPool(url)
    assert await ask(pool) == b"1"
    assert b"host: [::1]:" in keeper.requests[0][0]
    await pool.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl command here to make a certificate with")
    pem = tmp_path_factory.mktemp("tls") / "localhost.pem"
    key = pem.with_suffix(".key")
    curve, name = "ec_paramgen_curve:prime256v1", "subjectAltName=DNS:localhost"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-days", "2", "-addext", name]
    command += ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(pem)]
    subprocess.run(command, check=True, capture_output=True)
    pem.write_bytes(key.read_bytes() + pem.read_bytes())
    return pem


async def test_tls_is_verified_and_speaks_http_1(serve: Serve, certificate: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    server.set_alpn_protocols(["h2", "http/1.1"])
    spoken: list[str | None] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spoken.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await Keeper()(reader, writer)

    url = (await serve(note, ssl=server)).replace("127.0.0.1", "localhost")
    with pytest.raises(ConnectFailed, match=r"(?i)certificate.verify.failed"):
        await ask(UpstreamPool(url))
    trusting = ssl.create_default_context(cafile=str(certificate))
    trusting.set_alpn_protocols(["http/1.1"])
    pool = UpstreamPool(url, ssl_context=trusting)
    assert [await ask(pool), await ask(pool)] == [b"1", b"1"]
    assert spoken[-1] == "http/1.1"
    await pool.close()


async def test_closing_ends_what_is_under_way_and_refuses_what_comes(serve: Serve) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    pool = UpstreamPool(await serve(silent))
    waiting = asyncio.ensure_future(ask(pool))
    await until(lambda: pool.active == 1)
    await pool.close()
    with pytest.raises(UpstreamCut, match="closed"):
        await waiting
    with pytest.raises(ConnectFailed, match="closed"):
        await ask(pool)
    assert (pool.active, pool.idle) == (0, 0)


async def test_a_retired_pool_finishes_what_is_under_way_and_keeps_nothing(serve: Serve) -> None:
    go = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            await go.wait()
            writer.write(whole(b"done"))

    pool = UpstreamPool(await serve(slow))
    waiting = asyncio.ensure_future(ask(pool))
    await until(lambda: pool.active == 1)
    pool.retire()
    go.set()
    assert await waiting == b"done"
    assert (pool.active, pool.idle) == (0, 0)
