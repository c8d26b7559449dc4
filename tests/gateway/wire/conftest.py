"""What the wire tests share: both event loops, and upstreams that answer as a test scripts them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
import uvloop
from hypothesis import settings

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[..., Awaitable[str]]
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

# How long one example takes says more about the machine than about the code.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

BOTH_LOOPS = {
    "test_client", "test_client_fuzz", "test_connection", "test_http", "test_redis", "test_reply", "test_response",
    "test_upstream",
}  # fmt: skip


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory] | None:
    if item.path.stem not in BOTH_LOOPS:
        return None
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server whose every connection is handled by the given coroutine; returns its base URL."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler, host: str = "127.0.0.1", **options: object) -> str:
            async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                try:
                    await handler(reader, writer)
                except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                    pass
                finally:
                    writer.close()

            server = await asyncio.start_server(handle, host, 0, **options)  # type: ignore[arg-type]
            stack.callback(server.close)
            port = server.sockets[0].getsockname()[1]
            scheme = "https" if "ssl" in options else "http"
            return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

        yield start


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head (without its empty line) and the body of one request."""
    head = (await reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return head, await reader.readexactly(length)


def whole(body: bytes, extra: bytes = b"", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, extra, len(body), body)


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop its turns until `condition()` holds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)
