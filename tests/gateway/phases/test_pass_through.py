"""What is asked for passes as it was made, and says what it cost; nothing else passes."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from gateway.errors import UpstreamError
from gateway.exchange import Endpoint, Meter, Usage
from gateway.phases.relay import Relay
from gateway.providers.base import UpstreamCut
from gateway.routing.types import ON_ILLNESS, Plan
from tests.gateway.media import FORM, media_call, media_inbound
from tests.gateway.phases.test_relay import Calls
from tests.gateway.scripted import JSON, ListDownstream, ScriptedReply, ScriptedUpstream, Step

HEARD = Endpoint.TRANSCRIPTIONS
TEXT = {"content-type": "text/plain; charset=utf-8"}


async def relayed(
    endpoint: Endpoint, *steps: Step, headers: Mapping[str, str] = JSON, **changes: Any
) -> tuple[ListDownstream, Meter, ScriptedUpstream]:
    upstream = ScriptedUpstream(ScriptedReply(*steps, headers=headers))
    calls, down, meter = Calls(upstream, retries=0), ListDownstream(), Meter()
    s = calls.world.services
    call, inbound = await media_call(endpoint, **changes), media_inbound(endpoint, **changes)
    await Relay(inbound, call, s, s.routing, down, meter, {"x": "y"}).run(Plan(calls.targets, [ON_ILLNESS]))
    await down.finish()
    return down, meter, upstream


async def test_images_pass_with_what_they_cost() -> None:
    body = orjson.dumps({"data": [{"b64_json": "A" * 100}], "usage": {"input_tokens": 5, "output_tokens": 1056}})
    down, meter, upstream = await relayed(Endpoint.IMAGES, body)
    assert (down.status, down.body, down.headers["content-type"]) == (200, body, "application/json")
    assert (meter.usage, meter.complete, meter.flags) == (Usage(5, 1056, image_output_tokens=1056), True, set())
    assert upstream.requests[0].path == "/images/generations"


async def test_a_unit_that_is_no_token_is_named() -> None:
    _, meter, _ = await relayed(HEARD, b'{"text":"x","usage":{"type":"duration","seconds":9}}')
    assert (meter.usage, meter.flags) == (Usage(9, 0, audio_tokens=9), {"unit:seconds"})


async def test_a_form_goes_to_the_provider_as_a_form() -> None:
    _, _, upstream = await relayed(HEARD, b'{"text":"x"}')
    request = upstream.requests[0]
    assert request.path == "/audio/transcriptions"
    assert [value for name, value in request.headers if name == "content-type"] == [FORM]
    assert ("authorization", "Bearer key-o") in request.headers
    assert request.body == await media_inbound(HEARD).read_body()


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "text/plain; charset=utf-8", "text/vtt", "text/srt", "application/x-subrip"],
)
async def test_a_transcript_may_be_text(kind: str) -> None:
    down, meter, _ = await relayed(HEARD, b"WEBVTT\n\n1", headers={"content-type": kind})
    assert (down.body, down.headers["content-type"]) == (b"WEBVTT\n\n1", kind)
    assert (meter.usage, meter.complete) == (None, True)


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("audio/mpeg", "audio/mpeg"),
        ("Audio/L16; rate=24000;channels=1", "audio/l16; rate=24000;channels=1"),
        ("application/octet-stream", "application/octet-stream"),
        ('audio/wav; x="<script>"', "audio/wav"),
    ],
)
async def test_speech_is_streamed_as_what_it_is(kind: str, shown: str) -> None:
    down, meter, _ = await relayed(Endpoint.SPEECH, b"\x00\xff", b"\x00", headers={"content-type": kind})
    assert (down.sent, down.headers["content-type"], down.committed) == (b"\x00\xff\x00", shown, True)
    assert meter.complete


async def test_speech_may_come_as_events() -> None:
    done = b'data: {"type":"speech.audio.done","usage":{"input_tokens":5,"output_tokens":7}}\n\n'
    delta = b'data: {"type":"speech.audio.delta","audio":"AAAA"}\n\n'
    down, meter, _ = await relayed(
        Endpoint.SPEECH, delta, done, headers={"content-type": "text/event-stream"}, stream_format="sse"
    )
    assert down.sent == delta + done
    assert meter.usage == Usage(5, 7, audio_output_tokens=7)


@pytest.mark.parametrize(
    ("endpoint", "kind"),
    [
        (Endpoint.SPEECH, "text/html"), (Endpoint.SPEECH, "text/plain"), (Endpoint.SPEECH, ""),
        (Endpoint.SPEECH, "text/event-stream"), (Endpoint.SPEECH, "image/svg+xml"), (HEARD, "text/html"),
        (HEARD, "audio/mpeg"), (Endpoint.IMAGES, "image/png"), (Endpoint.IMAGES, "text/plain"),
        (Endpoint.RERANK, "audio/x"),
    ],
)  # fmt: skip
async def test_no_other_kind_of_content_passes(endpoint: Endpoint, kind: str) -> None:
    with pytest.raises(UpstreamError, match="can't be passed on"):
        await relayed(endpoint, b"<script>alert(1)</script>", headers={"content-type": kind})


async def test_sound_that_breaks_off_is_an_upstreams_error() -> None:
    with pytest.raises(UpstreamError):
        await relayed(Endpoint.SPEECH, b"one", UpstreamCut("scripted"), headers={"content-type": "audio/mpeg"})


async def test_ranks_pass_with_what_they_cost() -> None:
    _, meter, _ = await relayed(Endpoint.RERANK, b'{"results":[],"meta":{"billed_units":{"search_units":1}}}')
    assert (meter.usage, meter.flags) == (Usage(1, 0), {"unit:searches"})
