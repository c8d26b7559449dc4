"""What a client may ask for in a chat completion: carried, dropped by name, or refused by name."""

from typing import Any

import orjson
import pytest
from hypothesis import given

from gateway.dialects import chat, responses
from gateway.dialects.neutral import ChatRequest, Output, Thinking, Tool, ToolChoice, ToolMode
from gateway.errors import InvalidRequest
from tests.gateway.dialects.hostile import ANY_JSON, damaged
from tests.gateway.dialects.mutations import mutations
from tests.gateway.dialects.openai_examples import CHAT_REQUEST, SCHEMA

HELLO = [{"role": "user", "content": "hello"}]


def read(**fields: Any) -> ChatRequest:
    return chat.read_request({"model": "m", "messages": HELLO, **fields})


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    return caught.value


def test_every_setting_of_a_call_is_carried() -> None:
    request = chat.read_request(CHAT_REQUEST)
    assert request.model == "gpt-5"
    assert request.stream
    assert (request.max_tokens, request.temperature, request.top_p) == (300, 0.4, 0.9)
    assert (request.frequency_penalty, request.presence_penalty, request.seed) == (0.1, -0.2, 11)
    assert (request.stop, request.choices, request.logprobs, request.top_logprobs) == (("END",), 2, True, 2)
    assert request.tools == [Tool("weather", "now", SCHEMA, strict=True), Tool("clock")]
    assert request.tool_choice == ToolChoice(ToolMode.NAMED, "weather")
    assert request.parallel_tools is True
    assert request.output == Output(SCHEMA, "report", "what", strict=True)
    assert request.thinking == Thinking("low")
    assert (request.user, request.metadata) == ("u-17", {"ticket": "88"})


def test_what_is_not_said_stays_unsaid() -> None:
    request = read(stop=None, tools=None, stream=None, temperature=None)
    assert request == ChatRequest(model="m", messages=request.messages, tools=[])


def test_the_newer_name_of_the_token_limit_wins() -> None:
    assert read(max_tokens=5).max_tokens == 5
    assert read(max_tokens=5, max_completion_tokens=9).max_tokens == 9


def test_one_stop_may_come_without_its_array() -> None:
    assert read(stop="x").stop == ("x",)


def test_functions_of_the_old_form_are_tools() -> None:
    request = read(functions=[{"name": "f", "parameters": SCHEMA}], function_call={"name": "f"})
    assert request.tools == [Tool("f", schema=SCHEMA)]
    assert request.tool_choice == ToolChoice(ToolMode.NAMED, "f")
    assert read(function_call="none").tool_choice == ToolChoice(ToolMode.NONE)


def test_json_without_a_schema_and_mere_text_are_told_apart() -> None:
    assert read(response_format={"type": "json_object"}).output == Output()
    assert read(response_format={"type": "text"}).output is None


@pytest.mark.parametrize(
    ("reasoning", "thinking"),
    [
        ({"effort": "high"}, Thinking("high")),
        ({"max_tokens": 500, "exclude": True}, Thinking(budget_tokens=500, summary="none")),
        ({"enabled": True}, Thinking("medium")),
        ({"effort": "max"}, Thinking("xhigh")),
    ],
)
def test_thinking_can_be_asked_for_as_openrouters_clients_do(reasoning: Any, thinking: Thinking) -> None:
    assert read(reasoning=reasoning).thinking == thinking


@pytest.mark.parametrize("name", [name for name in chat.IGNORED if "[]" not in name])
def test_what_is_ignored_by_name_is_dropped(name: str) -> None:
    assert read(**{name: "x"}) == read()


@pytest.mark.parametrize("name", chat.REFUSED)
def test_what_no_other_provider_has_is_refused_with_its_reason(name: str) -> None:
    refusal = refused(**{name: {"50256": -100} if name == "logit_bias" else {}})
    assert refusal.param == name
    assert chat.REFUSED[name] in refusal.message


def test_no_bias_at_all_is_no_bias() -> None:
    assert read(logit_bias={}) == read()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"min_p": 0.1}, "min_p"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"temperature": 2.1}, "temperature"),
        ({"n": 0}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": [1]}, "stop[0]"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"reasoning": {"depth": 1}}, "reasoning.depth"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"messages": []}, "messages"),
    ],
)
def test_what_cannot_be_carried_is_refused_at_its_place(fields: Any, param: str) -> None:
    assert refused(**fields).param == param


def survives(body: Any) -> None:
    """Any shape is read, or refused; what was read can be written, or is refused."""
    for write in (chat.write_request, responses.write_request):
        try:
            orjson.dumps(write(chat.read_request(body), "m"))
        except InvalidRequest:
            continue


def test_every_damage_to_a_good_call_is_a_refusal_at_worst() -> None:
    for _, body in mutations(CHAT_REQUEST):
        survives(body)


@given(damaged(CHAT_REQUEST))
def test_a_damaged_call_is_a_refusal_at_worst(body: Any) -> None:
    survives(body)


@given(ANY_JSON)
def test_any_json_is_a_refusal_at_worst(body: Any) -> None:
    survives(body)
