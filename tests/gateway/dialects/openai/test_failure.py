"""A failure inside a stream is the upstream's, and tells no secrets."""

from typing import Any

import pytest

from gateway.dialects.openai.failure import read_failure
from gateway.errors import UpstreamError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ({"message": "out of memory", "code": 500}, "out of memory"),
        ("out of memory", "out of memory"),
        ({"message": "bad key sk-abcdef0123456789"}, "bad key [redacted]"),
        ({"message": 5}, "The model's provider failed."),
        ({}, "The model's provider failed."),
        (None, "The model's provider failed."),
        ([], "The model's provider failed."),
    ],
)
def test_a_failure_says_what_the_server_said(error: Any, message: str) -> None:
    refusal = read_failure(error)
    assert isinstance(refusal, UpstreamError)
    assert refusal.message == message
