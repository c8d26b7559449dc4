"""Which event is the last of a stream of images, speech or a transcript."""

from typing import Any

import orjson
import pytest

from gateway.errors import UpstreamError
from gateway.exchange import Endpoint, Usage
from gateway.providers.base import StreamEvent
from gateway.providers.media_events import media_event
from gateway.providers.openai import OpenAIProvider
from tests.gateway.media import media_call

USAGE = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}


@pytest.mark.parametrize(
    ("endpoint", "kind", "usage"),
    [
        (Endpoint.TRANSCRIPTIONS, "transcript.text.done", Usage(5, 7)),
        (Endpoint.SPEECH, "speech.audio.done", Usage(5, 7, audio_output_tokens=7)),
        (Endpoint.IMAGES, "image_generation.completed", Usage(5, 7, image_output_tokens=7)),
        (Endpoint.IMAGE_EDITS, "image_edit.completed", Usage(5, 7, image_output_tokens=7)),
    ],
)
async def test_the_last_event_says_what_it_cost(endpoint: Endpoint, kind: str, usage: Usage) -> None:
    call = await media_call(endpoint)
    assert media_event(call, {"type": kind, "usage": USAGE}) == StreamEvent(terminal=True, finish=True, usage=usage)
    silent = media_event(call, {"type": kind})
    assert silent == StreamEvent(terminal=True, finish=True)


async def test_of_several_images_none_is_known_to_be_the_last() -> None:
    judged = media_event(await media_call(Endpoint.IMAGES, n=2), {"type": "image_generation.completed"})
    assert judged == StreamEvent(finish=True)


@pytest.mark.parametrize("said", [{"type": "transcript.text.delta"}, {"type": ["x"]}, {}])
async def test_other_events_end_nothing(said: dict[str, Any]) -> None:
    assert media_event(await media_call(Endpoint.TRANSCRIPTIONS), said) is None


async def test_a_provider_knows_these_events_and_those_of_servers_that_stream_them_as_chats() -> None:
    provider, call = OpenAIProvider(""), await media_call(Endpoint.TRANSCRIPTIONS, stream="true")
    assert provider.event(call, orjson.dumps({"type": "transcript.text.done"})).terminal
    assert provider.event(call, b'{"choices":[{"finish_reason":"stop"}]}').finish
    assert provider.event(call, b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}') == StreamEvent(
        usage=Usage(1, 2)
    )
    assert provider.event(call, b"[DONE]").terminal
    failed = provider.event(call, b'{"type":"error","error":{"message":"no sound"}}').error
    assert isinstance(failed, UpstreamError)
    assert failed.message == "no sound"
