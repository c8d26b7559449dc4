"""Calls written for servers that speak chat completions."""

from typing import Any

import pytest

from gateway.dialects import chat
from gateway.dialects.neutral import ChatRequest, Message, Output, Role, Text, Thinking, Tool, ToolChoice, ToolMode
from tests.gateway.dialects.openai_examples import CHAT_REQUEST

HELLO = [Message(Role.USER, [Text("hello")])]


def written(model: str = "gpt-5", **fields: Any) -> Any:
    return chat.write_request(ChatRequest(model="asked", messages=HELLO, **fields), model)


def test_what_was_read_is_written_again_less_what_is_dropped_by_name() -> None:
    body = chat.write_request(chat.read_request(CHAT_REQUEST), "gpt-5")
    dropped = {"metadata", "store", "service_tier"}
    assert "metadata" in chat.DROPPED
    assert {"store", "service_tier"} <= set(chat.IGNORED)
    assert set(CHAT_REQUEST) - set(body) == dropped
    assert {name: body[name] for name in body if name != "messages"} == {
        name: value for name, value in CHAT_REQUEST.items() if name not in dropped | {"messages"}
    }


def test_a_call_that_says_little_is_written_with_little() -> None:
    assert written() == {"model": "gpt-5", "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o", "max_completion_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("openai/gpt-5", "max_completion_tokens"),
        ("gpt-oss-120b", "max_tokens"),
        ("deepseek-chat", "max_tokens"),
        ("qwen3:8b", "max_tokens"),
    ],
)
def test_the_token_limit_has_the_name_that_the_server_knows(model: str, name: str) -> None:
    body = written(model, max_tokens=7)
    assert body[name] == 7
    assert len({"max_tokens", "max_completion_tokens"} & set(body)) == 1


def test_a_stream_always_asks_for_its_usage() -> None:
    assert written(stream=True)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        (Thinking("minimal"), "minimal"),
        (Thinking(budget_tokens=0), "none"),
        (Thinking(budget_tokens=1024), "low"),
        (Thinking(budget_tokens=4096), "medium"),
        (Thinking(budget_tokens=32000), "high"),
        (Thinking("high", budget_tokens=1), "high"),
        (Thinking(summary="auto"), None),
    ],
)
def test_a_budget_of_thoughts_becomes_an_effort(thinking: Thinking, effort: str | None) -> None:
    assert written(thinking=thinking).get("reasoning_effort") == effort


def test_how_tools_are_chosen_is_left_out_where_there_are_none() -> None:
    choice = ToolChoice(ToolMode.REQUIRED)
    assert set(written(tool_choice=choice, parallel_tools=False)) == {"model", "messages"}
    body = written(tools=[Tool("f")], tool_choice=choice, parallel_tools=False)
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)
    assert body["tools"] == [{"type": "function", "function": {"name": "f"}}]


def test_a_schema_without_a_name_gets_one_for_the_dialect_insists() -> None:
    assert written(output=Output({"type": "object"}))["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}},
    }
    assert written(output=Output())["response_format"] == {"type": "json_object"}


def test_the_likeliest_tokens_are_asked_for_only_with_the_tokens() -> None:
    assert written(top_logprobs=0) == written()
    assert written(logprobs=True, top_logprobs=3)["top_logprobs"] == 3


def test_what_is_dropped_by_name_is_not_written() -> None:
    assert written(top_k=4, metadata={"a": "b"}, thinking=Thinking(summary="auto")) == written()
