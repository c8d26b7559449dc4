"""What is held grows with what a model reads, and with what comes back."""

from typing import Any

from gateway.exchange import Endpoint
from gateway.phases.estimate import IMAGE_TOKENS
from tests.gateway.scripted import make_call


def estimate(endpoint: Endpoint, **changes: Any) -> int:
    return make_call(endpoint, **changes).input_tokens_estimate


def test_the_estimate_grows_with_everything_the_model_reads() -> None:
    short = estimate(Endpoint.CHAT)
    long = estimate(Endpoint.CHAT, messages=[{"role": "user", "content": "x" * 4000}])
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]
    assert 1000 <= long <= 1020
    assert estimate(Endpoint.CHAT, tools=[{"d": "y" * 4000}]) >= short + 1000
    assert estimate(Endpoint.CHAT, messages=image) >= IMAGE_TOKENS
    assert estimate(Endpoint.CHAT, messages=[{"role": "user", "content": "漢" * 900}]) >= 900
    assert estimate(Endpoint.COMPLETIONS, prompt=list(range(500))) >= 500
    assert estimate(Endpoint.EMBEDDINGS, input=[[1] * 300, [2] * 300]) >= 600
