"""A Claude on Bedrock gets the settings that it gets at Anthropic, where Converse wants them."""

from typing import Any

import pytest

from gateway.dialects.converse.claude import Settings, claude_settings, is_claude
from gateway.dialects.neutral import (
    ChatRequest,
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
    ToolUse,
)

EARLY = "eu.anthropic.claude-sonnet-4-20250514-v1:0"
LATE = "eu.anthropic.claude-opus-4-8-v1"
DOCX = Media(MediaKind.FILE, mime="application/msword", data="x")


HELLO = [Message(Role.USER, [Text("Hi")])]


def settings(model: str = EARLY, messages: Any = HELLO, **said: Any) -> Settings:
    return claude_settings(ChatRequest("ours", messages, **said), model)


def test_a_claude_is_known_by_its_name() -> None:
    assert is_claude(EARLY)
    assert not is_claude("amazon.nova-lite-v1:0")


def test_nothing_said_sets_nothing() -> None:
    assert settings() == Settings({}, {}, None, None, thinks=True)


def test_sampling_is_said_to_both_sides() -> None:
    said = settings(max_tokens=9, temperature=1.5, top_k=4)
    assert (said.inference, said.fields) == ({"maxTokens": 9, "temperature": 1}, {"top_k": 4})
    assert settings(top_p=0.5).inference == {"topP": 0.5}


def test_an_early_model_has_a_budget_and_room_for_it() -> None:
    said = settings(thinking=Thinking(budget_tokens=2000), temperature=0.3)
    assert said.fields["thinking"]["type"] == "enabled"
    assert said.fields["thinking"]["budget_tokens"] == 2000 < said.inference["maxTokens"]
    assert "temperature" not in said.inference
    assert said.thinks


def test_a_late_model_has_an_effort() -> None:
    said = settings(LATE, thinking=Thinking("high"), temperature=0.3)
    assert said.fields["thinking"]["type"] == "adaptive"
    assert (said.effort, said.inference, said.thinks) == ("high", {}, True)


def test_who_shall_not_think_gets_no_thoughts_back() -> None:
    assert not settings(thinking=Thinking("none")).thinks


def test_a_round_of_calls_without_its_thoughts_goes_on_without_thinking() -> None:
    call = ToolUse("1", "f", "{}")
    signed: list[Part] = [Reasoning("Hm.", signature="anthropic:s"), call]
    for parts, thinks in ((signed, True), (signed[1:], False)):
        messages = [*HELLO, Message(Role.ASSISTANT, parts)]
        said = settings(messages=messages, thinking=Thinking(budget_tokens=2000), tools=[Tool("f")])
        assert said.thinks is thinks


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (None, {"type": "auto"}),
        (ToolChoice(ToolMode.REQUIRED), {"type": "any"}),
        (ToolChoice(ToolMode.NAMED, "f"), {"type": "tool", "name": "f"}),
    ],
)
def test_one_tool_at_a_time_is_said_past_converse(choice: ToolChoice | None, written: dict[str, str]) -> None:
    said = settings(tools=[Tool("f")], tool_choice=choice, parallel_tools=False)
    assert said.fields == {"tool_choice": {**written, "disable_parallel_tool_use": True}}
    assert settings(tools=[Tool("f")], tool_choice=choice).fields == {}


def test_a_schema_is_the_one_that_claude_takes() -> None:
    schema = settings(output=Output({"type": "object", "properties": {}})).schema
    assert schema == {"type": "object", "properties": {}, "additionalProperties": False}
    assert settings(output=Output()).schema is None


def test_what_only_converse_takes_does_not_matter_here() -> None:
    """Anthropic's dialect refuses a Word file; the settings of a call that holds one are still found."""
    assert settings(messages=[Message(Role.USER, [DOCX])], max_tokens=5).inference == {"maxTokens": 5}
    assert settings(messages=[Message(Role.SYSTEM, [Text("Hi")])], max_tokens=5).inference == {"maxTokens": 5}
