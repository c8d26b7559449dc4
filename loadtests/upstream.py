"""A mock provider that costs next to nothing: chat completions, whole or streamed, on a raw Protocol.

What it does is asked for in the request itself, by a marker anywhere in the body (times in milliseconds, sizes in
bytes): `[[mock delay=50 chunks=100 gap=5 reply=800 status=429 cut=10]]`. `cut` hangs up after so many chunks.
"""

import argparse
import asyncio
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import httptools
import uvloop

_MARKER = re.compile(rb"\[\[mock ([a-z0-9= ]*)\]\]")
_STREAM = re.compile(rb'"stream"\s*:\s*true')
_EVENTS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"x-request-id: req_mock\r\ntransfer-encoding: chunked\r\n\r\n"
)
_CHUNK = (
    b'data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1767225600,"model":"mock-1",'
    b'"system_fingerprint":"fp_0","choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":%b}]}\n\n'
)
_USAGE = (
    b'data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1767225600,"model":"mock-1",'
    b'"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}\n\ndata: [DONE]\n\n'
)
_WHOLE = (
    b'{"id":"chatcmpl-mock","object":"chat.completion","created":1767225600,"model":"mock-1",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"%b","refusal":null},"logprobs":null,'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
    b'"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},'
    b'"service_tier":"default","system_fingerprint":"fp_0"}'
)
_PROSE = b"The tide comes in twice a day, and whoever lives by the sea plans around it. "


@dataclass(frozen=True, slots=True)
class Plan:
    """What to answer with."""

    delay: int = 0
    chunks: int = 20
    gap: int = 0
    reply: int = 800
    status: int = 200
    cut: int = -1


@lru_cache(maxsize=256)
def plan_of(marker: bytes) -> Plan:
    known = Plan.__dataclass_fields__
    asked = (option.partition("=") for option in marker.decode().split())
    return Plan(**{name: int(value) for name, _, value in asked if name in known and value.isdigit()})


@lru_cache(maxsize=64)
def whole_reply(size: int, prompt_tokens: int) -> bytes:
    text = (_PROSE * (size // len(_PROSE) + 1))[:size]
    tokens = max(1, size // 4)
    body = _WHOLE % (text, prompt_tokens, tokens, prompt_tokens + tokens)
    return _head(200, len(body)) + body


@lru_cache(maxsize=64)
def error_reply(status: int) -> bytes:
    body = b'{"error":{"message":"mock says %d","type":"mock_error","param":null,"code":null}}' % status
    return _head(status, len(body)) + body


def _head(status: int, length: int) -> bytes:
    return (
        b"HTTP/1.1 %d Mock\r\ncontent-type: application/json\r\nx-request-id: req_mock\r\n"
        b"openai-processing-ms: 1\r\ncontent-length: %d\r\n\r\n" % (status, length)
    )


class MockProvider(asyncio.Protocol):
    """One connection. Requests on it are answered one after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._body: list[bytes] = []
        self.on_body = self._body.append
        self._parser = httptools.HttpRequestParser(self)
        self._prompt_tokens = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        del self._parser

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_message_complete(self) -> None:
        body = b"".join(self._body)
        self._body.clear()
        marker = _MARKER.search(body)
        plan = Plan() if marker is None else plan_of(marker[1])
        self._prompt_tokens = max(1, len(body) // 4)
        streamed = plan.status == 200 and _STREAM.search(body) is not None
        if plan.delay:
            self._timer = self._loop.call_later(plan.delay / 1000, self._answer, plan, streamed)
        else:
            self._answer(plan, streamed)

    def _answer(self, plan: Plan, streamed: bool) -> None:
        if streamed:
            self._transport.write(_EVENTS)
            self._send_chunk(plan, 0)
        elif plan.status != 200:
            self._transport.write(error_reply(plan.status))
        else:
            self._transport.write(whole_reply(plan.reply, self._prompt_tokens))

    def _send_chunk(self, plan: Plan, number: int) -> None:
        """The chunks from `number` on: one now and the next after the gap, or all of them without one."""
        transport = self._transport
        while number < plan.chunks and not transport.is_closing():
            if number == plan.cut:
                transport.abort()
                return
            last = number == plan.chunks - 1
            transport.write(_framed(_CHUNK % (b" word%03d" % (number % 1000), b'"stop"' if last else b"null")))
            number += 1
            if plan.gap:
                self._timer = self._loop.call_later(plan.gap / 1000, self._send_chunk, plan, number)
                return
        asked, made = self._prompt_tokens, plan.chunks * 2
        transport.write(_framed(_USAGE % (asked, made, asked + made)) + b"0\r\n\r\n")


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def run(host: str, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(MockProvider, host, port, backlog=1024)
    async with server:
        print(f"mock provider on http://{host}:{server.sockets[0].getsockname()[1]}/v1", flush=True)
        await server.serve_forever()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, default=9001)
    options = arguments.parse_args()
    uvloop.run(run(options.host, options.port))


if __name__ == "__main__":
    main()
