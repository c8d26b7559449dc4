"""Streams of OpenAI's response events."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import responses
from gateway.dialects.base import BrokenReply
from gateway.dialects.neutral import (
    Begin,
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
    TokenLogprob,
    ToolBegin,
    ToolDelta,
    UsageDelta,
)
from gateway.exchange import Usage
from tests.gateway.dialects.hostile import ANY_JSON, damaged
from tests.gateway.dialects.mutations import mutations
from tests.gateway.dialects.openai_examples import PIXEL, RESPONSES_REPLY, read_all

BEGIN = Begin("resp_1", "gpt-5-2026", 1_790_000_000)
HEAD = {**RESPONSES_REPLY, "status": "in_progress", "output": [], "usage": None}
CALL = {"type": "function_call", "id": "fc", "call_id": "call_a", "name": "weather", "arguments": ""}


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **fields}


STREAM = [
    event("created", response=HEAD),
    event("in_progress", response=HEAD),
    event("output_item.added", output_index=0, item={"type": "reasoning", "id": "rs", "summary": []}),
    event("reasoning_summary_part.added", output_index=0, summary_index=0, part={}),
    event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="Clouds."),
    event("reasoning_summary_text.delta", output_index=0, summary_index=1, delta="Rain."),
    event("reasoning_summary_text.delta", output_index=0, summary_index=1, delta=" Wet."),
    event("output_item.done", output_index=0, item={"type": "reasoning", "encrypted_content": "gAAAA"}),
    event("output_item.added", output_index=1, item={"type": "message", "content": []}),
    event("output_text.delta", output_index=1, content_index=0, delta="Wait", logprobs=[
        {"token": "Wait", "logprob": -0.5, "top_logprobs": []}]),
    event("output_text.delta", output_index=1, content_index=0, delta="."),
    event("output_text.done", output_index=1, content_index=0, text="Wait."),
    event("output_item.added", output_index=2, item=CALL),
    event("output_item.added", output_index=3, item={**CALL, "call_id": "call_b"}),
    event("function_call_arguments.delta", output_index=2, delta='{"town"'),
    event("function_call_arguments.delta", output_index=3, delta="{}"),
    event("function_call_arguments.delta", output_index=2, delta=':"Ulm"}'),
    event("function_call_arguments.done", output_index=2, arguments='{"town":"Ulm"}'),
    event("output_item.done", output_index=2, item={**CALL, "arguments": '{"town":"Ulm"}'}),
    event("output_item.done", output_index=4, item={"type": "image_generation_call", "result": PIXEL}),
    event("completed", response=RESPONSES_REPLY),
]  # fmt: skip
DELTAS: list[Delta] = [
    BEGIN,
    ReasoningDelta("Clouds."),
    ReasoningDelta("\n\nRain."),
    ReasoningDelta(" Wet."),
    ReasoningDelta(signature="openai:gAAAA"),
    TextDelta("Wait", logprobs=[TokenLogprob("Wait", -0.5, [])]),
    TextDelta("."),
    ToolBegin(0, "call_a", "weather"),
    ToolBegin(1, "call_b", "weather"),
    ToolDelta(0, '{"town"'),
    ToolDelta(1, "{}"),
    ToolDelta(0, ':"Ulm"}'),
    MediaDelta(Media(MediaKind.IMAGE, "image/png", PIXEL)),
    Stop(StopReason.TOOL_USE),
    UsageDelta(Usage(40, 12, cached_tokens=8, reasoning_tokens=5)),
    End(),
]


def read(*events: Any) -> list[Delta]:
    return read_all(responses.reader(), events)


def test_a_stream_with_thoughts_text_and_parallel_calls_is_read() -> None:
    assert read(*STREAM) == DELTAS


def test_nothing_is_read_after_the_end() -> None:
    assert read(*STREAM, STREAM[10], b"[DONE]", b"not JSON") == DELTAS


def test_what_is_said_only_when_it_is_done_is_taken_from_there() -> None:
    assert read(
        event("output_text.done", output_index=0, content_index=0, text="Hi."),
        event("refusal.done", output_index=0, content_index=1, refusal="no"),
        event("output_item.done", output_index=1, item={**CALL, "arguments": "{}"}),
    ) == [Begin("", ""), TextDelta("Hi."), DeclineDelta("no"), ToolBegin(0, "call_a", "weather"), ToolDelta(0, "{}")]


def test_a_refusal_is_the_reason_of_its_end() -> None:
    done = {**RESPONSES_REPLY, "output": []}
    deltas = read(STREAM[0], event("refusal.delta", output_index=0, delta="no"), event("completed", response=done))
    assert deltas[:3] == [BEGIN, DeclineDelta("no"), Stop(StopReason.REFUSAL)]


def test_an_answer_that_was_cut_says_why() -> None:
    cut = {**RESPONSES_REPLY, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert Stop(StopReason.LENGTH) in read(STREAM[0], event("incomplete", response=cut))


@pytest.mark.parametrize(
    "failure",
    [
        {"type": "error", "code": "server_error", "message": "it broke"},
        {"type": "error", "error": {"message": "it broke"}},
        event("failed", response={**HEAD, "status": "failed", "error": {"message": "it broke"}}),
    ],
)
def test_a_failure_is_the_end(failure: Any) -> None:
    begin, failed = read(STREAM[0], failure, STREAM[-1])
    assert begin == BEGIN
    assert isinstance(failed, Failed)
    assert failed.refusal.message == "it broke"


def test_a_stream_that_is_cut_has_no_end() -> None:
    assert not any(isinstance(delta, Stop | End) for delta in read(*STREAM[:-1]))


def test_arguments_of_no_call_are_broken() -> None:
    with pytest.raises(BrokenReply):
        read(event("function_call_arguments.delta", output_index=5, delta="{}"))


def test_events_of_openais_own_tools_are_passed_over() -> None:
    assert read(event("web_search_call.searching", output_index=0), *STREAM)[1:] == DELTAS[1:]


def survives(events: list[Any]) -> None:
    deltas: list[Delta] = []
    reader = responses.reader()
    try:
        for one in events:
            deltas += read_all(reader, [one])
    except BrokenReply:
        pass
    assert all(isinstance(delta, Begin | Failed) for delta in deltas[:1])
    assert sum(isinstance(delta, End) for delta in deltas) <= 1


def test_every_damage_to_an_event_breaks_the_stream_at_worst() -> None:
    for i, one in enumerate(STREAM[:-1]):
        if one["type"] == "response.in_progress":
            continue
        for _, damage in mutations(one):
            survives([*STREAM[:i], damage, *STREAM[i + 1 :]])


@given(st.sampled_from(range(len(STREAM))), st.data())
def test_a_damaged_event_breaks_the_stream_at_worst(place: int, draw: st.DataObject) -> None:
    survives([*STREAM[:place], draw.draw(damaged(STREAM[place])), *STREAM[place + 1 :]])


@given(st.lists(ANY_JSON | st.binary(max_size=20), max_size=3))
def test_any_data_breaks_the_stream_at_worst(events: list[Any]) -> None:
    survives(events)
