"""Gemini's stream, event by event."""

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.base import BrokenReply
from gateway.dialects.gemini.read_stream import reader
from gateway.dialects.neutral import (
    Begin,
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
    TokenLogprob,
    ToolBegin,
    ToolDelta,
    UsageDelta,
)
from gateway.exchange import Usage
from tests.gateway.dialects.hostile import ANY_JSON
from tests.gateway.dialects.mutations import mutations

USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 18}


def event(*parts: Any, finish: str | None = None, index: int | None = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": finish, "index": index}
    return {"candidates": [candidate], "responseId": "r1", "modelVersion": "gemini", **more}


def read(*events: Any) -> list[Delta]:
    reading = reader()
    return [delta for event in events for delta in reading.read(orjson.dumps(event))]


RICH = [
    event({"text": "Hm", "thought": True}, usageMetadata={"promptTokenCount": 10}),
    event({"text": "Let me "}), event({"text": "see.", "thoughtSignature": "c2ln"}),
    event({"inlineData": {"mimeType": "image/png", "data": "AA=="}}),
    event({"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"},
          {"functionCall": {"id": "b", "name": "g"}}),
    event({"text": ""}, finish="STOP", usageMetadata=USAGE),
]  # fmt: skip


def test_a_stream_is_read_in_order() -> None:
    assert read(*RICH) == [
        Begin("r1", "gemini"),
        ReasoningDelta("Hm"), TextDelta("Let me "), ReasoningDelta(signature="gemini:c2ln"), TextDelta("see."),
        MediaDelta(Media(MediaKind.IMAGE, "image/png", "AA==")),
        ToolBegin(0, "a", "f", signature="gemini:c2ln"), ToolDelta(0, '{"x":1}'), ToolBegin(1, "b", "g"),
        ToolDelta(1, "{}"), Stop(StopReason.TOOL_USE), UsageDelta(Usage(10, 8, 0, 3)), End(),
    ]  # fmt: skip


def test_nothing_comes_after_the_end() -> None:
    assert read(*RICH, *RICH) == read(*RICH)


def test_calls_without_ids_get_different_ones() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    ids = [delta.id for delta in read(event(call), event(call)) if isinstance(delta, ToolBegin)]
    assert len(set(ids)) == 2
    assert all(ids)


def test_candidates_that_run_side_by_side_end_one_by_one() -> None:
    deltas = read(
        {"candidates": [{"index": 0, "content": {"parts": [{"text": "a"}]}},
                        {"index": 1, "content": {"parts": [{"text": "b"}]}}]},
        event(finish="STOP", index=1), event({"text": "c"}, finish="MAX_TOKENS", index=0),
    )  # fmt: skip
    assert deltas == [
        Begin("", ""), TextDelta("a", 0), TextDelta("b", 1), Stop(StopReason.END, choice=1), TextDelta("c", 0),
        Stop(StopReason.LENGTH, choice=0), End(),
    ]  # fmt: skip


def test_log_probabilities_come_with_their_text() -> None:
    said = event({"text": "Hi"}, {"text": "!"})
    said["candidates"][0]["logprobsResult"] = {"chosenCandidates": [{"token": "Hi", "logProbability": -1}]}
    assert read(said)[1:] == [TextDelta("Hi", 0, (TokenLogprob("Hi", -1.0),)), TextDelta("!")]


def test_a_blocked_prompt_ends_at_once() -> None:
    assert read({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}) == [
        Begin("", ""), Stop(StopReason.CONTENT_FILTER), UsageDelta(Usage(4, 0)), End(),
    ]  # fmt: skip


def test_a_failure_ends_the_stream_and_tells_no_key() -> None:
    error = {"error": {"code": 503, "message": "Overloaded AIzaSyA123456", "status": "UNAVAILABLE"}}
    *_, last = read(event({"text": "a"}), error, event(finish="STOP"))
    assert isinstance(last, Failed)
    assert last.refusal.message == "Overloaded [redacted]"
    (silent,) = read({"error": "x"})
    assert isinstance(silent, Failed)


@pytest.mark.parametrize(
    "events",
    [
        ["text"],
        [None],
        [{"candidates": 1}],
        [event({"functionCall": {}})],
        [event({"functionCall": {"name": "f", "args": []}})],
        [event(finish="MALFORMED_FUNCTION_CALL")],
        [event(index=-1)],
        [{"candidates": [{"index": 0}, {"index": 1, "finishReason": "STOP"}]}, event({"text": "a"}, index=1)],
    ],
)
def test_what_is_no_such_stream_is_broken(events: list[Any]) -> None:
    with pytest.raises(BrokenReply):
        read(*events)


@pytest.mark.parametrize("data", [b"", b"[DONE]", b'{"candidates"', b"\xff"])
def test_what_is_not_json_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenReply):
        list(reader().read(data))


def test_whatever_is_wrong_in_any_event_is_read_or_broken() -> None:
    for i, said in enumerate(RICH):
        for _, wrong in mutations(said):
            with contextlib.suppress(BrokenReply):
                read(*RICH[:i], wrong, *RICH[i + 1 :])


@given(st.lists(ANY_JSON | st.sampled_from(RICH), max_size=8))
def test_any_events_are_read_or_broken(events: list[Any]) -> None:
    try:
        deltas = read(RICH[0], *events)
    except BrokenReply:
        return
    assert isinstance(deltas[0], Begin)
    assert not [delta for delta in deltas[:-1] if isinstance(delta, End | Failed)]
