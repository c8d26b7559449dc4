"""A call of any client, written for Gemini."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.dialects.gemini.read_request import read_request
from gateway.dialects.gemini.write_request import write_request
from gateway.dialects.neutral import ChatRequest, Message, Output, Role, Text, Thinking, Tool, ToolChoice, ToolMode
from gateway.errors import InvalidRequest
from tests.gateway.dialects.gemini.test_read_request import RICH, SCHEMA

EARLY, LATE = "gemini-2.5-flash", "gemini-3-pro-preview"
PLAIN = ChatRequest("any", (Message(Role.USER, (Text("Hi"),)),))
TOOL = Tool("weather", "The weather", {"$schema": "x", **SCHEMA}, strict=True)


def written(model: str = EARLY, **said: Any) -> dict[str, Any]:
    return write_request(replace(PLAIN, **said), model)


def test_a_call_says_nothing_that_was_not_said() -> None:
    assert write_request(PLAIN, EARLY) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


def test_what_came_in_this_dialect_goes_out_the_same() -> None:
    request = replace(read_request(RICH), stream=False)
    out = write_request(request, EARLY)
    config = {k: v for k, v in RICH["generationConfig"].items() if k not in ("responseSchema", "responseModalities")}
    assert out["generationConfig"] == {**config, "responseJsonSchema": SCHEMA}
    assert out["toolConfig"] == RICH["toolConfig"]
    assert out["systemInstruction"] == RICH["systemInstruction"]
    assert out["tools"][0]["functionDeclarations"][0] == {
        "name": "weather", "description": "The weather", "parametersJsonSchema": SCHEMA,
    }  # fmt: skip
    assert out["contents"][0] == RICH["contents"][0]
    assert out["contents"][1]["parts"] == [RICH["contents"][1]["parts"][1]], "thoughts stay, their signature goes"
    assert out["contents"][2] == RICH["contents"][2]
    assert read_request({**out, "model": "gemini-2.5-flash"}).tools == request.tools


def test_what_gemini_cannot_say_is_dropped_or_refused() -> None:
    assert written(parallel_tools=False, user="u", metadata={"a": "b"}) == written()
    with pytest.raises(InvalidRequest) as refusal:
        written(stream=True, choices=2)
    assert refusal.value.param == "choices"
    assert written(choices=2)["generationConfig"] == {"candidateCount": 2}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ToolChoice(), {"mode": "AUTO"}),
        (ToolChoice(ToolMode.NONE), {"mode": "NONE"}),
        (ToolChoice(ToolMode.REQUIRED), {"mode": "ANY"}),
        (ToolChoice(ToolMode.NAMED, "weather"), {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
    ],
)
def test_tools_and_their_choice(choice: ToolChoice, said: Any) -> None:
    out = written(tools=(TOOL, Tool("now")), tool_choice=choice)
    assert out["toolConfig"] == {"functionCallingConfig": said}
    assert out["tools"] == [{"functionDeclarations": [
        {"name": "weather", "description": "The weather", "parametersJsonSchema": SCHEMA}, {"name": "now"},
    ]}]  # fmt: skip
    assert "toolConfig" not in written(tool_choice=choice)


@pytest.mark.parametrize(
    ("model", "thinking", "said"),
    [
        (EARLY, Thinking("none"), {"thinkingBudget": 0}),
        (EARLY, Thinking("high", summary="auto"), {"thinkingBudget": 24576, "includeThoughts": True}),
        (EARLY, Thinking(None, 99, "none"), {"thinkingBudget": 99, "includeThoughts": False}),
        (LATE, Thinking("none"), {"thinkingLevel": "MINIMAL"}),
        (LATE, Thinking("xhigh"), {"thinkingLevel": "HIGH"}),
        (LATE, Thinking(None, 99), {"thinkingBudget": 99}),
        (LATE, Thinking(), None),
        (LATE, None, None),
    ],
)
def test_thinking_is_said_as_the_model_takes_it(model: str, thinking: Thinking | None, said: Any) -> None:
    assert written(model, thinking=thinking).get("generationConfig", {}).get("thinkingConfig") == said


def test_log_probabilities_are_asked_for_together() -> None:
    assert written(logprobs=True, top_logprobs=2)["generationConfig"] == {"responseLogprobs": True, "logprobs": 2}
    assert "generationConfig" not in written(top_logprobs=2)


def test_json_needs_no_schema() -> None:
    assert written(output=Output())["generationConfig"] == {"responseMimeType": "application/json"}


def test_a_conversation_of_the_system_alone_still_has_a_content() -> None:
    out = written(messages=(Message(Role.SYSTEM, (Text("Tell a joke."),)),))
    assert out == {"contents": [{"role": "user", "parts": [{"text": "Tell a joke."}]}]}
    with pytest.raises(InvalidRequest):
        written(messages=())
