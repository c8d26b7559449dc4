"""What an upstream's error means for the client, and what it must never tell."""

import time
from email.utils import formatdate

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import UpstreamDenied, UpstreamError, UpstreamRejected
from gateway.headers import refusal_headers
from gateway.providers.rejection import redact, rejection, retry_after_s


def body(**error: object) -> bytes:
    return orjson.dumps({"error": error})


@pytest.mark.parametrize("status", [400, 404, 413, 422, 429])
def test_what_is_meant_for_the_client_reaches_it(status: int) -> None:
    refusal = rejection(status, {}, body(message="m", type="t", code="c", param="p"))
    assert isinstance(refusal, UpstreamRejected)
    told = (refusal.status, refusal.message, refusal.type, refusal.code, refusal.param)
    assert told == (status, "m", "t", "c", "p")


@pytest.mark.parametrize(
    ("status", "code"), [(400, "invalid_request_error"), (404, "model_not_found"), (429, "rate_limit_exceeded")]
)
@pytest.mark.parametrize(
    "said", [b"", b"<html>", b"[]", b"null", b'"x"', b'{"error":[1]}', body(message=5, type=[], code={}, param=1)]
)
def test_an_unreadable_error_is_told_by_its_status(status: int, code: str, said: bytes) -> None:
    refusal = rejection(status, {}, said)
    assert (refusal.status, refusal.code) == (status, code)
    assert str(status) in refusal.message


def test_errors_come_in_several_shapes() -> None:
    assert rejection(400, {}, b'{"error":"as text"}').message == "as text"
    assert rejection(400, {}, b'{"message":"at the top"}').message == "at the top"


@pytest.mark.parametrize("code", ["x" * 65, "two words", "a\x1fb", "new\nline", ""])
def test_what_is_no_code_becomes_no_label(code: str) -> None:
    refusal = rejection(400, {}, body(message="m", code=code, type=code))
    assert refusal.code == refusal.type == "invalid_request_error"


@pytest.mark.parametrize("status", [401, 402, 403, 405, 301, 308])
def test_our_own_trouble_with_the_upstream_is_nobodys_business(status: int) -> None:
    refusal = rejection(status, {}, body(message="account acme-42 with key sk-123456 is closed"))
    assert type(refusal) is UpstreamDenied
    assert refusal.status == 502
    assert "acme" not in refusal.message


@pytest.mark.parametrize("status", [408, 409, 425, 500, 502, 503, 529])
def test_an_ill_upstream_may_be_asked_again(status: int) -> None:
    refusal = rejection(status, {"retry-after": "2"}, b"secret stack trace")
    assert type(refusal) is UpstreamError
    assert refusal.retry_after_s == 2
    assert "secret" not in refusal.message


@pytest.mark.parametrize(
    "secret",
    ["sk-proj-abc123DEF", "gf_abcdefgh", "AIzaSyA1234567", "xai-abcdefg", "gsk_abcdefg", "Bearer abc.def-ghi",
     "https://user:pass@host/"],
)  # fmt: skip
def test_keys_are_taken_out_of_messages(secret: str) -> None:
    told = redact(f"Incorrect key: {secret} was given")
    assert "[redacted]" in told
    assert secret not in told
    assert told.startswith("Incorrect key: ")


def test_messages_are_bounded() -> None:
    assert len(rejection(400, {}, body(message="x" * 100_000)).message) <= 2_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None), ({"retry-after": "7"}, 7), ({"retry-after": "1.5"}, 1.5), ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "100", "retry-after": "9"}, 0.1), ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "-5"}, None), ({"retry-after-ms": "-5"}, 0), ({"retry-after-ms": "nan"}, None),
        ({"retry-after-ms": "inf"}, 86_400), ({"retry-after": "9" * 400}, 86_400), ({"retry-after": "²"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "Wed, 21 Oct 99999 07:28:00 GMT"}, None),
    ],
)  # fmt: skip
def test_the_wait_is_read_from_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_a_date_to_wait_for_is_a_number_of_seconds() -> None:
    waits = retry_after_s({"retry-after": formatdate(time.time() + 30, usegmt=True)})
    assert waits is not None
    assert 28 <= waits <= 30


@given(st.integers(300, 599), st.text(max_size=30), st.text(max_size=30), st.binary(max_size=80))
@settings(max_examples=60, deadline=None)
def test_no_error_reply_raises(status: int, after: str, after_ms: str, said: bytes) -> None:
    for headers in ({"retry-after": after}, {"retry-after-ms": after_ms}):
        refusal = rejection(status, headers, said)
        assert refusal.status in (400, 404, 413, 422, 429, 502)
        assert all(value.isascii() for value in refusal_headers(refusal).values())
