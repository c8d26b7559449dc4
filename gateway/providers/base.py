"""The provider seam: make the upstream request, know the terminal and usage events, map the errors.

A provider never sees tokens, quotas, verdicts or the database. How bytes travel is the `Upstream`'s business: a
connection pool (`wire/upstream.py`) or, for the offline default, the process itself (`providers/echo.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from math import inf
from typing import Any, NamedTuple, Protocol

from gateway.dialects.base import ProviderDialect
from gateway.errors import Refusal
from gateway.exchange import Endpoint, Inbound, Json, ModelCall, Target, Usage
from gateway.wire.frames import Frames


class UpstreamFailed(Exception):
    """The upstream could not be reached, or broke off."""


class ConnectFailed(UpstreamFailed):
    """No connection in time, or refused: the request was never sent."""


class UpstreamCut(UpstreamFailed):
    """The connection ended, or sent what is not HTTP, before the reply was complete."""


class UpstreamSilent(UpstreamFailed):
    """Nothing came within the first-byte or idle timeout."""


class OutOfTime(UpstreamFailed):
    """The reply was not complete when the time of the whole call was over."""


class ReplyTooLarge(UpstreamFailed):
    """The reply is larger than we hold in memory."""


class UpstreamRequest(NamedTuple):
    """`path` is below the provider's base URL; header names are lower-case, credentials included."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class UpstreamReply(Protocol):
    """A reply whose head has arrived. Either `read` or `pump` is called, once; `abort` at any time, however often.

    `read` returns the whole body, or raises ReplyTooLarge beyond `max_bytes`.
    `pump` hands each piece of the body to `feed` as it arrives, without a task switch; where `feed` returns True (its
    reader is congested) reading stops until `drained()` returns. It returns when the body is complete.
    Both raise UpstreamCut, UpstreamSilent or OutOfTime. `abort` closes the connection: that tells the upstream to stop.
    """

    status: int
    headers: Mapping[str, str]

    async def read(self, max_bytes: int, idle_timeout_s: float) -> bytes: ...

    async def pump(
        self, feed: Callable[[bytes], bool], drained: Callable[[], Awaitable[None]], idle_timeout_s: float
    ) -> None: ...

    def abort(self) -> None: ...


class Upstream(Protocol):
    """Sends requests. Raises ConnectFailed, UpstreamCut, UpstreamSilent or OutOfTime until the head of the reply has
    arrived. Nobody waits for a request or its reply beyond `ends_at`, in the loop's time."""

    async def send(
        self, request: UpstreamRequest, first_byte_timeout_s: float, ends_at: float = inf
    ) -> UpstreamReply: ...

    async def close(self) -> None: ...


class StreamEvent(NamedTuple):
    """What a provider makes of one event of its stream. `forward` false: ours alone (injected usage). `finish`: the
    model is done (nothing is missing though the terminal event may yet come); `terminal`: the last event of all."""

    forward: bool = True
    finish: bool = False
    terminal: bool = False
    usage: Usage | None = None
    error: Refusal | None = None


class Conversations(NamedTuple):
    """How conversations of other dialects are put to a provider: its own dialect, what cuts its streams, and what makes
    a request of a body in that dialect (of the call only the frame counts: is it a stream?)."""

    dialect: ProviderDialect
    frames: Callable[[], Frames]
    request: Callable[[Json, Target, ModelCall, Inbound], UpstreamRequest]


class Provider(Protocol):
    """One dialect of upstream. Stateless; the endpoint is always one of `endpoints`, whose calls pass as they are.
    `conversations`: the way for those of other dialects, None where there is none."""

    endpoints: frozenset[Endpoint]
    conversations: Conversations | None

    def request(self, call: ModelCall, target: Target, inbound: Inbound) -> UpstreamRequest: ...

    def usage(self, endpoint: Endpoint, reply: Any) -> Usage | None:
        """The usage of a whole (parsed) reply; None unless both counts are plausible numbers."""
        ...

    def event(self, call: ModelCall, data: bytes) -> StreamEvent:
        """Judge one event of a stream; `data` is its data field. Called only for events that may matter."""
        ...

    def matters(self, event: bytes) -> bool:
        """Cheap and may err towards True: do these raw events hold usage, an error or the end, or look broken?"""
        ...

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
        """What an error reply of the upstream means for the client. The text is free of secrets."""
        ...
