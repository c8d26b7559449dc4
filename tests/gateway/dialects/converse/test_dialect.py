"""Converse's halves agree with each other, and with AWS's framing of a stream."""

import struct
import zlib

import orjson
import pytest

from gateway.dialects import converse
from gateway.dialects.base import ProviderDialect
from gateway.dialects.neutral import ChatRequest, Delta, End, Message, Role, Text, TextDelta, Tool
from gateway.errors import InvalidRequest
from gateway.wire.eventstream import MessageSplitter, as_json

DIALECT: ProviderDialect = converse


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        ("amazon.nova-lite-v1:0", False, "/model/amazon.nova-lite-v1%3A0/converse"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.x", True,
         "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x/converse-stream"),
    ],
)  # fmt: skip
def test_the_path_says_the_model_and_whether_it_streams(model: str, stream: bool, path: str) -> None:
    assert converse.path(model, stream=stream) == path


def test_an_answer_goes_back_as_it_came() -> None:
    message = {
        "role": "assistant",
        "content": [
            {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
            {"reasoningContent": {"redactedContent": "aGlkZGVu"}},
            {"text": "Let me look."},
            {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Oslo"}}},
        ],
    }
    reply = DIALECT.read_reply({"output": {"message": message}, "stopReason": "tool_use"})
    messages = [Message(Role.USER, [Text("Weather?")]), Message(Role.ASSISTANT, reply.choices[0].parts)]
    model = "anthropic.claude-sonnet-4-20250514-v1:0"
    with pytest.raises(InvalidRequest, match="tools that were called"):
        DIALECT.write_request(ChatRequest("x", messages), model)
    body = DIALECT.write_request(ChatRequest("x", messages, tools=[Tool("weather")]), model)
    assert body["messages"][1] == message


def test_a_stream_is_read_from_its_frames() -> None:
    events = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}}),
    ]
    raw = b"".join(_frame(kind, orjson.dumps(payload)) for kind, payload in events)
    reader, splitter = DIALECT.reader(), MessageSplitter()
    got: list[Delta] = []
    for start in range(0, len(raw), 7):
        for message in splitter.feed(raw[start : start + 7]):
            got += reader.read(as_json(message))
    assert TextDelta("Hi") in got
    assert got[-1] == End()


def _frame(kind: str, payload: bytes) -> bytes:
    headers = b"\x0b:event-type\x07" + struct.pack(">H", len(kind)) + kind.encode()
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    whole = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def test_every_rule_of_what_is_dropped_has_a_reason() -> None:
    assert all(name.strip() and len(reason) > 10 for name, reason in DIALECT.DROPPED.items())
