"""Streams of chunks, as clients get them."""

import orjson
import pytest
from openai.types.chat import ChatCompletionChunk

from gateway.dialects import chat
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
    Message,
    ReasoningDelta,
    Role,
    Stop,
    StopReason,
    Text,
    TextDelta,
    TokenLogprob,
    ToolBegin,
    ToolDelta,
    UsageDelta,
)
from gateway.errors import RateLimitExceeded
from gateway.exchange import Usage
from gateway.wire.sse import data_of
from tests.gateway.dialects.openai_examples import PIXEL, read_all, said, write_all

REQUEST = ChatRequest(model="asked", messages=[Message(Role.USER, [Text("hello")])], stream=True)
DELTAS: list[Delta] = [
    Begin("id-1", "m", 1_790_000_000),
    ReasoningDelta("hm"),
    ReasoningDelta(signature="compatible:sig"),
    TextDelta("Hel"),
    TextDelta("lo", logprobs=[TokenLogprob("lo", -0.5, [("la", -1.5)])]),
    TextDelta("Bye", 1),
    ToolBegin(0, "a", "f", signature="gemini:s"),
    ToolDelta(0, '{"x":'),
    ToolBegin(1, "b", "g"),
    ToolDelta(0, "1}"),
    MediaDelta(Media(MediaKind.IMAGE, "image/png", PIXEL)),
    DeclineDelta("no", 1),
    Stop(StopReason.REFUSAL, choice=1),
    Stop(StopReason.TOOL_USE),
    UsageDelta(Usage(3, 1)),
    UsageDelta(Usage(3, 9, cached_tokens=2)),
    End(),
]


def written(deltas: list[Delta], *, wants_usage: bool = False) -> list[bytes]:
    return write_all(chat.writer(REQUEST, wants_usage=wants_usage), deltas)


def test_what_is_written_reads_the_same() -> None:
    events = [data_of(event) for event in written(DELTAS, wants_usage=True)]
    assert read_all(chat.reader(), events) == [delta for delta in DELTAS if delta != UsageDelta(Usage(3, 1))]


@pytest.mark.parametrize("wants_usage", [True, False])
def test_the_sdk_takes_every_chunk(wants_usage: bool) -> None:
    chunks = [ChatCompletionChunk.model_validate(event) for event in said(written(DELTAS, wants_usage=wants_usage))]
    assert {one.id for one in chunks} == {"id-1"}
    text = [choice.delta.content or "" for one in chunks for choice in one.choices if choice.index == 0]
    assert "".join(text) == "Hello"
    finishes = {choice.index: choice.finish_reason for one in chunks for choice in one.choices if choice.finish_reason}
    assert finishes == {0: "tool_calls", 1: "stop"}
    usages = [one.usage for one in chunks if one.usage is not None]
    assert [usage.completion_tokens for usage in usages] == ([9] if wants_usage else [])
    assert chunks[-1].choices == [] if wants_usage else chunks[-1].choices


def test_each_choice_says_its_role_once_and_first() -> None:
    first: dict[int, bool] = {}
    for event in said(written(DELTAS)):
        for choice in event["choices"]:
            assert ("role" in choice["delta"]) == (choice["index"] not in first)
            first[choice["index"]] = True


def test_usage_and_the_end_wait_until_the_call_is_on_record() -> None:
    writer = chat.writer(REQUEST, wants_usage=True)
    before = b"".join(writer.write(delta) for delta in DELTAS[:-1])
    assert b"prompt_tokens" not in before
    assert b'"completion_tokens":9' in writer.write(DELTAS[-1])
    assert b"[DONE]" not in before
    assert writer.terminal() == b"data: [DONE]\n\n"


def test_the_model_and_the_time_are_ours_where_the_provider_says_none() -> None:
    (event,) = said(written([Begin("", ""), TextDelta("x")]))
    assert event["model"] == "asked"
    assert event["created"] > 1_700_000_000


def test_a_failure_is_an_error_that_sdks_raise() -> None:
    writer = chat.writer(REQUEST, wants_usage=False)
    event = writer.write(Failed(RateLimitExceeded("Too much.")))
    error = orjson.loads(data_of(event))["error"]
    assert (error["message"], error["code"]) == ("Too much.", "rate_limit_exceeded")
