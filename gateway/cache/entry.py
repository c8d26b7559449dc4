"""A stored answer: what its first caller got, byte for byte, and the little that is needed to give it again.

What is read back is an entry only if it is whole and was stored under the very key it is asked by; anything else is
none. It is a guard against damage, not against somebody who may write to the store.
"""

import zlib
from typing import NamedTuple

import orjson

from gateway.exchange import Usage

_VERSION = 1
_SUM_BYTES = 8


class Entry(NamedTuple):
    """`tail`: the end of a stream, which waits for the log row. `target`: whose answer it is. `usage`: the upstream's
    word, None where it gave none. `at`: unix seconds."""

    body: bytes
    tail: bytes
    stream: bool
    content_type: str
    target: str
    usage: Usage | None
    at: float


def pack(entry: Entry, key: str) -> bytes:
    body, tail, stream, content_type, target, usage, at = entry
    head = orjson.dumps([_VERSION, key, stream, content_type, target, usage and [*usage], at, len(body), len(tail)])
    rest = b"%b\n%b%b" % (head, body, tail)
    return b"%08x%b" % (zlib.crc32(rest), rest)


def unpack(data: bytes, key: str) -> Entry | None:
    rest = data[_SUM_BYTES:]
    if data[:_SUM_BYTES] != b"%08x" % zlib.crc32(rest):
        return None
    head, _, answer = rest.partition(b"\n")
    try:
        version, stored_as, stream, content_type, target, usage, at, body_bytes, tail_bytes = orjson.loads(head)
        if (version, stored_as, body_bytes + tail_bytes) != (_VERSION, key, len(answer)):
            return None
        counted = Usage(*usage) if usage is not None else None
    except (ValueError, TypeError):  # the words of another release, or of nobody we know
        return None
    return Entry(answer[:body_bytes], answer[body_bytes:], stream, content_type, target, counted, at)
