"""A provider that says what a test told it to say, over raw sockets, and keeps its own books of what it got and sent.

Runs in a thread of its own, so that blocking and async clients can both be tested against it.
"""

import asyncio
import contextlib
import io
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from python_multipart import parse_form
from python_multipart.multipart import Field, File


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived. Header names are lower-case."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """As JSON; of a form its fields, a file's as bytes."""
        kind = self.headers.get("content-type", "")
        return _form(kind, self.raw) if kind.startswith("multipart/") else json.loads(self.raw) if self.raw else None

    @property
    def model(self) -> str:
        """What is asked for: in the path of Gemini and of Bedrock, in the body elsewhere."""
        in_path = re.search(r"/models?/([^/:]+)[/:]", self.path)
        return unquote(in_path[1]) if in_path else self.body["model"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent: one piece is a whole body, several are a stream. `cut_after` so many pieces the connection is
    reset; `wait` is asked for before the head and after each piece."""

    pieces: Sequence[bytes]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    streamed: bool = False
    cut_after: int | None = None
    wait: Callable[[int], float] | None = None


Script = Callable[[Received], Answer]


@dataclass(slots=True)
class Entry:
    """A line of the books: `sent` pieces were handed to the network, all of them where `whole`."""

    received: Received
    answer: Answer
    sent: int = 0
    whole: bool = False


class ScriptedUpstream:
    """Answers by model: `script(model, *scripts)` are played in order, the last for ever."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._scripts: dict[str, list[Script]] = {}
        self._fallback: Script | None = None
        self._by_model: dict[str, list[Entry]] = defaultdict(list)

    def script(self, model: str, *scripts: Script) -> None:
        self._scripts[model] = list(scripts)

    def otherwise(self, script: Script) -> None:
        """For every model without a script."""
        self._fallback = script

    def of(self, model: str) -> list[Entry]:
        """What `model` was asked for, in order."""
        return list(self._by_model[model])

    @contextlib.contextmanager
    def running(self) -> Iterator["ScriptedUpstream"]:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="scripted-upstream", daemon=True)
        thread.start()
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=2048), loop
        ).result()
        self.host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.url = f"{self.host}/v1"
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._close(server), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    @staticmethod
    async def _close(server: asyncio.Server) -> None:
        server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (received := await _read(reader)) is not None:
                if not await self._answer(received, writer):
                    break
        writer.close()

    async def _answer(self, received: Received, writer: asyncio.StreamWriter) -> bool:
        if received.method == "GET":
            writer.write(_head(200, {}, len(_LISTING)) + _LISTING)
            return True
        model = received.model
        entry = Entry(received, self._next(model)(received))
        self.entries.append(entry)
        self._by_model[model].append(entry)
        return await _play(entry, writer)

    def _next(self, model: str) -> Script:
        scripts = self._scripts.get(model)
        if scripts is None:
            assert self._fallback is not None, f"nothing was scripted for {model}"
            return self._fallback
        return scripts.pop(0) if len(scripts) > 1 else scripts[0]


_LISTING = b'{"object":"list","data":[{"id":"listed-model","object":"model"}]}'


def _form(kind: str, raw: bytes) -> dict[str, str | bytes]:
    said: dict[str, str | bytes] = {}

    def on_field(field: Field) -> None:
        assert field.field_name is not None
        said[field.field_name.decode()] = (field.value or b"").decode()

    def on_file(file: File) -> None:
        assert file.field_name is not None
        file.file_object.seek(0)
        said[file.field_name.decode()] = file.file_object.read()

    parse_form({"Content-Type": kind.encode()}, io.BytesIO(raw), on_field, on_file)
    return said


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, path, _ = first.split(" ", 2)
    return Received(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def _play(entry: Entry, writer: asyncio.StreamWriter) -> bool:
    """Send the answer; whether the connection can go on."""
    answer = entry.answer
    await _pause(answer, 0)
    length = None if answer.streamed else sum(map(len, answer.pieces))
    writer.write(_head(answer.status, answer.headers, length))
    for piece in answer.pieces:
        if entry.sent == answer.cut_after:
            writer.transport.abort()
            return False
        entry.sent += 1
        writer.write(piece if length is not None else b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
        await _pause(answer, entry.sent)
    if length is None:
        writer.write(b"0\r\n\r\n")
    entry.whole = True
    return True


async def _pause(answer: Answer, after: int) -> None:
    if answer.wait is not None and (seconds := answer.wait(after)):
        await asyncio.sleep(seconds)


def _head(status: int, headers: Mapping[str, str], length: int | None) -> bytes:
    said = {"content-type": "application/json", **headers}
    said |= {"transfer-encoding": "chunked"} if length is None else {"content-length": str(length)}
    return (
        f"HTTP/1.1 {status} Scripted\r\n".encode()
        + b"".join(f"{name}: {value}\r\n".encode() for name, value in said.items())
        + b"\r\n"
    )
