"""Errors as Gemini's clients know them."""

import pytest

from gateway.dialects.gemini_error import write_error
from gateway.errors import InvalidApiKey, InvalidRequest, RateLimitExceeded, Refusal, RequestTooLarge, UpstreamError


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (InvalidApiKey("no"), "UNAUTHENTICATED"), (RateLimitExceeded("no"), "RESOURCE_EXHAUSTED"),
        (RequestTooLarge("no"), "INVALID_ARGUMENT"), (UpstreamError("no"), "UNAVAILABLE"),
    ],
)  # fmt: skip
def test_every_status_has_googles_name(refusal: Refusal, status: str) -> None:
    error = write_error(refusal)["error"]
    assert (error["code"], error["status"], error["message"]) == (refusal.status, status, "no")


def test_our_own_code_and_the_field_are_details() -> None:
    (info,) = write_error(InvalidRequest("no", param="contents[0]"))["error"]["details"]
    assert (info["reason"], info["metadata"]) == ("invalid_request_error", {"param": "contents[0]"})
