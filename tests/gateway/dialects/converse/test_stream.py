"""A ConverseStream event by event, its failures, and what can't be one."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.base import BrokenReply
from gateway.dialects.converse.stream import reader
from gateway.dialects.neutral import (
    Begin,
    Delta,
    End,
    Failed,
    ReasoningDelta,
    Stop,
    StopReason,
    TextDelta,
    ToolBegin,
    ToolDelta,
    UsageDelta,
)
from gateway.exchange import Json, Usage
from tests.gateway.dialects.hostile import ANY_JSON, damaged

START: Json = {"messageStart": {"role": "assistant"}}
STOP: Json = {"messageStop": {"stopReason": "end_turn"}}
METADATA: Json = {"metadata": {"usage": {"inputTokens": 1, "outputTokens": 2, "cacheReadInputTokens": 3}}}


def delta(index: int = 0, **said: Any) -> Json:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": said}}


def start(index: int, **said: Any) -> Json:
    return {"contentBlockStart": {"contentBlockIndex": index, "start": said}}


def stop(index: int) -> Json:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def call(index: int, call_id: str = "t1", name: str = "weather") -> Json:
    return start(index, toolUse={"toolUseId": call_id, "name": name})


def read(*events: Json) -> list[Delta]:
    one = reader()
    return [said for event in events for said in one.read(orjson.dumps(event))]


def test_a_stream_is_read_in_order() -> None:
    assert read(
        START,
        delta(reasoningContent={"text": "Hm."}),
        delta(reasoningContent={"signature": "sig"}),
        delta(reasoningContent={"redactedContent": "eA=="}),
        stop(0),
        start(1),
        delta(1, text="Hel"),
        delta(1, text=""),
        delta(1, citation={"title": "x"}),
        delta(1, text="lo"),
        stop(1),
        {"somethingNew": {"x": 1}},
        STOP,
        METADATA,
        delta(text="late"),
    ) == [
        Begin("", ""),
        ReasoningDelta("Hm."),
        ReasoningDelta(signature="anthropic:sig"),
        ReasoningDelta(redacted="bedrock:eA=="),
        TextDelta("Hel"),
        TextDelta("lo"),
        Stop(StopReason.END),
        UsageDelta(Usage(4, 2, cached_tokens=3)),
        End(),
    ]


def test_calls_are_numbered_by_themselves_and_one_without_arguments_has_an_empty_object() -> None:
    assert read(
        START,
        delta(text="x"),
        call(1),
        delta(1, toolUse={"input": ""}),
        delta(1, toolUse={"input": '{"city"'}),
        call(2, "t2", "now"),
        delta(2, toolUse={"input": ""}),
        delta(1, toolUse={"input": ':"Oslo"}'}),
        stop(1),
        stop(2),
        {"messageStop": {"stopReason": "tool_use"}},
        {"metadata": {}},
    )[2:] == [
        ToolBegin(0, "t1", "weather"),
        ToolDelta(0, '{"city"'),
        ToolBegin(1, "t2", "now"),
        ToolDelta(0, ':"Oslo"}'),
        ToolDelta(1, "{}"),
        Stop(StopReason.TOOL_USE),
        End(),
    ]


def test_the_sequence_that_stopped_it_is_told() -> None:
    said = {"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"}}
    assert read(START, {"messageStop": said})[1] == Stop(StopReason.STOP_SEQUENCE, "END")


@pytest.mark.parametrize(
    ("event", "status", "message"),
    [
        ({"throttlingException": {"message": "slow down"}}, 429, "slow down"),
        ({"validationException": {"message": "too long for sk-abcdefgh123"}}, 400, "too long for [redacted]"),
        ({"validationException": {}}, 400, "The model's provider answered 400."),
        ({"modelStreamErrorException": {"message": "x"}}, 502, "The model's provider answered with status 502."),
        ({"serviceUnavailableException": None}, 502, "The model's provider answered with status 503."),
        ({"internalServerException": []}, 502, "The model's provider answered with status 500."),
        ({"error": {"code": "x", "message": "y"}}, 502, "The model's provider answered with status 502."),
    ],
)
def test_a_failure_ends_the_stream(event: Json, status: int, message: str) -> None:
    for before in ((), (START, delta(text="Hel"))):
        got = read(*before, event, STOP, METADATA)
        assert isinstance(got[-1], Failed)
        assert (got[-1].refusal.status, got[-1].refusal.message) == (status, message)
        assert len(got) == len(before) + 1


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([STOP], "does not begin"),
        ([START, METADATA], "ends before its message"),
        ([START, STOP, delta(text="x")], "after the end"),
        ([START, delta(toolUse={"input": "x"})], "has not begun"),
        ([START, call(0), call(0)], "not asked for"),
        ([START, start(0, toolResult={"toolUseId": "1"})], "not asked for"),
        ([START, delta(toolResult=[])], "not asked for"),
        ([START, {"messageStop": {"stopReason": "malformed_tool_use"}}], "makes no sense"),
        ([START, {"contentBlockDelta": {"delta": {"text": "x"}}}], "contentBlockIndex is required"),
        ([{**START, **STOP}], "one type"),
        ([{}], "one type"),
    ],
)
def test_events_that_contradict_each_other_break_the_reply(events: list[Json], why: str) -> None:
    with pytest.raises(BrokenReply, match=why):
        read(*events)


@pytest.mark.parametrize("data", [b"", b"{broken", b"[]", b"\xff"])
def test_what_is_no_event_breaks_the_reply(data: bytes) -> None:
    with pytest.raises(BrokenReply):
        reader().read(data)


WHOLE = [START, delta(reasoningContent={"text": "x"}), delta(1, text="x"), call(2), delta(2, toolUse={"input": "{}"}),
         stop(2), STOP, METADATA]  # fmt: skip


@given(st.lists(st.sampled_from(WHOLE).flatmap(damaged) | st.sampled_from(WHOLE) | ANY_JSON, max_size=8))
def test_a_damaged_stream_keeps_the_order_or_breaks(events: Sequence[Any]) -> None:
    one = reader()
    got: list[Delta] = []
    try:
        for event in events:
            got += one.read(orjson.dumps(event))
    except BrokenReply:
        pass
    kinds = [type(said) for said in got if not isinstance(said, Failed)]
    assert kinds.count(Begin) == (1 if kinds else 0)
    assert not kinds or kinds[0] is Begin
    assert all(not isinstance(said, End | Failed) for said in got[:-1])
    assert End not in kinds or Stop in kinds


@given(damaged(WHOLE))
def test_a_stream_with_one_damage_is_read_or_broken(events: Any) -> None:
    try:
        got = read(*events)
    except BrokenReply:
        return
    assert isinstance(got[0], Begin | Failed)
