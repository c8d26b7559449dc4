"""A stream on its way to the client: passed on as it arrives, metered on the way, its end held back.

A piece that holds nothing of interest is forwarded as it came, at the cost of one regular expression. Usage that the
client didn't ask for is taken out; the terminal event waits until the request is on record; a stream that ends without
saying so is an error, never an answer.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from math import inf

from gateway.count import count_reply
from gateway.downstream import Downstream
from gateway.errors import Refusal, UpstreamError
from gateway.exchange import Endpoint, Meter, ModelCall
from gateway.providers.base import OutOfTime, Provider, UpstreamFailed, UpstreamReply
from gateway.providers.usage import merge
from gateway.wire.sse import EventSplitter, EventTooLarge, data_of

FOLD_BYTES = 64 * 1024
"""Relayed bytes kept for our own count. Past that they are counted and dropped: memory per stream stays bounded."""

LINGER_S = 0.5
"""How long an upstream may keep the connection busy after its last event, while the client waits for that event."""

_ENDS_WITH_DONE = (Endpoint.CHAT, Endpoint.COMPLETIONS)
_DONE = b"data: [DONE]\n\n"


class StreamRelay:
    def __init__(
        self, call: ModelCall, provider: Provider, down: Downstream, meter: Meter, headers: Mapping[str, str]
    ) -> None:
        self._call = call
        self._provider = provider
        self._matters: Callable[[bytes], bool] = provider.matters
        self._down = down
        self._meter = meter
        self._headers = {**headers, "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        self._splitter = EventSplitter()
        self._unsent: list[bytes] = []
        self._last_event = b""
        self._finished = False
        self._begun = False
        self._error: Refusal | None = None
        self._patience = asyncio.timeout(None)

    async def run(self, reply: UpstreamReply, idle_timeout_s: float, ends_at: float = inf) -> None:
        """Pass the whole stream on, and give up at `ends_at`, whoever it is that is slow. Raises UpstreamError when it
        is cut, broken or says that it failed."""
        until = ends_at if ends_at < inf else None
        self._patience = asyncio.timeout_at(until)
        try:
            async with self._patience:
                await reply.pump(self._feed, self._drained, idle_timeout_s)
        except EventTooLarge as error:
            raise UpstreamError("The model's provider sent an event that is too large.") from error
        except UpstreamFailed:
            if not self._last_event:  # after that, nothing is missing
                raise
        except TimeoutError as error:
            if not self._last_event:
                raise OutOfTime("the stream went on beyond the end of the call") from error
        self._take_rest()
        if not self._finished:
            raise UpstreamError("The model's provider broke off its answer.")
        self._meter.complete = True
        if self._unsent or not self._begun:
            await self._send_rest(until)
        self._down.hold(self._tail())

    def _tail(self) -> bytes:
        """What the client gets last, once the request is on record."""
        return self._last_event or (_DONE if self._call.endpoint in _ENDS_WITH_DONE else b"")

    async def _send_rest(self, until: float | None) -> None:
        try:
            async with asyncio.timeout_at(until):
                await self._drained()
        except TimeoutError as error:
            raise OutOfTime("the client did not take the stream before the end of the call") from error

    def _feed(self, piece: bytes) -> bool:
        """Called for each piece as it comes in; True asks for a pause until `_drained` returns."""
        if self._last_event:
            return False
        if self._meter.first_byte_at is None:
            self._meter.first_byte_at = time.perf_counter()
        if self._splitter.whole(piece) and not self._matters(piece):
            return self._pass_on(piece)
        congested = self._take(self._splitter.feed(piece))
        if self._last_event:
            self._patience.reschedule(asyncio.get_running_loop().time() + LINGER_S)
        return congested

    def _take_rest(self) -> None:
        """The last event may come without its blank line."""
        if (rest := self._splitter.rest) and not self._last_event:
            self._take([rest.rstrip(b"\r\n") + b"\n\n"])

    def _take(self, events: list[bytes]) -> bool:
        """Pass on what is the client's, up to the event that ends the stream or fails it."""
        forwarded, matters = [], self._matters
        for event in events:
            if not matters(event) or self._is_for_the_client(event):
                forwarded.append(event)
            elif self._last_event or self._error is not None:
                break
        congested = bool(forwarded) and self._pass_on(b"".join(forwarded))
        if self._error is not None:
            raise self._error
        return congested

    def _is_for_the_client(self, event: bytes) -> bool:
        """Judge an event that may matter; note what it says."""
        data = data_of(event)
        if not data:  # a comment
            return True
        judged = self._provider.event(self._call, data)
        if judged.usage is not None:
            self._meter.usage = merge(self._meter.usage, judged.usage)
        self._error = judged.error
        self._finished = self._finished or judged.finish
        if judged.terminal:
            self._last_event = event
            return False
        return judged.forward and judged.error is None

    def _pass_on(self, data: bytes) -> bool:
        meter = self._meter
        meter.relayed.append(data)
        meter.relayed_bytes += len(data)
        if meter.relayed_bytes > FOLD_BYTES:
            meter.counted_tokens += count_reply(b"".join(meter.relayed))
            meter.relayed.clear()
            meter.relayed_bytes = 0
        if self._begun:
            return self._down.send(data)
        self._unsent.append(data)
        return True

    async def _drained(self) -> None:
        if not self._begun:
            await self._down.begin(self._headers)
            self._begun = True
        if self._unsent:
            unsent, self._unsent = b"".join(self._unsent), []
            self._down.send(unsent)
        await self._down.drained()
