"""Every way to say no looks as its dialect wants it, and says no more than it should."""

from collections.abc import Iterator

import orjson
import pytest

from gateway import errors
from gateway.errors import Fault, InsufficientQuota, InternalError, Refusal, UpstreamRejected, render
from gateway.exchange import Dialect


def kinds(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for below in kind.__subclasses__():
        yield below
        yield from kinds(below)


def make(kind: type[Refusal]) -> Refusal:
    return UpstreamRejected("said", status=400) if kind is UpstreamRejected else kind("said")


@pytest.mark.parametrize("kind", list(kinds()))
def test_every_refusal_renders_in_every_dialect(kind: type[Refusal]) -> None:
    refusal = make(kind)
    openai = orjson.loads(render(refusal, Dialect.OPENAI, "req_1"))
    assert openai == {"error": {"message": "said", "type": refusal.type, "param": None, "code": refusal.code}}
    anthropic = orjson.loads(render(refusal, Dialect.ANTHROPIC, "req_1"))
    assert set(anthropic) == {"type", "error", "request_id"}
    assert anthropic["error"]["message"] == "said"
    assert anthropic["error"]["details"] == {"error_code": refusal.code}
    assert 400 <= refusal.status < 600
    assert isinstance(refusal.fault, Fault)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("InvalidRequest", 400, "invalid_request_error"), ("InvalidApiKey", 401, "invalid_api_key"),
        ("ThreadUnsupported", 400, "thread_unsupported_request"),
        ("UserBlocked", 403, "user_blocked"), ("ModelNotAllowed", 403, "model_not_allowed"),
        ("MisuseBlocked", 403, "misuse_blocked"), ("IntentNotAllowed", 403, "intent_not_allowed"),
        ("ModelNotFound", 404, "model_not_found"), ("RequestTooLarge", 413, "request_too_large"),
        ("RateLimitExceeded", 429, "rate_limit_exceeded"), ("InsufficientQuota", 429, "insufficient_quota"),
        ("ClientGone", 499, "client_closed_request"), ("UpstreamError", 502, "upstream_error"),
        ("Overloaded", 503, "overloaded"), ("UpstreamTimeout", 504, "upstream_timeout"),
    ],
)  # fmt: skip
def test_status_and_code_are_a_promise(name: str, status: int, code: str) -> None:
    kind = getattr(errors, name)
    assert (kind.status, kind.code) == (status, code)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (404, "not_found_error"),
     (405, "invalid_request_error"), (413, "request_too_large"), (415, "invalid_request_error"),
     (429, "rate_limit_error"), (500, "api_error"), (502, "api_error"), (503, "overloaded_error"),
     (504, "timeout_error")],
)  # fmt: skip
def test_anthropics_types_go_by_the_status(status: int, kind: str) -> None:
    said = orjson.loads(render(UpstreamRejected("m", status=status, kind="theirs"), Dialect.ANTHROPIC, "r"))
    assert said["error"]["type"] == kind


def test_an_upstreams_own_words_are_kept_where_there_are_any() -> None:
    said = UpstreamRejected("m", status=429, kind="tokens", code="rate_limit", param="p", retry_after_s=3)
    assert (said.type, said.code, said.param, said.retry_after_s) == ("tokens", "rate_limit", "p", 3)
    unsaid = UpstreamRejected("m", status=400)
    assert (unsaid.type, unsaid.code) == ("invalid_request_error", "invalid_request_error")


def test_a_cause_is_never_shown() -> None:
    refusal = InternalError("Something went wrong.")
    refusal.__cause__ = ValueError("secret")
    for dialect in Dialect:
        assert b"secret" not in render(refusal, dialect, "r")


def test_sdks_are_told_to_leave_alone_what_time_alone_mends() -> None:
    assert InsufficientQuota.client_should_retry is InternalError.client_should_retry is False
    assert errors.RateLimitExceeded.client_should_retry is None
