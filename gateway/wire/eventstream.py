"""AWS event streams, pure: bytes to messages. However the bytes are cut on their way, the messages are the same.

A message is a prelude (its length, its headers' length, a checksum of both), headers, a payload and a checksum of all.
Invariant: a message comes out whole and undamaged, or the splitter raises; one over the limit is never waited for.
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import orjson

MAX_MESSAGE_BYTES = 1 << 20

_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_LENGTH = struct.Struct(">H")
_LEAST_BYTES = _PRELUDE.size + _CHECKSUM.size

HeaderValue: TypeAlias = bool | int | bytes | str


class DamagedStream(Exception):
    """These bytes are no event stream, or not the one that was sent. The text names no content."""


class Message(NamedTuple):
    headers: Mapping[str, HeaderValue]
    payload: bytes


class MessageSplitter:
    """Cuts a stream of bytes into messages. One per stream; after DamagedStream it is of no more use."""

    __slots__ = ("_buffer", "_max_bytes")

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._buffer = bytearray()
        self._max_bytes = max_message_bytes

    @property
    def rest(self) -> bytes:
        """The tail that is no complete message. At the end of a stream there must be none."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes."""
        self._buffer += data
        messages, start = [], 0
        while (length := self._next_length(start)) is not None and len(self._buffer) - start >= length:
            messages.append(_message(bytes(self._buffer[start : start + length])))
            start += length
        del self._buffer[:start]
        return messages

    def _next_length(self, start: int) -> int | None:
        """How long the message at `start` is; None until its prelude is there, and has been checked."""
        if len(self._buffer) - start < _PRELUDE.size:
            return None
        length, headers_length, checksum = _PRELUDE.unpack_from(self._buffer, start)
        # Before the lengths are believed: a flipped bit would have us wait for bytes that never come.
        if zlib.crc32(self._buffer[start : start + 8]) != checksum:
            raise DamagedStream("the checksum of a prelude is wrong")
        if length > self._max_bytes:
            raise DamagedStream(f"a message of more than {self._max_bytes} bytes")
        if length < _LEAST_BYTES + headers_length:
            raise DamagedStream("a message is shorter than its headers")
        return int(length)


def as_json(message: Message) -> bytes:
    """The message as one JSON object with one key, its type: `{"messageStop": {…}}`. That is how AWS's API writes the
    union that a stream is of. An error without a payload becomes `{"error": {"code": …, "message": …}}`."""
    headers = message.headers
    match headers.get(":message-type", "event"):
        case "event":
            name = headers.get(":event-type")
        case "exception":
            name = headers.get(":exception-type")
        case "error":
            said = {"code": headers.get(":error-code"), "message": headers.get(":error-message")}
            return orjson.dumps({"error": {key: value for key, value in said.items() if isinstance(value, str)}})
        case _:
            name = None
    if not isinstance(name, str):
        raise DamagedStream("a message does not say what it is")
    return b"{%b:%b}" % (orjson.dumps(name), message.payload or b"{}")


def _message(raw: bytes) -> Message:
    if zlib.crc32(raw[: -_CHECKSUM.size]) != _CHECKSUM.unpack_from(raw, len(raw) - _CHECKSUM.size)[0]:
        raise DamagedStream("the checksum of a message is wrong")
    end = _PRELUDE.size + _PRELUDE.unpack_from(raw)[1]
    try:
        headers = _headers(raw[_PRELUDE.size : end])
    except (struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
        raise DamagedStream("the headers of a message can't be read") from error
    return Message(headers, raw[end : -_CHECKSUM.size])


def _headers(raw: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    while at < len(raw):
        name, at = _sized(raw, at + 1, raw[at])
        value, at = _READERS[raw[at]](raw, at + 1)
        headers[name.decode()] = value
    return headers


def _sized(raw: bytes, at: int, length: int) -> tuple[bytes, int]:
    if at + length > len(raw):
        raise IndexError("a header runs over the end")
    return raw[at : at + length], at + length


def _number(form: str) -> Callable[[bytes, int], tuple[HeaderValue, int]]:
    packed = struct.Struct(form)
    return lambda raw, at: (packed.unpack_from(raw, at)[0], at + packed.size)


def _blob(raw: bytes, at: int) -> tuple[bytes, int]:
    return _sized(raw, at + _LENGTH.size, _LENGTH.unpack_from(raw, at)[0])


def _string(raw: bytes, at: int) -> tuple[HeaderValue, int]:
    value, at = _blob(raw, at)
    return value.decode(), at


_READERS: Mapping[int, Callable[[bytes, int], tuple[HeaderValue, int]]] = {
    0: lambda raw, at: (True, at),
    1: lambda raw, at: (False, at),
    2: _number(">b"),
    3: _number(">h"),
    4: _number(">i"),
    5: _number(">q"),
    6: _blob,
    7: _string,
    8: _number(">q"),  # a timestamp, in milliseconds
    9: lambda raw, at: _sized(raw, at, 16),  # a UUID
}
