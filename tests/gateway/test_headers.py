"""What a reply says about itself, and what it passes on."""

import pytest

from classifiers.base import Intent, Judgement, Misuse
from gateway.errors import InsufficientQuota, InternalError, InvalidRequest, RateLimitExceeded, UpstreamError
from gateway.exchange import Action, Endpoint, Exchange, Grant, Verdict
from gateway.headers import duration, refusal_headers, reply_headers, served_by
from tests.gateway.scripted import bearer, make_inbound


def test_a_bare_reply_says_its_id() -> None:
    openai, anthropic = Exchange(make_inbound()), Exchange(make_inbound(Endpoint.MESSAGES))
    assert reply_headers(openai) == {"server": "guardflow", "x-request-id": openai.inbound.request_id}
    assert reply_headers(anthropic)["request-id"] == anthropic.inbound.request_id


def test_limits_are_told_where_there_are_any() -> None:
    ex = Exchange(make_inbound(), grant=Grant(5, 60, 59, 1.5, None, None))
    told = {name: value for name, value in reply_headers(ex).items() if "ratelimit" in name}
    assert told == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1.5s",
    }
    ex.grant = (ex.grant or Grant(0))._replace(limit_tokens=100, remaining_tokens=0, reset_tokens_s=360)
    assert reply_headers(ex)["x-ratelimit-remaining-tokens"] == "0"
    assert reply_headers(ex)["x-ratelimit-reset-tokens"] == "6m0s"


def test_the_intent_is_told_and_the_times_only_to_who_asks() -> None:
    verdict = Verdict(Judgement(Intent("coding", 0.9), Misuse(0.1, "benign")), None, Action.ALLOW, None, False)
    ex = Exchange(make_inbound(), verdict=verdict)
    assert reply_headers(ex)["x-guardflow-intent"] == "coding"
    assert "server-timing" not in reply_headers(ex)
    inbound = make_inbound(headers=bearer(x_guardflow_debug="1"))._replace(started=1.0)
    asked = Exchange(inbound, ends=[1.001235, 1.501235])
    assert reply_headers(asked)["server-timing"] == "authenticate;dur=1.235, parse;dur=500.000"


def test_of_the_upstreams_headers_only_the_named_pass() -> None:
    upstream = {"openai-processing-ms": "7", "x-request-id": "theirs", "set-cookie": "a", "server": "b"}
    told = served_by({"x-request-id": "ours"}, "openai/gpt", upstream)
    assert told == {"x-request-id": "ours", "openai-processing-ms": "7", "x-guardflow-model": "openai/gpt"}


@pytest.mark.parametrize(("seconds", "header"), [(0, "1"), (0.2, "1"), (1, "1"), (1.01, "2"), (3600, "3600")])
def test_the_wait_is_in_whole_seconds_rounded_up(seconds: float, header: str) -> None:
    assert refusal_headers(RateLimitExceeded("x", retry_after_s=seconds))["retry-after"] == header


def test_sdks_are_told_not_to_try_what_cannot_help() -> None:
    assert refusal_headers(InsufficientQuota("x", param="daily_tokens")) == {
        "content-type": "application/json", "x-should-retry": "false", "x-guardflow-limit": "daily_tokens",
    }  # fmt: skip
    for refusal in (UpstreamError("x"), InternalError("x")):
        assert refusal_headers(refusal)["x-should-retry"] == "false"
    assert "x-should-retry" not in refusal_headers(RateLimitExceeded("x", param="rpm"))
    assert "x-guardflow-limit" not in refusal_headers(InvalidRequest("x", param="model"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (-1, "0ms"), (0.012, "12ms"), (1, "1s"), (1.5, "1.5s"), (10, "10s"), (59.9996, "60s"), (60, "1m0s"),
     (359.7, "6m0s"), (3661, "61m1s")],
)  # fmt: skip
def test_durations_are_written_as_openai_writes_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
