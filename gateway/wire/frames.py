"""How a provider's stream is cut into documents: server-sent events, lines of JSON, or AWS's event stream.

Pure, and bounded: however the bytes are cut on their way, the documents are the same.
"""

from collections.abc import Iterator
from typing import Protocol

from gateway.wire.eventstream import DamagedStream, MessageSplitter, as_json
from gateway.wire.sse import EventSplitter, EventTooLarge, data_of

MAX_LINE_BYTES = 1 << 20


class Frames(Protocol):
    """`feed` returns the documents that `data` completes; `rest` those that only the end of the stream completes. Both
    raise EventTooLarge or DamagedStream, after which the stream is of no more use."""

    content_type: str

    def feed(self, data: bytes) -> Iterator[bytes]: ...

    def rest(self) -> Iterator[bytes]: ...


class EventFrames:
    content_type = "text/event-stream"

    def __init__(self) -> None:
        self._splitter = EventSplitter()

    def feed(self, data: bytes) -> Iterator[bytes]:
        return filter(None, map(data_of, self._splitter.feed(data)))

    def rest(self) -> Iterator[bytes]:
        """The last event may come without its blank line."""
        return filter(None, [data_of(self._splitter.rest)])


class LineFrames:
    content_type = "application/x-ndjson"

    def __init__(self) -> None:
        self._begun = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        *lines, rest = data.split(b"\n")
        if lines and self._begun:
            lines[0] = bytes(self._begun) + lines[0]
            self._begun.clear()
        self._begun += rest
        if len(self._begun) > MAX_LINE_BYTES or (lines and max(map(len, lines)) > MAX_LINE_BYTES):
            raise EventTooLarge(f"a line of more than {MAX_LINE_BYTES} bytes")
        return filter(None, map(bytes.strip, lines))

    def rest(self) -> Iterator[bytes]:
        return filter(None, [bytes(self._begun).strip()])


class MessageFrames:
    content_type = "application/vnd.amazon.eventstream"

    def __init__(self) -> None:
        self._splitter = MessageSplitter()

    def feed(self, data: bytes) -> Iterator[bytes]:
        return map(as_json, self._splitter.feed(data))

    def rest(self) -> Iterator[bytes]:
        if self._splitter.rest:
            raise DamagedStream("the stream ends within a message")
        return iter(())
