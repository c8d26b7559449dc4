"""A stream on its way to the client: passed on as it arrives, metered on the way, its end held back.

A piece that holds nothing of interest is forwarded as it came, at the cost of one regular expression. Usage that the
client didn't ask for is taken out; the terminal event waits until the request is on record; a stream that ends without
saying so is an error, never an answer.
"""

import time
from collections.abc import Mapping

from gateway.count import count_reply
from gateway.downstream import Downstream
from gateway.errors import UpstreamError
from gateway.exchange import Endpoint, Meter, ModelCall
from gateway.providers.base import Provider, UpstreamReply
from gateway.providers.usage import merge
from gateway.wire.sse import EventSplitter, EventTooLarge, data_of

FOLD_BYTES = 64 * 1024
"""Relayed bytes kept for our own count. Past that they are counted and dropped: memory per stream stays bounded."""

_ENDS_WITH_DONE = (Endpoint.CHAT, Endpoint.COMPLETIONS)
_DONE = b"data: [DONE]\n\n"


class StreamRelay:
    def __init__(
        self, call: ModelCall, provider: Provider, down: Downstream, meter: Meter, headers: Mapping[str, str]
    ) -> None:
        self._call = call
        self._provider = provider
        self._down = down
        self._meter = meter
        self._headers = {**headers, "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        self._splitter = EventSplitter()
        self._unsent: list[bytes] = []
        self._held: list[bytes] = []
        self._finished = False

    async def run(self, reply: UpstreamReply, idle_timeout_s: float) -> None:
        """Pass the whole stream on. Raises UpstreamError when it is cut, broken or says that it failed."""
        try:
            await reply.pump(self._feed, self._drained, idle_timeout_s)
            if rest := self._splitter.rest:  # the last event came without its blank line
                self._unsent += self._events([rest.rstrip(b"\r\n") + b"\n\n"])
        except EventTooLarge as error:
            raise UpstreamError("The model's provider sent an event that is too large.") from error
        if not self._finished:
            raise UpstreamError("The model's provider broke off its answer.")
        self._meter.complete = True
        if self._unsent or not self._down.committed:
            await self._drained()
        if not self._held and self._call.endpoint in _ENDS_WITH_DONE:
            self._held.append(_DONE)
        self._down.hold(b"".join(self._held))

    def _feed(self, piece: bytes) -> bool:
        """Called for each piece as it comes in; True asks for a pause until `_drained` returns."""
        if self._meter.first_byte_at is None:
            self._meter.first_byte_at = time.perf_counter()
        if not self._held and self._splitter.whole(piece) and not self._provider.matters(piece):
            events = [piece]
        else:
            events = self._events(self._splitter.feed(piece))
        for event in events:
            self._note(event)
        if not self._down.committed:
            self._unsent += events
            return bool(events)
        return self._down.send(events[0] if len(events) == 1 else b"".join(events)) if events else False

    async def _drained(self) -> None:
        if not self._down.committed:
            await self._down.begin(self._headers)
        if self._unsent:
            unsent, self._unsent = b"".join(self._unsent), []
            self._down.send(unsent)
        await self._down.drained()

    def _events(self, events: list[bytes]) -> list[bytes]:
        """The events to forward now."""
        return [event for event in events if self._forwarded(event)]

    def _forwarded(self, event: bytes) -> bool:
        if self._held:
            self._held.append(event)
            return False
        data = data_of(event) if self._provider.matters(event) else b""
        if not data:  # plain content, or a comment
            return True
        judged = self._provider.event(self._call, data)
        if judged.usage is not None:
            self._meter.usage = merge(self._meter.usage, judged.usage)
        if judged.error is not None:
            raise judged.error
        self._finished = self._finished or judged.finish
        if judged.terminal:
            self._held.append(event)
            return False
        return judged.forward

    def _note(self, event: bytes) -> None:
        meter = self._meter
        meter.relayed.append(event)
        meter.relayed_bytes += len(event)
        if meter.relayed_bytes > FOLD_BYTES:
            meter.counted_tokens += count_reply(b"".join(meter.relayed))
            meter.relayed.clear()
            meter.relayed_bytes = 0
