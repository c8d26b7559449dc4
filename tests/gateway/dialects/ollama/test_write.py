"""What is said to Ollama, and what can't be."""

from collections.abc import Sequence
from typing import Any

import pytest

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
from gateway.dialects.ollama.write import write_request
from gateway.errors import InvalidRequest
from gateway.exchange import Json

TOOL = Tool("weather", "Tells it.", {"type": "object", "properties": {"city": {"type": "string"}}}, strict=True)
PICTURE = Media(MediaKind.IMAGE, mime="image/png", data="aW1n", detail="high")


def asking(*messages: Message, **more: Any) -> ChatRequest:
    return ChatRequest("ours", messages or (Message(Role.USER, [Text("Hello")]),), **more)


def written(*messages: Message, model: str = "llama3.2", **more: Any) -> Json:
    return write_request(asking(*messages, **more), model)


def refused(request: ChatRequest) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        write_request(request, "llama3.2")
    return caught.value.param


def test_the_least_call_says_whether_it_streams() -> None:
    assert written() == {
        "model": "llama3.2", "messages": [{"role": "user", "content": "Hello"}], "stream": False,
    }  # fmt: skip
    assert written(stream=True)["stream"] is True


def test_sampling_goes_into_the_options_under_ollamas_names() -> None:
    body = written(
        max_tokens=9, temperature=0.0, top_p=0.5, top_k=4, frequency_penalty=0.1, presence_penalty=0.2, seed=0,
        stop=("a", "b"), user="u", metadata={"a": "b"},
    )  # fmt: skip
    assert body["options"] == {
        "num_predict": 9, "temperature": 0.0, "top_p": 0.5, "top_k": 4, "frequency_penalty": 0.1,
        "presence_penalty": 0.2, "seed": 0, "stop": ["a", "b"],
    }  # fmt: skip
    assert set(body) == {"model", "messages", "stream", "options"}


def test_images_stand_beside_the_text() -> None:
    [message] = written(Message(Role.USER, [Text("What"), PICTURE, Text("is it?")]))["messages"]
    assert message == {"role": "user", "content": "What\n\nis it?", "images": ["aW1n"]}


def test_a_developer_is_the_system_and_a_decline_is_text() -> None:
    messages = written(Message(Role.DEVELOPER, [Text("Be brief.")]), Message(Role.ASSISTANT, [Decline("No.")]))
    assert messages["messages"] == [
        {"role": "system", "content": "Be brief."}, {"role": "assistant", "content": "No."},
    ]  # fmt: skip


def test_each_result_of_a_tool_is_a_message_that_names_its_tool() -> None:
    calls = [ToolUse("1", "weather", '{"city":"Oslo"}'), ToolUse("2", "time", "")]
    results = [ToolResult("1", None, [Text("rain"), PICTURE]), ToolResult("2", "clock", [], is_error=True)]
    messages = written(Message(Role.ASSISTANT, [Text(""), *calls]), Message(Role.TOOL, results))["messages"]
    assert messages == [
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "1", "function": {"name": "weather", "arguments": {"city": "Oslo"}}},
            {"id": "2", "function": {"name": "time", "arguments": {}}},
        ]},
        {"role": "tool", "content": "rain", "images": ["aW1n"], "tool_call_id": "1", "tool_name": "weather"},
        {"role": "tool", "content": "", "tool_call_id": "2", "tool_name": "clock"},
    ]  # fmt: skip


def test_a_result_of_an_unknown_call_has_no_tool_name() -> None:
    [message] = written(Message(Role.TOOL, [ToolResult("9", None, [Text("x")])]))["messages"]
    assert message == {"role": "tool", "content": "x", "tool_call_id": "9"}


def test_thoughts_go_back_as_text_without_signature() -> None:
    thoughts = [Reasoning("I ", signature="anthropic:s"), Reasoning("", redacted="x"), Reasoning("think")]
    [message] = written(Message(Role.ASSISTANT, [*thoughts, Text("so")]))["messages"]
    assert message == {"role": "assistant", "content": "so", "thinking": "I think"}


def test_tools_are_functions_and_none_is_said_by_naming_none() -> None:
    tools = (TOOL, Tool("now"))
    assert written(tools=tools, tool_choice=ToolChoice(), parallel_tools=True)["tools"] == [
        {"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": TOOL.schema}},
        {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}},
    ]
    assert "tools" not in written(tools=tools, tool_choice=ToolChoice(ToolMode.NONE))


def test_structured_output_is_the_schema_or_json() -> None:
    assert written(output=Output())["format"] == "json"
    assert written(output=Output({"type": "object"}, "name", strict=True))["format"] == {"type": "object"}


@pytest.mark.parametrize(
    ("thinking", "model", "said"),
    [
        (Thinking(), "qwen3", None),
        (Thinking(summary="auto"), "qwen3", None),
        (Thinking("high"), "qwen3", True),
        (Thinking("none"), "qwen3", False),
        (Thinking(budget_tokens=0), "qwen3", False),
        (Thinking(budget_tokens=100), "qwen3", True),
        (Thinking("minimal"), "gpt-oss:20b", "low"),
        (Thinking("xhigh"), "GPT-OSS:20b", "high"),
        (Thinking(budget_tokens=100), "gpt-oss:20b", True),
        (Thinking("none"), "gpt-oss:20b", False),
    ],
)
def test_only_gpt_oss_has_levels_of_thought(thinking: Thinking, model: str, said: Any) -> None:
    assert written(thinking=thinking, model=model).get("think") == said


def test_log_probabilities_are_asked_for() -> None:
    body = written(logprobs=True, top_logprobs=3)
    assert (body["logprobs"], body["top_logprobs"]) == (True, 3)
    assert "top_logprobs" not in written(logprobs=True)
    assert "top_logprobs" not in written(top_logprobs=3)


def test_what_would_change_the_answer_is_refused_by_its_name() -> None:
    assert refused(asking(choices=2)) == "choices"
    assert refused(asking(tools=[TOOL], tool_choice=ToolChoice(ToolMode.REQUIRED))) == "tool_choice"
    assert refused(asking(tools=[TOOL], tool_choice=ToolChoice(ToolMode.NAMED, "weather"))) == "tool_choice"
    assert refused(asking(tools=[TOOL], parallel_tools=False)) == "parallel_tools"
    assert "tools" not in written(parallel_tools=False, tool_choice=ToolChoice(ToolMode.REQUIRED))


@pytest.mark.parametrize(
    "part",
    [
        Media(MediaKind.IMAGE, url="https://example.org/x.png"),
        Media(MediaKind.IMAGE, file_id="file-1"),
        Media(MediaKind.AUDIO, mime="audio/wav", data="x"),
        Media(MediaKind.FILE, mime="application/pdf", data="x"),
        ToolUse("1", "f", "{broken"),
        ToolUse("1", "f", "[]"),
        ToolUse("1", "f", '{"a":' * 600 + "1" + "}" * 600),
    ],
)
def test_a_part_that_ollama_has_no_word_for_is_refused_with_its_place(part: Part) -> None:
    parts: Sequence[Part] = [Text("See:"), part]
    assert refused(asking(Message(Role.USER, [Text("Hi")]), Message(Role.ASSISTANT, parts))) == "messages[1]"
