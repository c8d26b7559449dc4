"""Images, sound, transcripts and ranks on their way to the client: as the provider made them, metered by their cost.

Only the content types of what was asked for pass: no page of a stranger's is ever shown as ours.
"""

import re
import time
from math import inf

import orjson

from gateway.config import DefaultsConfig
from gateway.downstream import Downstream
from gateway.errors import UpstreamError
from gateway.exchange import Endpoint, Meter, ModelCall
from gateway.phases.media_stream import MediaStream, SoundStream
from gateway.providers.base import Provider, UpstreamReply
from gateway.providers.bill import bill_of

JSON = "application/json"
_TRANSCRIPTS = frozenset(("text/plain", "text/vtt", "text/srt", "application/x-subrip"))
_SOUND = re.compile(r"audio/[a-z0-9.+-]+|application/octet-stream")
_WITH_PARAMETERS = re.compile(r"[a-z0-9.+/-]+(?:[ ]?;[ ]?[a-z0-9-]+=[a-z0-9.-]+)*")
_HEARD = (Endpoint.TRANSCRIPTIONS, Endpoint.TRANSLATIONS)


class PassThrough:
    """The reply to one call of UNIT_BILLED. `headers` are the client's, but for the content type."""

    def __init__(
        self, call: ModelCall, provider: Provider, down: Downstream, meter: Meter, headers: dict[str, str]
    ) -> None:
        self._call = call
        self._provider = provider
        self._down = down
        self._meter = meter
        self._headers = headers

    async def run(
        self, reply: UpstreamReply, content_type: str, defaults: DefaultsConfig, ends_at: float = inf
    ) -> None:
        """Raises UpstreamError for what can't be passed on, and what streams raise."""
        call, kind = self._call, content_type.partition(";")[0].strip()
        if call.stream and kind == "text/event-stream":
            stream = MediaStream(call, self._provider, self._down, self._meter, self._headers)
            await stream.run(reply, defaults.idle_timeout_s, ends_at)
        elif call.endpoint is Endpoint.SPEECH and _SOUND.fullmatch(kind):
            said = _shown(content_type, kind)
            sound = SoundStream(call, self._provider, self._down, self._meter, self._headers, said)
            await sound.run(reply, defaults.idle_timeout_s, ends_at)
        else:
            body = await reply.read(defaults.max_reply_bytes, defaults.idle_timeout_s)
            self._answer(reply.status, content_type, kind, body)

    def _answer(self, status: int, content_type: str, kind: str, body: bytes) -> None:
        """A whole reply: JSON, whatever it is called, or the text of a transcript."""
        meter = self._meter
        meter.first_byte_at = time.perf_counter()
        if self._call.endpoint in _HEARD and kind in _TRANSCRIPTS:
            said = _shown(content_type, kind)
        else:
            said = JSON
            self._bill(body)
        meter.relayed_bytes, meter.complete = len(body), True
        self._down.answer(status, {**self._headers, "content-type": said}, body)

    def _bill(self, body: bytes) -> None:
        try:
            reply = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise UpstreamError("The model's provider answered with something that can't be passed on.") from error
        bill = bill_of(self._call.endpoint, reply)
        if bill is not None:
            self._meter.usage = bill.usage
            if bill.unit is not None:
                self._meter.flags.add(f"unit:{bill.unit}")


def _shown(content_type: str, kind: str) -> str:
    """With its parameters, where those are plain: sound without a container says its rate there."""
    return content_type if _WITH_PARAMETERS.fullmatch(content_type) else kind
