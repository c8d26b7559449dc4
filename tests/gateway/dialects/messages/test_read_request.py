"""A client's call in Anthropic's dialect: every field is carried, ignored by name, or refused by name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.messages.read_request import IGNORED, REFUSED, read_request
from gateway.dialects.neutral import ChatRequest, Message, Output, Role, Text, Thinking, Tool, ToolChoice, ToolMode
from gateway.errors import InvalidRequest
from tests.gateway.dialects.hostile import ANY_JSON
from tests.gateway.dialects.mutations import mutations

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PLAIN: dict[str, Any] = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}
RICH: dict[str, Any] = {
    "model": "m",
    "max_tokens": 2048,
    "stream": True,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "stop_sequences": ["END"],
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "tools": [{"name": "weather", "description": "The weather", "input_schema": SCHEMA, "strict": True,
               "cache_control": {"type": "ephemeral"}, "allowed_callers": ["direct"]}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"effort": "max", "format": {"type": "json_schema", "schema": SCHEMA}},
    "metadata": {"user_id": "u-1"},
    "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "Weather?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
            {"type": "document", "title": "T", "source": {"type": "text", "media_type": "text/plain", "data": "t"}},
            {"type": "document", "context": "C", "source": {"type": "content", "content": [
                {"type": "text", "text": "t"}]}},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "r"},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "is_error": False, "content": [
            {"type": "text", "text": "12"}]}]},
    ],
}  # fmt: skip


def test_all_that_is_said_is_read() -> None:
    request = read_request(RICH)
    assert request == ChatRequest(
        model="m", messages=request.messages, stream=True, max_tokens=2048, temperature=0.5, top_p=0.9, top_k=40,
        stop=("END",), tools=(Tool("weather", "The weather", SCHEMA, strict=True),), tool_choice=ToolChoice(),
        parallel_tools=False, output=Output(SCHEMA, strict=True), thinking=Thinking("xhigh", 1024, "auto"), user="u-1",
    )  # fmt: skip
    assert [message.role for message in request.messages] == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL]


def test_what_is_not_said_is_left_to_the_provider() -> None:
    assert read_request(PLAIN) == ChatRequest("m", (Message(Role.USER, (Text("Hi"),)),), max_tokens=10)


@pytest.mark.parametrize(
    ("said", "choice"),
    [
        ({"type": "auto"}, ToolChoice(ToolMode.AUTO)),
        ({"type": "any"}, ToolChoice(ToolMode.REQUIRED)),
        ({"type": "none"}, ToolChoice(ToolMode.NONE)),
        ({"type": "tool", "name": "f"}, ToolChoice(ToolMode.NAMED, "f")),
    ],
)
def test_tools_are_chosen_in_four_ways(said: Any, choice: ToolChoice) -> None:
    request = read_request({**PLAIN, "tool_choice": said})
    assert (request.tool_choice, request.parallel_tools) == (choice, None)


@pytest.mark.parametrize(
    ("said", "thinking"),
    [
        ({"thinking": {"type": "disabled"}}, Thinking("none")),
        ({"thinking": {"type": "adaptive"}}, Thinking(summary="auto")),
        ({"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "low"}},
         Thinking("low", summary="none")),
        ({"output_config": {"effort": "medium"}}, Thinking("medium")),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, Thinking(None, 9, "auto")),
        ({}, None),
    ],
)  # fmt: skip
def test_thinking_is_an_effort_or_a_budget(said: Any, thinking: Thinking | None) -> None:
    assert read_request({**PLAIN, **said}).thinking == thinking


def test_the_older_name_of_the_output_format_is_known() -> None:
    assert read_request({**PLAIN, "output_format": {"type": "json_schema", "schema": SCHEMA}}).output == Output(
        SCHEMA, strict=True
    )


@pytest.mark.parametrize("name", [name for name in IGNORED if "[" not in name])
def test_hints_change_nothing(name: str) -> None:
    assert read_request({**PLAIN, name: {"type": "any"}}) == read_request(PLAIN)


@pytest.mark.parametrize("name", [*REFUSED, "max_tokens_to_sample", "n", "logprobs"])
def test_other_fields_are_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_request({**PLAIN, name: "x"})
    assert refusal.value.param == name
    assert f"'{name}'" in refusal.value.message


@pytest.mark.parametrize(
    ("tool", "field"),
    [
        ({"type": "web_search_20250305", "name": "web_search"}, "type"),
        ({"name": "f"}, "input_schema"),
        ({"name": "f", "input_schema": SCHEMA, "allowed_callers": ["code_execution_20260120"]}, "allowed_callers"),
        ({"name": "f", "input_schema": SCHEMA, "surprise": 1}, "surprise"),
    ],
)
def test_a_tool_that_only_anthropic_can_run_is_refused(tool: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_request({**PLAIN, "tools": [tool]})
    assert refusal.value.param == f"tools[0].{field}"


def test_a_limit_is_required() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_request({"model": "m", "messages": PLAIN["messages"]})
    assert refusal.value.param == "max_tokens"


def refusal_of(body: Any) -> InvalidRequest | None:
    try:
        read_request(body)
    except InvalidRequest as refusal:
        return refusal
    return None


def test_whatever_is_wrong_wherever_it_stands_is_read_or_refused_with_its_path() -> None:
    for what, body in mutations(RICH):
        refusal = refusal_of(body)
        assert refusal is None or refusal.param, what


@given(st.dictionaries(st.sampled_from(sorted(RICH)), ANY_JSON))
def test_any_json_is_read_or_refused(body: Any) -> None:
    refusal = refusal_of({**PLAIN, **body})
    assert refusal is None or refusal.param
