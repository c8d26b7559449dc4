"""Gemini's fields have two spellings, its bytes two alphabets."""

import pytest

from gateway.dialects.fields import asked
from gateway.dialects.gemini.names import camel, standard_base64
from gateway.errors import InvalidRequest


def test_both_spellings_are_one_field_and_what_lies_deeper_is_left_alone() -> None:
    body = camel(asked({"top_k": {"snake_case": 1}, "topP": 2, "_response_json_schema": 3, "$defs": 4}))
    assert body.node == {"topK": {"snake_case": 1}, "topP": 2, "_responseJsonSchema": 3, "$defs": 4}


def test_a_field_in_both_spellings_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        camel(asked({"top_k": 1, "topK": 2}))
    assert refusal.value.param == "topK"


@pytest.mark.parametrize(("given", "standard"), [("-vv8_Q", "+vv8/Q=="), ("+vv8/Q==", "+vv8/Q=="), ("", "")])
def test_base64_comes_in_one_alphabet(given: str, standard: str) -> None:
    assert standard_base64(given) == standard
