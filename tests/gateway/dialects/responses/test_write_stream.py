"""Streams of response events, as clients get them."""

from itertools import pairwise
from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.dialects import responses
from gateway.dialects.neutral import (
    Begin,
    ChatReply,
    ChatRequest,
    Choice,
    Delta,
    End,
    Failed,
    Message,
    Reasoning,
    ReasoningDelta,
    Role,
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
from gateway.errors import RateLimitExceeded, UpstreamError
from gateway.exchange import Usage
from gateway.wire.sse import data_of
from tests.gateway.dialects.openai_examples import read_all, said, write_all

REQUEST = ChatRequest(model="asked", messages=[Message(Role.USER, [Text("hello")])], stream=True)
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
DELTAS: list[Delta] = [
    Begin("resp_1", "m", 1_790_000_000),
    ReasoningDelta("hm"),
    ReasoningDelta(signature="openai:sig"),
    TextDelta("Hel"),
    TextDelta("lo", logprobs=[TokenLogprob("lo", -0.5, [("la", -1.5)])]),
    ToolBegin(0, "a", "f"),
    ToolDelta(0, '{"x":'),
    ToolDelta(0, "1}"),
    ToolBegin(1, "b", "g"),
    ToolDelta(1, "{}"),
    Stop(StopReason.TOOL_USE),
    UsageDelta(Usage(3, 1)),
    UsageDelta(Usage(3, 9, cached_tokens=2)),
    End(),
]
REPLY = ChatReply(
    "resp_1",
    "m",
    [
        Choice(
            [Reasoning("hm", "openai:sig"), Text("Hello"), ToolUse("a", "f", '{"x":1}'), ToolUse("b", "g", "{}")],
            StopReason.TOOL_USE,
            logprobs=[TokenLogprob("lo", -0.5, [("la", -1.5)])],
        )
    ],
    Usage(3, 9, cached_tokens=2),
    1_790_000_000,
)


def written(*deltas: Delta) -> list[bytes]:
    return write_all(responses.writer(REQUEST, wants_usage=False), list(deltas))


def kinds(events: list[bytes]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in said(events)]


def test_the_whole_sequence_of_events_is_there() -> None:
    assert kinds(written(*DELTAS)) == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]


def test_the_sdk_takes_every_event() -> None:
    for event in said(written(*DELTAS)):
        made = EVENT.validate_python(event)
        assert made.type == event["type"]


def test_each_event_is_named_and_numbered() -> None:
    events = written(*DELTAS)
    for event, content in zip(events, said(events), strict=True):
        assert event.startswith(f"event: {content['type']}\n".encode())
    assert [event["sequence_number"] for event in said(events)] == list(range(len(events)))


def test_events_show_what_was_true_when_they_were_written() -> None:
    added = [event for event in said(written(*DELTAS)) if event["type"] == "response.output_item.added"]
    assert all(event["item"]["status"] == "in_progress" for event in added)
    assert added[1]["item"]["content"] == []


def test_what_was_streamed_is_what_the_whole_reply_says() -> None:
    last = said(written(*DELTAS))[-1]["response"]
    assert last == responses.write_reply(REPLY, REQUEST)


def test_what_is_written_reads_the_same() -> None:
    deltas = read_all(responses.reader(), [data_of(event) for event in written(*DELTAS)])
    assert deltas == [delta for delta in DELTAS if delta != UsageDelta(Usage(3, 1))]


def test_the_last_event_waits_until_the_call_is_on_record() -> None:
    writer = responses.writer(REQUEST, wants_usage=False)
    before = b"".join(writer.write(delta) for delta in DELTAS)
    assert b"response.completed" not in before
    assert b"event: response.completed" in writer.terminal()
    assert b'"output_tokens":9' in writer.terminal()


@pytest.mark.parametrize(
    ("stop", "reason"), [(StopReason.LENGTH, "max_output_tokens"), (StopReason.CONTENT_FILTER, "content_filter")]
)
def test_an_answer_that_was_cut_ends_as_incomplete(stop: StopReason, reason: str) -> None:
    events = said(written(DELTAS[0], TextDelta("a"), Stop(stop), End()))
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": reason}
    assert events[-1]["response"]["output"][0]["status"] == "incomplete"
    assert EVENT.validate_python(events[-1]).type == "response.incomplete"


@pytest.mark.parametrize(
    ("refusal", "code"),
    [(UpstreamError("It broke."), "server_error"), (RateLimitExceeded("No."), "rate_limit_exceeded")],
)
@pytest.mark.parametrize("before", [[], [DELTAS[0]], [DELTAS[0], TextDelta("a")]])
def test_a_failure_closes_what_is_open_and_says_why(refusal: Any, code: str, before: list[Delta]) -> None:
    events = said(written(*before, Failed(refusal)))
    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"]["status"] == "failed"
    assert events[-1]["response"]["error"] == {"code": code, "message": refusal.message}
    assert EVENT.validate_python(events[-1]).type == "response.failed"
    assert all(one["sequence_number"] + 1 == two["sequence_number"] for one, two in pairwise(events))


def test_the_model_and_the_time_are_ours_where_the_provider_says_none() -> None:
    response = said(written(Begin("x", ""), End()))[0]["response"]
    assert response["model"] == "asked"
    assert response["created_at"] > 1_700_000_000
