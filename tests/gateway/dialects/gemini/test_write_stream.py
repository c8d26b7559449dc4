"""Gemini's stream as a client gets it, as events or as one array."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from gateway.dialects.fields import asked
from gateway.dialects.gemini.contents import read_contents
from gateway.dialects.gemini.read_stream import reader
from gateway.dialects.gemini.write_stream import writer
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
    Reasoning,
    ReasoningDelta,
    Stop,
    StopReason,
    Text,
    TextDelta,
    TokenLogprob,
    ToolBegin,
    ToolDelta,
    ToolUse,
    UsageDelta,
)
from gateway.errors import UpstreamError
from gateway.exchange import Usage

BEGIN = Begin("r1", "gemini")
STOP = Stop(StopReason.END)
USAGE = UsageDelta(Usage(25, 9, 20, 4))


def write(*deltas: Delta, as_array: bool = False) -> bytes:
    writing = writer(ChatRequest("asked", ()), wants_usage=False, as_array=as_array)
    return b"".join(map(writing.write, deltas)) + (writing.terminal() if End() in deltas else b"")


def events(stream: bytes) -> list[Any]:
    return [orjson.loads(event.removeprefix(b"data: ")) for event in stream.split(b"\n\n")[:-1]]


def parts(*deltas: Delta) -> list[Any]:
    said = events(write(BEGIN, *deltas, STOP, End()))
    return [part for event in said for part in event["candidates"][0]["content"]["parts"]]


def test_a_stream_is_written_event_by_event_and_tells_usage_last() -> None:
    stream = write(BEGIN, TextDelta("Hel"), TextDelta(""), TextDelta("lo"), STOP, USAGE, End())
    head = {"modelVersion": "gemini", "responseId": "r1"}
    assert events(stream) == [
        {"candidates": [{"content": {"parts": [{"text": "Hel"}], "role": "model"}, "index": 0}], **head},
        {"candidates": [{"content": {"parts": [{"text": "lo"}], "role": "model"}, "index": 0}], **head},
        {"candidates": [{"content": {"parts": [{"text": ""}], "role": "model"}, "index": 0, "finishReason": "STOP"}],
         "usageMetadata": {"promptTokenCount": 25, "candidatesTokenCount": 5, "thoughtsTokenCount": 4,
                           "cachedContentTokenCount": 20, "totalTokenCount": 34}, **head},
    ]  # fmt: skip


def test_the_last_event_waits_for_the_end() -> None:
    writing = writer(ChatRequest("asked", ()), wants_usage=True)
    told: list[Delta] = [BEGIN, Stop(StopReason.LENGTH), USAGE, End()]
    assert not b"".join(map(writing.write, told))
    (last,) = events(writing.terminal())
    assert last["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_calls_are_held_until_they_are_whole() -> None:
    writing = writer(ChatRequest("asked", ()), wants_usage=True)
    mixed: list[Delta] = [
        BEGIN, ToolBegin(0, "a", "f", signature="gemini:c2ln"), ToolBegin(1, "b", "g"), ToolDelta(0, '{"x":'),
        ToolDelta(1, '{"y":2}'), ToolDelta(0, "1}"), ToolDelta(7, "lost"),
    ]  # fmt: skip
    assert not b"".join(map(writing.write, mixed))
    said = events(writing.write(Stop(StopReason.TOOL_USE)))
    assert [event["candidates"][0]["content"]["parts"] for event in said] == [
        [{"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"}],
        [{"functionCall": {"id": "b", "name": "g", "args": {"y": 2}}}],
    ]


def test_broken_arguments_are_told_at_the_end() -> None:
    said = events(write(BEGIN, ToolBegin(0, "a", "f"), ToolDelta(0, '{"x":'), Stop(StopReason.TOOL_USE), End()))
    assert said[-1]["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"


def test_anothers_thoughts_come_back_whole_when_the_client_returns_them() -> None:
    said = parts(
        ReasoningDelta("H"), ReasoningDelta("m"), ReasoningDelta(signature="anthropic:s"), ReasoningDelta("more"),
        ReasoningDelta(signature="anthropic:t"), TextDelta("Hi"), ReasoningDelta(redacted="anthropic:r"),
        ToolBegin(0, "a", "f"),
    )  # fmt: skip
    (message,) = read_contents(asked({"contents": [{"role": "model", "parts": said}]}))
    assert message.parts == (
        Reasoning("Hm", "anthropic:s"), Reasoning("more", "anthropic:t"), Text("Hi"), ToolUse("a", "f", "{}"),
    )  # fmt: skip


def test_other_parts_have_their_place() -> None:
    picture = MediaDelta(Media(MediaKind.IMAGE, "image/png", "AA=="))
    assert parts(picture, DeclineDelta("No."))[:2] == [
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
        {"text": "No."},
    ]
    (first, _) = events(write(TextDelta("Hi", 0, [TokenLogprob("Hi", -1.0, [("Hi", -1.0)])]), End()))
    assert first["candidates"][0]["logprobsResult"] == {
        "chosenCandidates": [{"token": "Hi", "logProbability": -1.0}],
        "topCandidates": [{"candidates": [{"token": "Hi", "logProbability": -1.0}]}],
    }
    assert first["modelVersion"] == "asked"


def test_several_choices_end_together() -> None:
    said = events(write(
        BEGIN, TextDelta("a", 0), TextDelta("b", 1), Stop(StopReason.LENGTH, choice=1), Stop(StopReason.END), End(),
    ))  # fmt: skip
    assert [(one["index"], one["finishReason"]) for one in said[-1]["candidates"]] == [(0, "STOP"), (1, "MAX_TOKENS")]


def test_without_sse_the_stream_is_one_array() -> None:
    assert len(orjson.loads(write(BEGIN, TextDelta("a"), TextDelta("b"), STOP, End(), as_array=True))) == 3
    assert len(orjson.loads(write(BEGIN, End(), as_array=True))) == 1


@pytest.mark.parametrize("as_array", [False, True])
def test_a_failure_is_the_last_event(as_array: bool) -> None:
    stream = write(BEGIN, TextDelta("a"), Failed(UpstreamError("broke off")), as_array=as_array)
    said = orjson.loads(stream) if as_array else events(stream)
    assert said[-1]["error"]["message"] == "broke off"
    alone = write(Failed(UpstreamError("broke off")), as_array=True)
    assert len(orjson.loads(alone)) == 1


def test_what_is_written_is_read_again() -> None:
    deltas: Sequence[Delta] = [
        BEGIN, ReasoningDelta("Hm"), ReasoningDelta(signature="gemini:c2ln"), TextDelta("So:"),
        ToolBegin(0, "a", "f"), ToolDelta(0, '{"x":1}'), Stop(StopReason.TOOL_USE), USAGE, End(),
    ]  # fmt: skip
    reading = reader()
    read = [delta for event in events(write(*deltas)) for delta in reading.read(orjson.dumps(event))]
    assert [delta if not isinstance(delta, UsageDelta) else USAGE for delta in read] == deltas
