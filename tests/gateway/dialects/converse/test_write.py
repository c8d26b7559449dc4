"""What is said to Converse, and what can't be."""

from typing import Any

import orjson
import pytest

from gateway.dialects.converse.write import write_request
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
    ToolResult,
    ToolUse,
)
from gateway.errors import InvalidRequest
from gateway.exchange import Json

NOVA, CLAUDE = "amazon.nova-lite-v1:0", "anthropic.claude-sonnet-4-20250514-v1:0"
HELLO = [Message(Role.USER, [Text("Hello")])]
TURNS = [{"role": "user", "content": [{"text": "Hello"}]}]
CALLED = [
    *HELLO, Message(Role.ASSISTANT, [ToolUse("1", "f", "{}")]), Message(Role.TOOL, [ToolResult("1", None, [])])
]  # fmt: skip


def written(model: str = NOVA, messages: Any = HELLO, **said: Any) -> Json:
    return write_request(ChatRequest("ours", messages, **said), model)


def refused(model: str = NOVA, messages: Any = HELLO, **said: Any) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        written(model, messages, **said)
    return caught.value.param


@pytest.mark.parametrize("model", [NOVA, CLAUDE])
def test_the_least_call_is_its_turns(model: str) -> None:
    assert written(model) == {"messages": TURNS}
    assert written(model, stream=True, user="u", seed=1, frequency_penalty=1.0, presence_penalty=1.0) == {
        "messages": TURNS
    }


def test_inference_is_set_within_converses_scale() -> None:
    body = written(max_tokens=9, temperature=1.7, top_p=0.5, top_k=4, stop=("a",))
    assert body["inferenceConfig"] == {"maxTokens": 9, "temperature": 1, "topP": 0.5, "stopSequences": ["a"]}
    assert set(body) == {"messages", "inferenceConfig"}


def test_a_claude_gets_its_own_settings_and_tells_which_sequence_stopped_it() -> None:
    body = written(CLAUDE, top_k=4, stop=("a",), tools=[Tool("f")], parallel_tools=False)
    assert body["additionalModelRequestFields"] == {
        "top_k": 4, "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }  # fmt: skip
    assert body["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert body["inferenceConfig"] == {"stopSequences": ["a"]}


def test_the_system_stands_apart_and_alone_is_asked_in_the_users_name() -> None:
    system = Message(Role.SYSTEM, [Text("Hello")])
    assert written(messages=[system, *HELLO]) == {"messages": TURNS, "system": [{"text": "Hello"}]}
    assert written(messages=[system]) == {"messages": TURNS}
    assert refused(messages=[Message(Role.USER, [Text(" ")])]) == "messages"
    assert refused(messages=[]) == "messages"


def test_tools_and_the_choice_among_them() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = [Tool("weather", "Tells it.", schema, strict=True), Tool("now", "")]
    config = written(tools=tools, parallel_tools=True)["toolConfig"]
    assert config == {"tools": [
        {"toolSpec": {
            "name": "weather", "description": "Tells it.", "inputSchema": {"json": schema}, "strict": True,
        }},
        {"toolSpec": {"name": "now", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
    ]}  # fmt: skip
    choices = [ToolChoice(), ToolChoice(ToolMode.REQUIRED), ToolChoice(ToolMode.NAMED, "now")]
    assert [written(tools=tools, tool_choice=choice)["toolConfig"]["toolChoice"] for choice in choices] == [
        {"auto": {}}, {"any": {}}, {"tool": {"name": "now"}},
    ]  # fmt: skip


def test_no_tool_can_be_said_only_where_none_was_called() -> None:
    none = ToolChoice(ToolMode.NONE)
    assert "toolConfig" not in written(tools=[Tool("f")], tool_choice=none)
    assert refused(messages=CALLED, tools=[Tool("f")], tool_choice=none) == "tool_choice"
    assert refused(messages=CALLED) == "tools"
    assert "toolConfig" in written(messages=CALLED, tools=[Tool("f")])


def test_a_schema_goes_as_text_with_a_name() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    for model in (NOVA, CLAUDE):
        form = written(model, output=Output(schema, description="An answer."))["outputConfig"]["textFormat"]
        assert form["type"] == "json_schema"
        said = form["structure"]["jsonSchema"]
        assert (said["name"], said["description"], orjson.loads(said["schema"])) == ("answer", "An answer.", schema)


def test_json_without_a_schema_is_a_sentence_of_the_system() -> None:
    body = written(output=Output())
    assert "outputConfig" not in body
    assert "JSON" in body["system"][0]["text"]


def test_a_schema_too_deep_to_be_written_is_refused() -> None:
    schema: Any = {"type": "object"}
    for _ in range(400):
        schema = {"not": schema}
    assert refused(output=Output(schema)) == "output"


@pytest.mark.parametrize(
    ("thinking", "said"),
    [
        (Thinking("minimal"), {"effort": "low"}),
        (Thinking("xhigh"), {"effort": "xhigh"}),
        (Thinking("none"), None),
        (Thinking(budget_tokens=5000), None),
    ],
)
def test_other_makers_models_get_an_effort(thinking: Thinking, said: Json | None) -> None:
    assert written(thinking=thinking).get("outputConfig") == said


def test_metadata_is_logged_where_aws_takes_it() -> None:
    fits = {f"k{i}": "v" for i in range(20)}
    assert written(metadata={"team": "a b", "ü": "x", "x": "ü", "": "x", "long": "x" * 257})["requestMetadata"] == {
        "team": "a b"
    }
    assert len(written(metadata=fits)["requestMetadata"]) == 16


def test_what_would_change_the_answer_is_refused_by_its_name() -> None:
    assert refused(choices=2) == "choices"
    assert refused(logprobs=True) == "logprobs"
    assert refused(tools=[Tool("f")], parallel_tools=False) == "parallel_tools"
    assert written(parallel_tools=False) == {"messages": TURNS}
