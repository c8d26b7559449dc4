"""What images, speech, ranks and counts are read for, and what is held for them."""

from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.exchange import Endpoint, ModelCall
from gateway.phases.estimate import IMAGE_TOKENS, SPEECH_TOKENS_PER_CHARACTER
from gateway.phases.parse_media import MAX_DOCUMENTS
from tests.gateway.media import MEDIA, media_call, media_inbound


async def refused(endpoint: Endpoint, **changes: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        await media_call(endpoint, **changes)
    return caught.value


def held(call: ModelCall) -> tuple[int, int | None, int]:
    return call.input_tokens_estimate, call.max_output_tokens, call.choices


@pytest.mark.parametrize("endpoint", list(MEDIA))
async def test_a_body_is_forwarded_as_it_came(endpoint: Endpoint) -> None:
    call = await media_call(endpoint)
    assert call.raw == await media_inbound(endpoint).read_body()
    assert (call.model, call.form, call.stream) == ("m", None, False)
    assert await media_call(endpoint, task_id=7) == call._replace(
        raw=None, task_id=7, body_bytes=call.body_bytes + len(b',"task_id":7')
    )


async def test_for_each_image_the_most_output_of_its_route_is_held() -> None:
    assert held(await media_call(Endpoint.IMAGES, n=3, max_tokens=1)) == (3 + 4 + 2, None, 3)


async def test_images_are_edited_by_their_addresses_too() -> None:
    call = await media_call(
        Endpoint.IMAGE_EDITS,
        image=None,
        images=[{"image_url": "https://x/y"}] * 2,
        kind="application/json; charset=utf-8",
    )
    assert (call.form, call.max_output_tokens) == (None, None)
    assert call.raw is not None
    assert call.input_tokens_estimate >= 2 * IMAGE_TOKENS


async def test_speech_is_held_by_its_characters() -> None:
    said = "Grüße" * 100
    assert held(await media_call(Endpoint.SPEECH, input=said)) == (500, 500 * SPEECH_TOKENS_PER_CHARACTER, 1)


@pytest.mark.parametrize(
    ("said", "streams"),
    [({}, False), ({"stream_format": "audio"}, False), ({"stream_format": "sse"}, True), ({"stream": True}, True)],
)
async def test_speech_says_in_its_own_way_that_it_streams(said: dict[str, Any], streams: bool) -> None:
    assert (await media_call(Endpoint.SPEECH, **said)).stream is streams


async def test_ranks_are_held_by_what_is_read() -> None:
    few = await media_call(Endpoint.RERANK)
    many = await media_call(Endpoint.RERANK, documents=["x" * 400] * 10)
    assert few.max_output_tokens == many.max_output_tokens == 0
    assert few.input_tokens_estimate < 50 < 1_000 < many.input_tokens_estimate < 1_100


async def test_to_count_holds_nothing() -> None:
    assert held(await media_call(Endpoint.COUNT_TOKENS, max_tokens=50, n=3)) == (0, 0, 1)


@pytest.mark.parametrize(
    ("endpoint", "changes", "param"),
    [
        (Endpoint.IMAGES, {"prompt": None}, "prompt"),
        (Endpoint.IMAGES, {"model": None}, "model"),
        (Endpoint.IMAGES, {"n": 0}, "n"),
        (Endpoint.IMAGES, {"svg": {"model": "dear"}}, "svg.model"),
        (Endpoint.IMAGES, {"svg": {"Model": "dear"}}, "svg.model"),
        (Endpoint.IMAGES, {"SVG": {}}, "SVG"),
        (Endpoint.SPEECH, {"input": None}, "input"),
        (Endpoint.SPEECH, {"input": ["a"]}, "input"),
        (Endpoint.SPEECH, {"Stream_Format": "sse"}, "Stream_Format"),
        (Endpoint.RERANK, {"query": None}, "query"),
        (Endpoint.RERANK, {"query": {"text": "x"}}, "query"),
        (Endpoint.RERANK, {"documents": None}, "documents"),
        (Endpoint.RERANK, {"documents": []}, "documents"),
        (Endpoint.RERANK, {"documents": "x"}, "documents"),
        (Endpoint.RERANK, {"documents": ["x"] * (MAX_DOCUMENTS + 1)}, "documents"),
        (Endpoint.RERANK, {"Documents": ["x"]}, "Documents"),
        (Endpoint.COUNT_TOKENS, {"messages": []}, "messages"),
    ],
)
async def test_what_the_gateway_acts_on_is_checked(endpoint: Endpoint, changes: dict[str, Any], param: str) -> None:
    assert (await refused(endpoint, **changes)).param == param


async def test_a_drawing_may_say_how_it_is_thought_out() -> None:
    assert (await media_call(Endpoint.IMAGES, svg={"reasoning": {"effort": "low"}})).raw is not None
