"""Anthropic's stream as a client gets it; the SDK's own types and its own accumulator judge it."""

from collections.abc import Sequence
from typing import Any

import httpx2
import orjson
import pytest
from anthropic import Anthropic, APIStatusError
from anthropic.types import Message as SdkMessage
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from gateway.dialects.messages.read_stream import reader
from gateway.dialects.messages.write_stream import writer
from gateway.dialects.neutral import (
    Begin,
    ChatRequest,
    DeclineDelta,
    Delta,
    End,
    Failed,
    Media,
    MediaDelta,
    MediaKind,
    ReasoningDelta,
    Stop,
    StopReason,
    TextDelta,
    ToolBegin,
    ToolDelta,
    UsageDelta,
)
from gateway.errors import UpstreamError
from gateway.exchange import Usage

BEGIN = Begin("msg_1", "claude")
USAGE = UsageDelta(Usage(25, 9, 20, 4))
EVENTS: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def write(*deltas: Delta) -> bytes:
    writing = writer(ChatRequest("asked", ()), wants_usage=False)
    return b"".join(map(writing.write, deltas)) + (writing.terminal() if End() in deltas else b"")


def events(stream: bytes) -> list[Any]:
    """The events' data, each checked against its name and the SDK's types."""
    read = []
    for event in stream.decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        said = orjson.loads(data.removeprefix("data: "))
        assert name == f"event: {said['type']}"
        if said["type"] != "error":
            EVENTS.validate_python(said, strict=True)
        read.append(said)
    return read


def accumulated(stream: bytes) -> SdkMessage:
    """What the unmodified SDK makes of the stream."""
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    )
    with (
        httpx2.Client(transport=transport) as http,
        Anthropic(api_key="k", base_url="http://gateway", http_client=http, max_retries=0) as client,
        client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as stream_of,
    ):
        return stream_of.get_final_message()


def content(*deltas: Delta) -> list[Any]:
    message = accumulated(write(BEGIN, *deltas, Stop(StopReason.END), USAGE, End()))
    return [{k: v for k, v in block.items() if v is not None} for block in message.model_dump()["content"]]


def test_a_stream_is_written_event_by_event() -> None:
    stream = write(BEGIN, TextDelta("Hel"), TextDelta("lo"), Stop(StopReason.END), USAGE, End())
    assert [event["type"] for event in events(stream)] == [
        "message_start", "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",
        "message_delta", "message_stop",
    ]  # fmt: skip
    assert accumulated(stream).model_dump(exclude_none=True) == {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hello"}],
        "usage": {"input_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 20,
                  "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}},
    }  # fmt: skip


def test_the_last_events_wait_for_the_end() -> None:
    writing = writer(ChatRequest("asked", ()), wants_usage=True)
    said = [writing.write(delta) for delta in (BEGIN, TextDelta("a"), Stop(StopReason.LENGTH), USAGE, End())]
    assert b"message_delta" not in b"".join(said)
    assert [event["type"] for event in events(writing.terminal())] == ["message_delta", "message_stop"]


def test_thoughts_text_and_calls_are_blocks_of_their_own() -> None:
    assert content(
        ReasoningDelta("H"), ReasoningDelta("m"), ReasoningDelta(signature="anthropic:s"), ReasoningDelta("again"),
        ReasoningDelta(redacted="anthropic:r"), TextDelta("So:"), ToolBegin(0, "a", "f"), ToolDelta(0, '{"x":'),
        ToolDelta(0, "1}"), ToolBegin(1, "b", "g"), TextDelta(""),
    ) == [
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "thinking", "thinking": "again", "signature": ""},
        {"type": "redacted_thinking", "data": "r"},
        {"type": "text", "text": "So:"},
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}},
    ]  # fmt: skip


def test_a_call_that_is_whole_is_closed_before_the_next_begins() -> None:
    stream = write(BEGIN, ToolBegin(0, "a", "f"), ToolDelta(0, "{}"), ToolBegin(1, "b", "g"), ToolDelta(1, "{}"), End())
    assert [(event["type"], event["index"]) for event in events(stream) if "index" in event] == [
        ("content_block_start", 0), ("content_block_delta", 0), ("content_block_stop", 0),
        ("content_block_start", 1), ("content_block_delta", 1), ("content_block_stop", 1),
    ]  # fmt: skip
    assert events(stream)[-2]["delta"]["stop_reason"] == "tool_use"


def test_calls_whose_pieces_are_mixed_keep_apart() -> None:
    calls = content(
        ToolBegin(0, "a", "f"), ToolBegin(1, "b", "g"), ToolDelta(0, '{"x":'), ToolDelta(1, '{"y":'),
        ToolDelta(0, "1}"), ToolDelta(1, "2}"), ToolDelta(7, "lost"),
    )  # fmt: skip
    assert [call["input"] for call in calls] == [{"x": 1}, {"y": 2}]


def test_a_signed_call_has_its_signature_before_it() -> None:
    assert content(ToolBegin(0, "a", "f", signature="gemini:c2ln")) == [
        {"type": "thinking", "thinking": "", "signature": "gemini:c2ln"},
        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
    ]


def test_what_has_no_block_is_text() -> None:
    picture = MediaDelta(Media(MediaKind.IMAGE, "image/png", "AA=="))
    assert content(TextDelta("Look: "), picture) == [{"type": "text", "text": "Look: ![](data:image/png;base64,AA==)"}]
    stream = write(BEGIN, DeclineDelta("No."), Stop(StopReason.END), End())
    assert accumulated(stream).stop_reason == "refusal"


@pytest.mark.parametrize("reason", StopReason)
def test_every_reason_is_one_that_the_sdk_knows(reason: StopReason) -> None:
    assert accumulated(write(BEGIN, Stop(reason, "END"), End())).stop_reason is not None


def test_a_failure_reaches_the_sdk_with_its_words() -> None:
    stream = write(BEGIN, TextDelta("a"), Failed(UpstreamError("The model's provider broke off.")))
    assert events(stream)[-1]["error"]["type"] == "api_error"
    with pytest.raises(APIStatusError, match="broke off"):
        accumulated(stream)


def test_what_is_written_is_read_again() -> None:
    deltas: Sequence[Delta] = [
        BEGIN, ReasoningDelta("Hm"), ReasoningDelta(signature="anthropic:s"), TextDelta("So:"),
        ToolBegin(0, "a", "f"), ToolDelta(0, '{"x":1}'), Stop(StopReason.TOOL_USE), USAGE, End(),
    ]  # fmt: skip
    reading = reader()
    written = events(write(*deltas))
    assert [delta for event in written for delta in reading.read(orjson.dumps(event))] == deltas
