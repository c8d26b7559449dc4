"""Log probabilities are the same after a round trip, and always JSON."""

import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.fields import answered
from gateway.dialects.neutral import TokenLogprob
from gateway.dialects.openai.logprobs import LEAST, read_logprobs, write_logprobs

PAIRS = st.tuples(st.text(max_size=4), st.floats(-50, 0))


@given(st.lists(st.builds(TokenLogprob, st.text(max_size=4), st.floats(-50, 0), st.lists(PAIRS, max_size=3))))
def test_what_is_written_reads_the_same(tokens: list[TokenLogprob]) -> None:
    assert read_logprobs([answered(token) for token in write_logprobs(tokens)]) == tokens


def test_a_token_comes_with_its_bytes() -> None:
    (written,) = write_logprobs([TokenLogprob("é", -1.0)])
    assert written == {"token": "é", "logprob": -1.0, "bytes": [195, 169], "top_logprobs": []}


def test_the_impossible_has_a_number() -> None:
    assert write_logprobs([TokenLogprob("x", -math.inf)])[0]["logprob"] == LEAST
