"""Anthropic's stream, event by event."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.base import BrokenReply
from gateway.dialects.messages.read_stream import reader
from gateway.dialects.neutral import (
    Begin,
    DeclineDelta,
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
from gateway.exchange import Usage
from tests.gateway.dialects.hostile import ANY_JSON
from tests.gateway.dialects.mutations import mutations

START: dict[str, Any] = {"type": "message_start", "message": {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [], "stop_reason": None,
    "usage": {"input_tokens": 5, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 0, "output_tokens": 1},
}}  # fmt: skip
STOP = {"type": "message_stop"}


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **said: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **said}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ended(reason: str = "end_turn", **more: Any) -> dict[str, Any]:
    delta = {"stop_reason": reason, "stop_sequence": None, **more}
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9, "input_tokens": None}}


def read(*events: Any) -> list[Delta]:
    reading = reader()
    return [delta for event in events for delta in reading.read(orjson.dumps(event))]


RICH = [
    START, {"type": "ping"},
    start(0, type="thinking", thinking="", signature=""),
    delta(0, "thinking_delta", thinking="Hm"), delta(0, "signature_delta", signature="c2ln"), stop(0),
    start(1, type="redacted_thinking", data="ZGF0YQ"), stop(1),
    start(2, type="text", text=""), delta(2, "text_delta", text="Let me "),
    delta(2, "text_delta", text="see."), stop(2),
    start(3, type="tool_use", id="toolu_1", name="weather", input={}),
    delta(3, "input_json_delta", partial_json=""), delta(3, "input_json_delta", partial_json='{"city":'),
    delta(3, "input_json_delta", partial_json='"Oslo"}'), stop(3),
    start(4, type="tool_use", id="toolu_2", name="now", input={}), stop(4),
    ended("tool_use"), STOP,
]  # fmt: skip


def test_a_stream_is_read_in_order() -> None:
    assert read(*RICH) == [
        Begin("msg_1", "claude"),
        ReasoningDelta("Hm"), ReasoningDelta(signature="anthropic:c2ln"), ReasoningDelta(redacted="anthropic:ZGF0YQ"),
        TextDelta("Let me "), TextDelta("see."),
        ToolBegin(0, "toolu_1", "weather"), ToolDelta(0, '{"city":'), ToolDelta(0, '"Oslo"}'),
        ToolBegin(1, "toolu_2", "now"), ToolDelta(1, "{}"),
        Stop(StopReason.TOOL_USE), UsageDelta(Usage(25, 9, 20)), End(),
    ]  # fmt: skip


def test_arguments_may_come_whole_with_their_call() -> None:
    events = [START, start(0, type="tool_use", id="a", name="f", input={"x": 1}), stop(0), ended("tool_use"), STOP]
    assert ToolDelta(0, '{"x":1}') in read(*events)


def test_nothing_comes_after_the_end() -> None:
    assert read(START, ended(), STOP, STOP, {"type": "ping"}, START)[-1] == End()
    assert read(START, ended(), STOP).count(End()) == 1


def test_a_refusal_may_have_words() -> None:
    details = {"type": "refusal", "category": None, "explanation": "No."}
    assert read(START, ended("refusal", stop_details=details), STOP)[1:3] == [
        DeclineDelta("No."), Stop(StopReason.REFUSAL),
    ]  # fmt: skip


def test_a_stop_sequence_is_named() -> None:
    stopped = ended("stop_sequence", stop_sequence="END")
    assert Stop(StopReason.STOP_SEQUENCE, "END") in read(START, stopped, STOP)


def test_an_end_that_gives_no_reason_is_still_one() -> None:
    assert Stop(StopReason.END) in read(START, STOP)
    call = start(0, type="tool_use", id="a", name="f", input={})
    assert Stop(StopReason.TOOL_USE) in read(START, call, STOP)


def test_the_last_count_is_the_count() -> None:
    first = {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 3}}
    assert UsageDelta(Usage(25, 9, 20)) in read(START, first, ended(), STOP)
    assert not [delta for delta in read({**START, "message": {}}, STOP) if isinstance(delta, UsageDelta)]


def test_a_failure_ends_the_stream_and_tells_no_key() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded sk-ant-abcdef123"}}
    *_, last = read(START, error, ended(), STOP)
    assert isinstance(last, Failed)
    assert last.refusal.message == "Overloaded [redacted]"
    (silent,) = read({"type": "error", "error": None})
    assert isinstance(silent, Failed)
    assert silent.refusal.status == 502


def test_blocks_that_were_not_asked_for_are_passed_over() -> None:
    foreign = [start(0, type="server_tool_use", id="s", name="web_search", input={}),
               delta(0, "input_json_delta", partial_json='{"q":1}'), stop(0)]  # fmt: skip
    cited = [start(1, type="text", text="A"), delta(1, "citations_delta", citation={}), stop(1)]
    assert read(START, *foreign, *cited, {"type": "new_event"}) == [Begin("msg_1", "claude"), TextDelta("A")]


@pytest.mark.parametrize(
    "events",
    [
        [STOP],
        [ended()],
        [start(0, type="text", text="")],
        [START, START],
        [START, stop(0)],
        [START, delta(0, "text_delta", text="a")],
        [START, start(0, type="text", text=""), start(0, type="text", text="")],
        [START, ended(), start(0, type="text", text="")],
        [START, start(0, type="text", text=""), {"type": "content_block_delta", "index": 0}],
        ["text"],
        [None],
    ],
)
def test_a_stream_out_of_order_is_broken(events: list[Any]) -> None:
    with pytest.raises(BrokenReply):
        read(*events)


@pytest.mark.parametrize("data", [b"", b"[DONE]", b'{"type"', b"\xff"])
def test_what_is_not_json_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenReply):
        list(reader().read(data))


def test_whatever_is_wrong_in_any_event_is_read_or_broken() -> None:
    for i, event in enumerate(RICH):
        for _, wrong in mutations(event):
            try:
                read(*RICH[:i], wrong, *RICH[i + 1 :])
            except BrokenReply:
                continue


@given(st.lists(ANY_JSON | st.sampled_from(RICH), max_size=8))
def test_any_events_are_read_or_broken(events: list[Any]) -> None:
    try:
        deltas = read(START, *events)
    except BrokenReply:
        return
    assert isinstance(deltas[0], Begin)
    assert not [delta for delta in deltas[:-1] if isinstance(delta, End | Failed)]
