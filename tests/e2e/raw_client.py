"""A client that is nothing but sockets: it can be a thousand at once, and leave in the middle of a word."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_CHUNK = re.compile(rb"([0-9a-fA-F]+)\r\n")


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back. `status` is None for whoever left before the head; `whole`: the reply came to its end, which for
    a stream is its terminal event."""

    status: int | None
    headers: Mapping[str, str]
    body: bytes
    whole: bool

    @property
    def request_id(self) -> str | None:
        return self.headers.get("x-request-id")

    @property
    def events(self) -> list[Any]:
        """The events of a stream that can be read, `[DONE]` left out."""
        found = []
        for data in re.findall(rb"^data: (.*)$", self.body, re.MULTILINE):
            try:
                found.append(json.loads(data))
            except json.JSONDecodeError:
                continue
        return found

    @property
    def words(self) -> int:
        """Content deltas that arrived."""
        choices = [event["choices"][0] for event in self.events if event.get("choices")]
        return sum(1 for choice in choices if choice.get("delta", {}).get("content"))


NOTHING = Heard(None, {}, b"", whole=False)


class Connection:
    """One connection, for one call."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, base_url: str) -> "Connection":
        address = urlsplit(base_url)
        return cls(*await asyncio.open_connection(address.hostname, address.port, limit=1 << 20))

    async def ask(
        self, token: str, body: Mapping[str, Any], *, path: str = "/v1/chat/completions", leave_after: int | None = None
    ) -> Heard:
        """Send and listen; with `leave_after`, reset the connection after so many bytes of the body, or with -1 before
        anything came. Raises ConnectionError or IncompleteReadError where the other side broke off."""
        try:
            self._writer.write(_request(path, token, json.dumps(body).encode()))
            if leave_after == -1:
                await self._writer.drain()
                return NOTHING
            head = await self._reader.readuntil(b"\r\n\r\n")
            status, headers = _head(head)
            if leave_after is not None:
                got = await self._some(leave_after)
                return Heard(status, headers, _body(headers, got), whole=_is_whole(headers, got))
            got = await self._reader.read()
            return Heard(status, headers, _body(headers, got), whole=_is_whole(headers, got))
        finally:
            self._writer.transport.abort()

    async def _some(self, size: int) -> bytes:
        try:
            return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            return error.partial


async def ask(base_url: str, token: str, body: Mapping[str, Any], **how: Any) -> Heard:
    """One call on a connection of its own."""
    return await (await Connection.open(base_url)).ask(token, body, **how)


def _request(path: str, token: str, body: bytes) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\nconnection: close\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split(" ", 2)[1]), headers


def _body(headers: Mapping[str, str], got: bytes) -> bytes:
    """The content of what came, as far as it came."""
    if headers.get("transfer-encoding") != "chunked":
        return got
    content, at = [], 0
    while (size := _CHUNK.match(got, at)) is not None:
        at = size.end() + int(size[1], 16)
        content.append(got[size.end() : at])
        at += 2
    return b"".join(content)


def _is_whole(headers: Mapping[str, str], got: bytes) -> bool:
    if headers.get("transfer-encoding") == "chunked":
        return b"data: [DONE]\n\n" in got
    return len(got) == int(headers.get("content-length", "-1"))
