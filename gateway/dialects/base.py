"""The dialect seam: how one wire format is read and written. Pure: JSON in, JSON out; no sockets, no clocks but one.

A client's dialect needs `read_request`, `write_reply` and `writer`; a provider's `write_request`, `read_reply` and
`reader`. Most have all six.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from gateway.dialects.neutral import ChatReply, ChatRequest, Delta
from gateway.exchange import Json


class BrokenReply(Exception):
    """A provider's reply is not what its dialect says. The text may be logged, and names no content."""


class StreamReader(Protocol):
    """Reads a provider's stream, one event at a time. MUST yield Begin first, End once, and nothing after End or
    Failed; MUST raise BrokenReply, never another exception, for what it can't read."""

    def read(self, data: bytes) -> Iterable[Delta]:
        """`data`: the data of one server-sent event, or one line or frame of JSON."""
        ...


class StreamWriter(Protocol):
    """Writes a client's stream. `write` returns whole server-sent events, or nothing yet. MUST hold back what the
    dialect says only once (its terminal events) until End, which gives `terminal`."""

    def write(self, delta: Delta) -> bytes: ...

    def terminal(self) -> bytes:
        """The last events, once End was written; they are sent when the call is on record."""
        ...


class ClientDialect(Protocol):
    """What a client may speak."""

    def read_request(self, body: Json) -> ChatRequest:
        """Raises InvalidRequest for what can't be carried over to another dialect."""
        ...

    def write_reply(self, reply: ChatReply, request: ChatRequest) -> Json: ...

    def writer(self, request: ChatRequest, *, wants_usage: bool) -> StreamWriter: ...


class ProviderDialect(Protocol):
    """What a provider may speak. `DROPPED`: by field of `ChatRequest` (or part), why it is left out when a call is
    written for this provider."""

    DROPPED: Mapping[str, str]

    def write_request(self, request: ChatRequest, model: str) -> Json:
        """The body for `model`. Raises InvalidRequest, naming the neutral field, for what may not be dropped."""
        ...

    def read_reply(self, reply: Json) -> ChatReply:
        """Raises BrokenReply."""
        ...

    def reader(self) -> StreamReader: ...
