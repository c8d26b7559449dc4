"""Whole responses, read from OpenAI and written for its clients."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from openai.types.responses import Response

from gateway.dialects import chat, responses
from gateway.dialects.base import BrokenReply
from gateway.dialects.neutral import (
    ChatReply,
    ChatRequest,
    Choice,
    Decline,
    Media,
    MediaKind,
    Message,
    Part,
    Reasoning,
    Role,
    StopReason,
    Text,
    TokenLogprob,
    ToolUse,
)
from gateway.exchange import Usage
from tests.gateway.dialects.hostile import ANY_JSON, damaged
from tests.gateway.dialects.mutations import mutations
from tests.gateway.dialects.openai_examples import PIXEL, RESPONSES_REPLY, RESPONSES_REQUEST

REQUEST = ChatRequest(model="asked", messages=[Message(Role.USER, [Text("hello")])])


def reply(*parts: Part, stop: StopReason = StopReason.END) -> ChatReply:
    return ChatReply("id", "m", [Choice(parts, stop)], Usage(1, 2), 1_790_000_000)


def written(*parts: Part, stop: StopReason = StopReason.END) -> Any:
    return responses.write_reply(reply(*parts, stop=stop), REQUEST)


def test_a_reply_with_everything_is_read() -> None:
    assert responses.read_reply(RESPONSES_REPLY) == ChatReply(
        "resp_1",
        "gpt-5-2026",
        [
            Choice(
                [
                    Reasoning("Clouds, so rain.", "openai:gAAAA-sealed"),
                    Text("Rain."),
                    Decline("No more."),
                    ToolUse("call_a", "weather", '{"town":"Ulm"}'),
                    Media(MediaKind.IMAGE, "image/webp", PIXEL),
                ],
                StopReason.TOOL_USE,
                logprobs=[TokenLogprob("Rain", -0.1, [("Sun", -2.5)])],
            )
        ],
        Usage(40, 12, cached_tokens=8, reasoning_tokens=5),
        1_790_000_000,
    )


PARTS: list[list[Part]] = [
    [],
    [Text("a")],
    [Reasoning("t", "anthropic:s"), Text("a"), Decline("no"), ToolUse("c", "f", "{}"), ToolUse("d", "g", '{"x":1}')],
    [Reasoning("", redacted="anthropic:d"), Reasoning("t", "anthropic:s"), Reasoning("u", "anthropic:v"), Text("a")],
    [Media(MediaKind.IMAGE, "image/png", PIXEL), Text("there")],
]


@pytest.mark.parametrize("parts", PARTS)
def test_what_is_written_reads_the_same(parts: list[Part]) -> None:
    assert responses.read_reply(written(*parts)).choices[0].parts == parts


def test_probabilities_stand_at_the_first_text_and_are_not_told_twice() -> None:
    choice = Choice([Text("a"), ToolUse("c", "f", "{}"), Text("b")], StopReason.END, logprobs=[TokenLogprob("a", -1.0)])
    made = responses.write_reply(ChatReply("id", "m", [choice], None), REQUEST)
    told = [part["logprobs"] for item in made["output"] for part in item.get("content", [])]
    assert [len(tokens) for tokens in told] == [1, 0]


def test_a_request_with_everything_comes_back_in_a_response_that_the_sdk_takes() -> None:
    request = responses.read_request(RESPONSES_REQUEST)
    made = Response.model_validate(responses.write_reply(responses.read_reply(RESPONSES_REPLY), request))
    assert made.output_text == "Rain."
    assert [item.type for item in made.output] == ["reasoning", "message", "function_call", "image_generation_call"]
    assert made.tools[0].type == "function"
    assert made.text is not None
    assert made.text.format is not None
    assert made.text.format.type == "json_schema"
    assert made.usage is not None
    assert (made.usage.input_tokens_details.cached_tokens, made.usage.output_tokens_details.reasoning_tokens) == (8, 5)
    assert (made.max_output_tokens, made.temperature, made.user) == (300, 0.4, "u-17")


@pytest.mark.parametrize("stop", StopReason)
@pytest.mark.parametrize("parts", PARTS)
def test_the_sdk_takes_every_end(parts: list[Part], stop: StopReason) -> None:
    Response.model_validate(written(*parts, stop=stop))


@pytest.mark.parametrize(
    ("stop", "parts", "status", "reason"),
    [
        (StopReason.END, [], "completed", None),
        (StopReason.TOOL_USE, [], "completed", None),
        (StopReason.STOP_SEQUENCE, [], "completed", None),
        (StopReason.LENGTH, [], "incomplete", "max_output_tokens"),
        (StopReason.CONTENT_FILTER, [], "incomplete", "content_filter"),
        (StopReason.REFUSAL, [], "incomplete", "content_filter"),
        (StopReason.REFUSAL, [Decline("no")], "completed", None),
    ],
)
def test_the_end_is_in_the_status(stop: StopReason, parts: list[Part], status: str, reason: str | None) -> None:
    made = written(*parts, stop=stop)
    assert made["status"] == status
    assert (made["incomplete_details"] or {}).get("reason") == reason
    assert all(item["status"] == status for item in made["output"])


@pytest.mark.parametrize(
    ("said", "stop"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, StopReason.CONTENT_FILTER),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, StopReason.LENGTH),
        ({"status": "incomplete"}, StopReason.LENGTH),
        ({"status": "completed", "output": []}, StopReason.END),
        (
            {"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]},
            StopReason.REFUSAL,
        ),
    ],
)
def test_the_end_is_read_from_the_status_and_the_output(said: Any, stop: StopReason) -> None:
    assert responses.read_reply({**RESPONSES_REPLY, **said}).choices[0].stop is stop


@pytest.mark.parametrize("status", ["failed", "in_progress", "cancelled", "queued", None])
def test_a_response_that_is_not_done_is_broken(status: str | None) -> None:
    with pytest.raises(BrokenReply):
        responses.read_reply({**RESPONSES_REPLY, "status": status})


def test_what_openais_own_tools_made_is_no_part_of_the_answer() -> None:
    output = [{"type": "web_search_call", "id": "ws"}, *RESPONSES_REPLY["output"]]
    assert responses.read_reply({**RESPONSES_REPLY, "output": output}) == responses.read_reply(RESPONSES_REPLY)


def test_a_time_that_json_cannot_say_again_is_broken() -> None:
    with pytest.raises(BrokenReply):
        responses.read_reply({**RESPONSES_REPLY, "created_at": 1e300})
    assert responses.read_reply({**RESPONSES_REPLY, "created_at": 1.5}).created == 1


def survives(document: Any) -> None:
    try:
        read = responses.read_reply(document)
    except BrokenReply:
        return
    orjson.dumps(responses.write_reply(read, REQUEST))
    orjson.dumps(chat.write_reply(read, REQUEST))


def test_every_damage_to_a_good_reply_breaks_it_at_worst() -> None:
    for _, document in mutations(RESPONSES_REPLY):
        survives(document)


@given(damaged(RESPONSES_REPLY))
def test_a_damaged_reply_is_broken_at_worst(document: Any) -> None:
    survives(document)


@given(ANY_JSON)
def test_any_json_is_broken_at_worst(document: Any) -> None:
    survives(document)
