"""Streams of images, transcripts and sound on their way to the client. Their bytes say nothing about tokens, so none
are kept or counted: what they cost is told at their end, or known by what was asked."""

import re
import time
from collections.abc import Mapping

from gateway.downstream import Downstream
from gateway.exchange import Meter, ModelCall
from gateway.phases.stream import StreamRelay
from gateway.providers.base import Provider
from gateway.wire.sse import EventSplitter, every_event_ends

MAX_EVENT_BYTES = 32 * 1024 * 1024
"""An image is one event."""

_MATTERS = re.compile(
    rb'"(?:error"|usage"|finish_reason"|(?:transcript\.text|speech\.audio)\.done"|image_(?:generation|edit)\.completed")'
)


class MediaStream(StreamRelay):
    """Server-sent events, as in conversations, but large ones, with ends of their own."""

    def __init__(
        self, call: ModelCall, provider: Provider, down: Downstream, meter: Meter, headers: Mapping[str, str]
    ) -> None:
        super().__init__(call, provider, down, meter, headers)
        self._splitter = EventSplitter(MAX_EVENT_BYTES)
        self._matters = _may_matter

    def _pass_on(self, data: bytes) -> bool:
        self._meter.relayed_bytes += len(data)
        if self._begun:
            return self._down.send(data)
        self._unsent.append(data)
        return True


class SoundStream(MediaStream):
    """Bytes as they come, of the content type that they come as. The last one is held until the call is on record."""

    def __init__(
        self, call: ModelCall, provider: Provider, down: Downstream, meter: Meter, headers: Mapping[str, str], kind: str
    ) -> None:
        super().__init__(call, provider, down, meter, headers)
        self._headers = {**headers, "content-type": kind}
        self._held = b""

    def _feed(self, piece: bytes) -> bool:
        if self._meter.first_byte_at is None:
            self._meter.first_byte_at = time.perf_counter()
        data = self._held + piece
        self._held = data[-1:]
        return len(data) > 1 and self._pass_on(data[:-1])

    def _take_rest(self) -> None:
        """It ended as HTTP says that it would; a reply without a byte is none."""
        self._finished = bool(self._held)

    def _tail(self) -> bytes:
        return self._held


def _may_matter(events: bytes) -> bool:
    return _MATTERS.search(events) is not None or not every_event_ends(events, b"}")
