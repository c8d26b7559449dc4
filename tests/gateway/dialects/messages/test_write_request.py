"""A call of any client, written for Anthropic."""

from dataclasses import replace
from typing import Any

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import TypeAdapter

from gateway.dialects.messages.read_request import read_request
from gateway.dialects.messages.write_request import DEFAULT_MAX_TOKENS, write_request
from gateway.dialects.neutral import (
    ChatRequest,
    Message,
    Output,
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
from tests.gateway.dialects.messages.test_read_request import RICH

EARLY, LATE = "claude-haiku-4-5", "claude-opus-5"
HI = Message(Role.USER, (Text("Hi"),))
PLAIN = ChatRequest("any", (HI,))
TOOL = Tool("weather", "The weather", {"type": "object", "properties": {"city": {"type": "string"}}}, strict=True)


def written(model: str = EARLY, **said: Any) -> dict[str, Any]:
    return write_request(replace(PLAIN, **said), model)


def test_a_limit_is_always_written() -> None:
    assert write_request(PLAIN, EARLY) == {
        "model": EARLY,
        "max_tokens": DEFAULT_MAX_TOKENS,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }
    assert written(max_tokens=7)["max_tokens"] == 7


def test_what_came_in_this_dialect_goes_out_the_same() -> None:
    out = write_request(read_request(RICH), EARLY)
    assert out["system"] == [{"type": "text", "text": "Be brief."}]
    assert out["stream"] is True
    assert out["stop_sequences"] == ["END"]
    assert out["tool_choice"] == RICH["tool_choice"]
    assert out["metadata"] == RICH["metadata"]
    assert out["thinking"] == {"type": "enabled", "budget_tokens": 1024, "display": "summarized"}
    assert out["messages"][1:] == [RICH["messages"][1], {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "12"}]}]}]  # fmt: skip
    assert "temperature" not in out, "a model that thinks takes none"
    TypeAdapter(MessageCreateParamsNonStreaming).validate_python({**out, "stream": False})


def test_sampling_is_written_as_far_as_the_model_takes_it() -> None:
    assert written(temperature=1.7, top_p=0.5, top_k=3).items() >= {"temperature": 1, "top_k": 3}.items()
    assert "top_p" not in written(temperature=0.1, top_p=0.5)
    assert written(top_p=0.5)["top_p"] == 0.5
    late = written(LATE, temperature=0.1, top_p=0.5, top_k=3)
    assert not {"temperature", "top_p", "top_k"} & set(late)


def test_a_best_effort_is_dropped_and_what_changes_the_answer_is_refused() -> None:
    assert written(seed=1, frequency_penalty=0.5, presence_penalty=0.5, metadata={"a": "b"}) == written()
    for said in ({"choices": 2}, {"logprobs": True}):
        with pytest.raises(InvalidRequest) as refusal:
            written(**said)
        assert refusal.value.param in said


@pytest.mark.parametrize(
    ("choice", "parallel", "said"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(), None, {"type": "auto"}),
        (ToolChoice(ToolMode.NONE), False, {"type": "none"}),
        (ToolChoice(ToolMode.REQUIRED), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice(ToolMode.NAMED, "weather"), None, {"type": "tool", "name": "weather"}),
    ],
)
def test_tools_and_their_choice(choice: ToolChoice | None, parallel: bool | None, said: Any) -> None:
    out = written(tools=(TOOL,), tool_choice=choice, parallel_tools=parallel)
    assert out["tools"] == [{"name": "weather", "description": "The weather", "input_schema": TOOL.schema}]
    assert out.get("tool_choice") == said


def test_a_choice_without_tools_is_not_said() -> None:
    assert "tool_choice" not in written(tool_choice=ToolChoice(ToolMode.NONE))


def test_a_schema_is_always_that_of_an_object() -> None:
    (bare, loose) = written(tools=(Tool("a"), Tool("b", schema={"properties": {}})))["tools"]
    assert bare == {"name": "a", "input_schema": {"type": "object", "properties": {}}}
    assert loose["input_schema"] == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("model", "thinking", "limit", "said"),
    [
        (EARLY, Thinking("low"), None, {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 5120}),
        (EARLY, Thinking("high"), 3000, {"thinking": {"type": "enabled", "budget_tokens": 2999}, "max_tokens": 3000}),
        (EARLY, Thinking("high"), 1024, {"max_tokens": 1024}),
        (EARLY, Thinking(None, 2000, "none"), 9000,
         {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}}),
        (EARLY, Thinking("none"), None, {"thinking": {"type": "disabled"}, "max_tokens": DEFAULT_MAX_TOKENS}),
        (LATE, Thinking("minimal"), None, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (LATE, Thinking(None, 9000, "auto"), 10,
         {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}}),
        (LATE, Thinking(), None, {"thinking": {"type": "adaptive"}}),
        (LATE, None, None, {}),
    ],
)  # fmt: skip
def test_thinking_is_said_as_the_model_takes_it(
    model: str, thinking: Thinking | None, limit: int | None, said: Any
) -> None:
    out = written(model, thinking=thinking, max_tokens=limit)
    assert out.items() >= said.items()
    assert {"thinking", "output_config"} & set(out) == {"thinking", "output_config"} & set(said)


def test_a_model_that_may_not_think_is_not_asked_to() -> None:
    called = (
        HI, Message(Role.ASSISTANT, (Reasoning("Hm", "anthropic:s"), ToolUse("c", "weather", "{}"))),
        Message(Role.TOOL, (ToolResult("c", None, (Text("1"),)),)),
    )  # fmt: skip
    forced = written(
        tools=(TOOL,), tool_choice=ToolChoice(ToolMode.REQUIRED), thinking=Thinking("low"), temperature=0.2,
        messages=called,
    )  # fmt: skip
    assert "thinking" not in forced
    assert forced["temperature"] == 0.2
    assert [block["type"] for block in forced["messages"][1]["content"]] == ["tool_use"]
    unsigned = (HI, Message(Role.ASSISTANT, (ToolUse("c", "weather", "{}"),)), called[2])
    assert "thinking" not in written(messages=unsigned, thinking=Thinking("low"))
    assert "thinking" in written(messages=called, thinking=Thinking("low"))


def test_a_schema_for_the_answer_is_asked_for_natively() -> None:
    out = written(output=Output({"type": "object"}, name="person"), thinking=Thinking("low"), model=LATE)
    schema = {"type": "object", "additionalProperties": False}
    assert out["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": schema}}
    assert "system" not in out


@pytest.mark.parametrize("model", ["claude-3-5-sonnet-latest", "claude-sonnet-4-20250514", "glm-4.6"])
def test_early_models_are_shown_the_schema_instead(model: str) -> None:
    out = written(model, output=Output({"type": "object"}))
    assert "output_config" not in out
    assert out["system"][0]["text"].endswith('{"type":"object"}')


def test_json_without_a_schema_is_asked_for_in_words() -> None:
    out = written(output=Output(), messages=(Message(Role.SYSTEM, (Text("Be brief."),)), HI))
    assert "output_config" not in out
    assert [block["text"][:6] for block in out["system"]] == ["Be bri", "Answer"]


def test_a_conversation_of_the_system_alone_still_has_a_turn() -> None:
    out = written(messages=(Message(Role.DEVELOPER, (Text("Tell a joke."),)),))
    assert "system" not in out
    assert out["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Tell a joke."}]}]
    with pytest.raises(InvalidRequest):
        written(messages=())
