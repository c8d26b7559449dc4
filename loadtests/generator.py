"""A load generator that is cheap enough to share a core with the mock provider: raw Protocols, closed loop.

Invariant: when `load` returns, every request it sent has been answered or has failed, so that CPU time divided by
their number leaves nothing out and counts nothing twice.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import httptools

TURN_TIMEOUT_S = 60.0


@dataclass(slots=True)
class Outcome:
    """What came of a turn of load. Latencies in seconds, to the end of the reply; `first` to its first byte of body."""

    done: int = 0
    failed: int = 0
    events: int = 0
    latencies: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Aim:
    """Where the load goes, and with which key."""

    host: str
    port: int
    key: str = ""
    path: str = "/v1/chat/completions"

    def request(self, body: bytes) -> bytes:
        head = (
            f"POST {self.path} HTTP/1.1\r\nhost: {self.host}:{self.port}\r\nauthorization: Bearer {self.key}\r\n"
            f"content-type: application/json\r\nuser-agent: load\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class _Caller(asyncio.Protocol):
    """One connection, which asks again as soon as it has been answered."""

    def __init__(self, requests: Iterator[bytes], until: float, most: int, outcome: Outcome) -> None:
        self._requests, self._until, self._left, self._outcome = requests, until, most, outcome
        self._parser = httptools.HttpResponseParser(self)
        self._sent_at = self._first_at = 0.0
        self._answered, self._kept = False, True
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._outcome.failed += 1
            self._end()
            return
        if self._answered:
            self._count()
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done():
            self._outcome.failed += 1
            self._end()

    def on_body(self, piece: bytes) -> None:
        if not self._first_at:
            self._first_at = time.perf_counter()
        self._outcome.events += piece.count(b"\ndata: ") + piece.startswith(b"data: ")

    def on_headers_complete(self) -> None:
        self._kept = self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        self._answered = True

    def _count(self) -> None:
        outcome, status, now = self._outcome, self._parser.get_status_code(), time.perf_counter()
        outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
        if status == 200:
            outcome.done += 1
            outcome.latencies.append(now - self._sent_at)
            outcome.first.append((self._first_at or now) - self._sent_at)
        else:
            outcome.failed += 1

    def _ask(self) -> None:
        now = time.perf_counter()
        if not self._kept:
            self._outcome.failed += 1  # a turn that loses its connections would measure connecting
        if now >= self._until or self._left == 0 or not self._kept:
            self._end()
            return
        self._answered, self._sent_at, self._first_at = False, now, 0.0
        self._left -= 1
        self._transport.write(next(self._requests))

    def _end(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)
        self._transport.abort()


async def load(
    aim: Aim, bodies: Iterator[bytes], *, connections: int, seconds: float = 3600.0, each: int = -1
) -> Outcome:
    """Keep `connections` busy for so many seconds, or until each has asked `each` times."""
    loop, outcome = asyncio.get_running_loop(), Outcome()
    requests = map(aim.request, bodies)
    until = time.perf_counter() + seconds
    callers = [_Caller(requests, until, each, outcome) for _ in range(connections)]
    for caller in callers:
        await loop.create_connection(lambda caller=caller: caller, aim.host, aim.port)  # type: ignore[misc]
    await asyncio.wait([caller.finished for caller in callers], timeout=seconds + TURN_TIMEOUT_S)
    outcome.failed += sum(not caller.finished.done() for caller in callers)
    return outcome
