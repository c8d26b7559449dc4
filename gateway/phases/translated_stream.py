"""A stream on its way into another dialect: each of the provider's documents becomes what the client reads.

The rules are those of every stream: metered on the way, the end held back until the request is on record, an end that
nobody announced is an error.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from math import inf

import orjson

from gateway.dialects.base import BrokenReply
from gateway.dialects.neutral import Delta, End, Failed, Stop, UsageDelta
from gateway.downstream import Downstream
from gateway.exchange import Meter, ModelCall
from gateway.phases.stream import LINGER_S, StreamRelay
from gateway.providers.base import Provider, UpstreamReply
from gateway.providers.usage import merge
from gateway.translation import Translation, broken
from gateway.wire.eventstream import DamagedStream


class TranslatedStream(StreamRelay):
    def __init__(
        self, translation: Translation, kind: str, call: ModelCall, provider: Provider, down: Downstream, meter: Meter,
        headers: Mapping[str, str],
    ) -> None:  # fmt: skip
        """`kind`: the content type of the provider's stream."""
        super().__init__(call, provider, down, meter, headers)
        self._frames = translation.conversations.frames()
        self._reader = translation.provider.reader()
        self._writer = translation.writer()
        self._kind = kind

    async def run(self, reply: UpstreamReply, idle_timeout_s: float, ends_at: float = inf) -> None:
        if not self._kind.startswith(self._frames.content_type):
            raise broken()
        try:
            await super().run(reply, idle_timeout_s, ends_at)
        except (DamagedStream, orjson.JSONEncodeError) as error:
            raise broken() from error

    def _feed(self, piece: bytes) -> bool:
        if self._last_event:
            return False
        if self._meter.first_byte_at is None:
            self._meter.first_byte_at = time.perf_counter()
        congested = self._say(self._frames.feed(piece))
        if self._last_event:
            self._patience.reschedule(asyncio.get_running_loop().time() + LINGER_S)
        return congested

    def _take_rest(self) -> None:
        if not self._last_event:
            self._say(self._frames.rest())

    def _tail(self) -> bytes:
        """The dialect's last events; the provider may have ended without its own, once it had said why it stops."""
        if not self._last_event:
            self._writer.write(End())
            self._last_event = self._writer.terminal()
        return self._last_event

    def _say(self, documents: Iterable[bytes]) -> bool:
        """Pass on what `documents` say, up to the one that ends the stream or fails it."""
        said: list[bytes] = []
        try:
            for document in documents:
                said += [self._written(delta) for delta in self._reader.read(document)]
                if self._last_event or self._error is not None:
                    break
        except (BrokenReply, DamagedStream) as error:
            self._error = broken()
            self._error.__cause__ = error
        data = b"".join(said)
        congested = bool(data) and self._pass_on(data)
        if self._error is not None:
            raise self._error
        return congested

    def _written(self, delta: Delta) -> bytes:
        match delta:
            case Failed(refusal):
                self._error = refusal
                return b""
            case UsageDelta(usage):
                self._meter.usage = merge(self._meter.usage, usage)
            case Stop():
                self._finished = True
            case End():
                self._finished = True
                written = self._writer.write(delta)
                self._last_event = self._writer.terminal()
                return written
        return self._writer.write(delta)
