"""Calls written for OpenAI's responses."""

from typing import Any

import pytest

from gateway.dialects import responses
from gateway.dialects.neutral import (
    ChatRequest,
    Decline,
    Media,
    MediaKind,
    Message,
    Output,
    Part,
    Reasoning,
    Role,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolMode,
    ToolResult,
    ToolUse,
)
from gateway.errors import InvalidRequest
from tests.gateway.dialects.openai_examples import RESPONSES_REQUEST

HELLO = [Message(Role.USER, [Text("hello")])]
ENCRYPTED = "reasoning.encrypted_content"


def written(*messages: Message, **fields: Any) -> Any:
    return responses.write_request(ChatRequest(model="asked", messages=messages or HELLO, **fields), "gpt-5")


def said(*parts: Part) -> Any:
    return written(Message(Role.ASSISTANT, parts))["input"]


def test_what_was_read_means_the_same_when_it_is_written() -> None:
    request = responses.read_request(RESPONSES_REQUEST)
    body = responses.write_request(request, "gpt-5")
    assert responses.read_request(body) == request
    same = set(RESPONSES_REQUEST) - {"input", "instructions", "text"}
    assert {name: body[name] for name in same} == {name: RESPONSES_REQUEST[name] for name in same}


def test_a_call_that_says_little_is_written_with_little_and_never_stored() -> None:
    content = [{"type": "input_text", "text": "hello"}]
    assert written() == {
        "model": "gpt-5",
        "input": [{"type": "message", "role": "user", "content": content}],
        "store": False,
    }


def test_encrypted_thoughts_are_asked_for_only_where_it_is_about_thoughts() -> None:
    assert "include" not in written()
    assert "include" not in written(thinking=Thinking("none"))
    assert written(thinking=Thinking("low"))["include"] == [ENCRYPTED]
    thought = Message(Role.ASSISTANT, [Reasoning("", "openai:s")])
    assert written(thought, *HELLO)["include"] == [ENCRYPTED]


def test_only_thoughts_that_openai_sealed_go_back() -> None:
    assert said(Reasoning("a"), Reasoning("b", "anthropic:s"), Reasoning("", redacted="anthropic:d")) == []
    assert said(Reasoning("c", "openai:s")) == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "c"}], "encrypted_content": "s"}
    ]


def test_each_part_of_an_answer_is_an_item() -> None:
    items = said(Text("a"), Decline("no"), ToolUse("c", "f", ""))
    assert [item["type"] for item in items] == ["message", "message", "function_call"]
    assert items[0]["content"] == [{"type": "output_text", "text": "a"}]
    assert items[1]["content"] == [{"type": "refusal", "refusal": "no"}]
    assert items[2]["arguments"] == "{}"


def test_tools_are_not_strict_unless_it_was_asked_for() -> None:
    (tool,) = written(tools=[Tool("f")])["tools"]
    assert tool == {"type": "function", "name": "f", "parameters": None, "strict": False}


def test_how_tools_are_chosen_is_left_out_where_there_are_none() -> None:
    assert written(tool_choice=ToolChoice(ToolMode.REQUIRED), parallel_tools=True) == written()
    assert written(tools=[Tool("f")], tool_choice=ToolChoice(ToolMode.NONE))["tool_choice"] == "none"


def test_structured_output_and_thinking_have_their_places() -> None:
    assert written(output=Output())["text"] == {"format": {"type": "json_object"}}
    assert written(thinking=Thinking(budget_tokens=9000, summary="none"))["reasoning"] == {"effort": "high"}
    assert "reasoning" not in written(thinking=Thinking())


@pytest.mark.parametrize(("fields", "param"), [({"stop": ("x",)}, "stop"), ({"choices": 2}, "n")])
def test_what_would_change_the_answer_is_refused(fields: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(**fields)
    assert caught.value.param == param


def test_what_is_dropped_by_name_is_not_written() -> None:
    fields = {"top_k": 4, "seed": 1, "frequency_penalty": 1.0, "presence_penalty": 1.0}
    assert set(fields) <= set(responses.DROPPED)
    assert written(**fields) == written()


def test_an_empty_result_is_empty_text() -> None:
    result = Message(Role.TOOL, [ToolResult("c", "f", [])])
    assert written(result)["input"] == [{"type": "function_call_output", "call_id": "c", "output": ""}]


def test_a_sound_at_an_address_is_refused_at_its_message() -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(*HELLO, Message(Role.USER, [Media(MediaKind.AUDIO, url="https://x.test/a")]))
    assert caught.value.param == "messages[1]"
