"""The way back to a caller: an HTTP client, a workspace socket, an evaluation run, a test's list.

The last bytes of every reply are held until `finish`: they leave only when the log row is safe, so whoever has a whole
answer has been counted.
"""

from collections.abc import Mapping
from typing import Protocol

from gateway.errors import Refusal


class Downstream(Protocol):
    """`committed`: a stream has begun, there is no status line left to change.

    `begin` starts a stream; `send` passes bytes on without waiting and returns True when the reader is congested:
    `drained` then waits until it isn't. All three raise ClientGone when nobody reads any more.
    `answer` (a whole reply), `hold` (the last events of a stream) and `refuse` (an error in the caller's dialect: a
    whole reply, or an event when committed) only keep what `finish` sends. A stream that is not of events has no words
    for an error: it breaks off, so that nobody takes it for whole.
    """

    @property
    def committed(self) -> bool: ...

    async def begin(self, headers: Mapping[str, str]) -> None: ...

    def send(self, data: bytes) -> bool: ...

    async def drained(self) -> None: ...

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None: ...

    def hold(self, tail: bytes) -> None: ...

    def refuse(self, refusal: Refusal, headers: Mapping[str, str]) -> None: ...

    async def finish(self) -> None: ...
