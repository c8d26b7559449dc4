"""Sound and images on their way: at once, uncounted, and never whole where they broke off."""

import pytest

from gateway.errors import Refusal, UpstreamError
from gateway.exchange import Endpoint, Meter, Usage
from gateway.phases.media_stream import MediaStream, SoundStream
from gateway.providers.base import UpstreamCut
from gateway.providers.openai import OpenAIProvider
from tests.gateway.media import media_call
from tests.gateway.scripted import ListDownstream, ScriptedReply, Step

DONE = b'data: {"type":"image_generation.completed","b64_json":"%b","usage":{"input_tokens":5,"output_tokens":7}}\n\n'
PARTIAL = b'data: {"type":"image_generation.partial_image","b64_json":"%b"}\n\n'


async def play(*steps: Step, sound: bool = False, congested: bool = False) -> tuple[ListDownstream, Meter]:
    down, meter = ListDownstream(congested=congested), Meter(answered=True)
    call = await media_call(Endpoint.SPEECH if sound else Endpoint.IMAGES, stream=True)
    provider = OpenAIProvider("")
    stream = (
        SoundStream(call, provider, down, meter, {"x": "y"}, "audio/mpeg")
        if sound
        else MediaStream(call, provider, down, meter, {"x": "y"})
    )
    await stream.run(ScriptedReply(*steps), 1)
    return down, meter


async def test_sound_leaves_as_it_comes_and_its_last_byte_waits() -> None:
    down, meter = await play(b"\x00one", b"two", b"\n\n", sound=True)
    assert (down.pieces, down.tail) == ([b"\x00on", b"etw", b"o\n"], b"\n")
    assert down.headers == {"x": "y", "content-type": "audio/mpeg"}
    assert (meter.complete, meter.usage, meter.relayed, meter.relayed_bytes) == (True, None, [], 8)
    assert meter.first_byte_at is not None


async def test_sound_goes_at_the_pace_of_who_listens() -> None:
    down, _ = await play(b"one", b"two", sound=True, congested=True)
    assert down.drains >= 2


async def test_a_sound_of_one_byte_has_a_head_and_a_tail() -> None:
    down, _ = await play(b"x", sound=True)
    assert (down.status, down.pieces, down.tail) == (200, [], b"x")


async def test_no_sound_at_all_is_no_answer() -> None:
    with pytest.raises(UpstreamError):
        await play(sound=True)


async def test_sound_that_breaks_off_is_not_complete() -> None:
    with pytest.raises(UpstreamCut):
        await play(b"one", UpstreamCut("scripted"), sound=True)


async def test_an_image_of_many_pieces_is_one_event_and_nothing_of_it_is_kept() -> None:
    large = PARTIAL % (b"A" * 3_000_000)
    pieces = [large[i : i + 65_536] for i in range(0, len(large), 65_536)]
    down, meter = await play(*pieces, DONE % b"B")
    assert down.sent == large
    assert down.tail == DONE % b"B"
    assert (meter.usage, meter.complete) == (Usage(5, 7, image_output_tokens=7), True)
    assert (meter.relayed, meter.counted_tokens, meter.relayed_bytes) == ([], 0, len(large))


async def test_images_that_nobody_said_were_the_last_are_broken_off() -> None:
    with pytest.raises(UpstreamError, match="broke off"):
        await play(PARTIAL % b"A")


async def test_an_error_between_images_ends_them() -> None:
    with pytest.raises(Refusal, match="too rude"):
        await play(PARTIAL % b"A", b'event: error\ndata: {"type":"error","error":{"message":"too rude"}}\n\n')
