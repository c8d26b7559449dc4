"""What a client may ask for in a response: carried, dropped by name, or refused by name."""

from typing import Any

import orjson
import pytest
from hypothesis import given

from gateway.dialects import chat, responses
from gateway.dialects.neutral import (
    ChatRequest,
    Message,
    Output,
    Role,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolMode,
)
from gateway.errors import InvalidRequest
from tests.gateway.dialects.hostile import ANY_JSON, damaged
from tests.gateway.dialects.mutations import mutations
from tests.gateway.dialects.openai_examples import RESPONSES_REQUEST, SCHEMA


def read(**fields: Any) -> ChatRequest:
    return responses.read_request({"model": "m", "input": "hello", **fields})


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    return caught.value


def test_every_setting_of_a_call_is_carried() -> None:
    request = responses.read_request(RESPONSES_REQUEST)
    assert (request.model, request.stream, request.max_tokens) == ("gpt-5", True, 300)
    assert (request.temperature, request.top_p) == (0.4, 0.9)
    assert (request.logprobs, request.top_logprobs) == (True, 2)
    assert request.tools == [Tool("weather", "now", SCHEMA, strict=True), Tool("clock", schema=SCHEMA, strict=False)]
    assert request.tool_choice == ToolChoice(ToolMode.NAMED, "weather")
    assert request.parallel_tools is False
    assert request.output == Output(SCHEMA, "report", "what", strict=True)
    assert request.thinking == Thinking("low", summary="auto")
    assert (request.user, request.metadata) == ("u-17", {"ticket": "88"})


def test_a_string_is_what_the_user_says_and_instructions_come_first() -> None:
    assert read(instructions="be brief").messages == [
        Message(Role.SYSTEM, [Text("be brief")]),
        Message(Role.USER, [Text("hello")]),
    ]


def test_what_is_not_said_stays_unsaid() -> None:
    request = read(tools=None, text=None, reasoning={}, background=False, previous_response_id=None)
    assert request == ChatRequest(model="m", messages=request.messages, tools=[])
    assert read(text={"format": {"type": "text"}}).output is None
    assert read(text={"format": {"type": "json_object"}}).output == Output()


def test_the_old_name_of_the_summary_is_understood() -> None:
    assert read(reasoning={"generate_summary": "concise"}).thinking == Thinking(summary="concise")


@pytest.mark.parametrize("name", [name for name in responses.IGNORED if "[]" not in name and "." not in name])
def test_what_is_ignored_by_name_is_dropped(name: str) -> None:
    assert read(**{name: ["x"]}) == read()


def test_ignored_fields_inside_others_are_dropped() -> None:
    assert read(reasoning={"mode": "pro", "context": "auto"}, text={"verbosity": "low"}) == read()
    tool = {"type": "function", "name": "f"}
    assert read(tools=[{**tool, "defer_loading": True, "output_schema": {}}]) == read(tools=[tool])


@pytest.mark.parametrize("name", responses.REFUSED)
def test_what_is_stored_at_openai_is_refused_with_its_reason(name: str) -> None:
    refusal = refused(**{name: True})
    assert refusal.param == name
    assert responses.REFUSED[name] in refusal.message


@pytest.mark.parametrize("kind", ["web_search", "file_search", "code_interpreter", "mcp", "custom", "computer"])
def test_openais_own_tools_are_refused(kind: str) -> None:
    assert refused(tools=[{"type": "function", "name": "f"}, {"type": kind}]).param == "tools[1].type"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"frequency_penalty": 1}, "frequency_penalty"),
        ({"text": {"tone": "kind"}}, "text.tone"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"tools": [{"type": "function", "name": "f", "cost": 1}]}, "tools[0].cost"),
        ({"tool_choice": {"type": "mcp"}}, "tool_choice.type"),
        ({"tool_choice": ["auto"]}, "tool_choice"),
        ({"include": [1]}, "include[0]"),
        ({"top_logprobs": 21}, "top_logprobs"),
    ],
)
def test_what_cannot_be_carried_is_refused_at_its_place(fields: Any, param: str) -> None:
    assert refused(**fields).param == param


def survives(body: Any) -> None:
    for write in (chat.write_request, responses.write_request):
        try:
            orjson.dumps(write(responses.read_request(body), "m"))
        except InvalidRequest:
            continue


def test_every_damage_to_a_good_call_is_a_refusal_at_worst() -> None:
    for _, body in mutations(RESPONSES_REQUEST):
        survives(body)


@given(damaged(RESPONSES_REQUEST))
def test_a_damaged_call_is_a_refusal_at_worst(body: Any) -> None:
    survives(body)


@given(ANY_JSON)
def test_any_json_is_a_refusal_at_worst(body: Any) -> None:
    survives(body)
