"""Which replies of status 200 are answers."""

import pytest

from gateway.cache.worth import is_an_answer


@pytest.mark.parametrize(
    ("body", "worth"),
    [
        (b'{"choices":[]}', True), (b'{"error":null,"status":"completed"}', True), (b'{"status":"incomplete"}', True),
        (b'{"error":{"message":"no"}}', False), (b'{"status":"failed"}', False), (b'{"status":"queued"}', False),
        (b'{"status":"in_progress"}', False), (b"[1]", False), (b"", False), (b"<html>", False),
    ],
)  # fmt: skip
def test_a_whole_reply(body: bytes, worth: bool) -> None:
    assert is_an_answer(body, b"", stream=False) is worth


@pytest.mark.parametrize(
    ("tail", "worth"),
    [
        (b"data: [DONE]\n\n", True), (b"", True), (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', True),
        (b'data: {"type":"response.completed","response":{"status":"completed","error":null}}\n\n', True),
        (b'event: response.failed\ndata: {"type":"response.failed","response":{"status":"failed"}}\n\n', False),
        (b'data: {"error":{"message":"no"}}\n\n', False),
    ],
)  # fmt: skip
def test_the_end_of_a_stream(tail: bytes, worth: bool) -> None:
    assert is_an_answer(b"data: 1\n\n", tail, stream=True) is worth
