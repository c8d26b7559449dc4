"""What a reply says that it costs: tokens where it can, else the unit billed, and nothing that can't be true."""

from typing import Any

import pytest

from gateway.exchange import Endpoint, Usage
from gateway.providers.bill import Bill, bill_of

IMAGES, HEARD, RANKS = Endpoint.IMAGES, Endpoint.TRANSCRIPTIONS, Endpoint.RERANK
TOKENS = {"input_tokens": 50, "output_tokens": 1056, "total_tokens": 1106}


@pytest.mark.parametrize(
    ("endpoint", "reply", "bill"),
    [
        (IMAGES, {"data": [{}], "usage": TOKENS}, Bill(Usage(50, 1056, image_output_tokens=1056))),
        (
            Endpoint.IMAGE_EDITS,
            {
                "usage": {
                    **TOKENS,
                    "input_tokens_details": {"image_tokens": 40, "text_tokens": 10},
                    "output_tokens_details": {"image_tokens": 1000, "text_tokens": 56},
                }
            },
            Bill(Usage(50, 1056, image_tokens=40, image_output_tokens=1000)),
        ),
        (
            IMAGES,
            {"usage": TOKENS, "svg_usage": {"input_tokens": 7, "output_tokens": 3, "reasoning_tokens": 2}},
            Bill(Usage(57, 1059, image_output_tokens=1056)),
        ),
        (Endpoint.IMAGE_VARIATIONS, {"data": [{}, {}]}, Bill(Usage(0, 2, image_output_tokens=2), "images")),
        (IMAGES, {"data": "x"}, None),
        (
            HEARD,
            {"text": "x", "usage": {"type": "tokens", **TOKENS, "input_token_details": {"audio_tokens": 44}}},
            Bill(Usage(50, 1056, audio_tokens=44)),
        ),
        (
            HEARD,
            {"usage": {**TOKENS, "input_token_details": {"audio_tokens": 99}}},
            Bill(Usage(50, 1056, audio_tokens=50)),
        ),
        (HEARD, {"usage": {"prompt_tokens": 4, "completion_tokens": 2}}, Bill(Usage(4, 2))),
        (HEARD, {"usage": {"type": "duration", "seconds": 8.2}}, Bill(Usage(9, 0, audio_tokens=9), "seconds")),
        (Endpoint.TRANSLATIONS, {"text": "x", "duration": 8}, Bill(Usage(8, 0, audio_tokens=8), "seconds")),
        (HEARD, {"text": "x"}, None),
        (HEARD, {"usage": {"seconds": -1}}, None),
        (HEARD, {"usage": {"seconds": "9"}, "duration": True}, None),
        (HEARD, {"usage": {"seconds": 1e300}}, None),
        (Endpoint.SPEECH, {"usage": TOKENS}, Bill(Usage(50, 1056, audio_output_tokens=1056))),
        (Endpoint.SPEECH, {"audio": "x"}, None),
        (RANKS, {"results": [], "meta": {"billed_units": {"search_units": 2}}}, Bill(Usage(2, 0), "searches")),
        (RANKS, {"results": [], "usage": {"total_tokens": 815}}, Bill(Usage(815, 0))),
        (RANKS, {"meta": {"billed_units": {"search_units": 0}}, "usage": {"total_tokens": 5}}, Bill(Usage(5, 0))),
        (RANKS, {"meta": {"billed_units": []}}, None),
        (RANKS, {"meta": "x", "usage": "y"}, None),
        (IMAGES, None, None),
        (HEARD, [], None),
        (RANKS, "x", None),
    ],
)
def test_what_is_told_is_read(endpoint: Endpoint, reply: Any, bill: Bill | None) -> None:
    assert bill_of(endpoint, reply) == bill
