"""Log probabilities as both of OpenAI's dialects write them."""

import math
from collections.abc import Sequence

from gateway.dialects.fields import Fields
from gateway.dialects.neutral import TokenLogprob
from gateway.exchange import Json

LEAST = -9999.0
"""What OpenAI writes for a token that can't be: JSON has no infinity."""


def read_logprobs(tokens: Sequence[Fields]) -> list[TokenLogprob]:
    return [
        TokenLogprob(
            token.need_text("token"),
            token.need_number("logprob"),
            [(top.need_text("token"), top.need_number("logprob")) for top in token.children("top_logprobs")],
        )
        for token in tokens
    ]


def write_logprobs(tokens: Sequence[TokenLogprob]) -> list[Json]:
    return [
        {**_token(one.token, one.logprob), "top_logprobs": [_token(token, logprob) for token, logprob in one.top]}
        for one in tokens
    ]


def _token(token: str, logprob: float) -> Json:
    said = logprob if math.isfinite(logprob) else LEAST
    return {"token": token, "logprob": said, "bytes": list(token.encode("utf-8", "replace"))}
