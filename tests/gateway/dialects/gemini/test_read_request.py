"""A client's call in Gemini's dialect: every field is carried, ignored by name, or refused by name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.gemini.read_request import IGNORED, REFUSED, read_request
from gateway.dialects.neutral import ChatRequest, Message, Output, Role, Text, Thinking, Tool, ToolChoice, ToolMode
from gateway.errors import InvalidRequest
from tests.gateway.dialects.hostile import ANY_JSON
from tests.gateway.dialects.mutations import mutations

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
OLDER = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}
PLAIN: dict[str, Any] = {"model": "m", "contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
RICH: dict[str, Any] = {
    "model": "models/gemini-2.5-flash",
    "stream": True,
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {"role": "user", "parts": [{"text": "Weather?"}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
                                   {"fileData": {"mimeType": "image/png", "fileUri": "https://a.b/c.png"}}]},
        {"role": "model", "parts": [{"text": "Hm", "thought": True},
                                    {"functionCall": {"name": "weather", "args": {"city": "Oslo"}},
                                     "thoughtSignature": "c2ln"}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"output": "12"}}}]},
    ],
    "generationConfig": {
        "temperature": 1.5, "topP": 0.9, "topK": 40.0, "candidateCount": 2, "maxOutputTokens": 100,
        "stopSequences": ["END"], "seed": 7, "presencePenalty": 0.1, "frequencyPenalty": 0.2,
        "responseMimeType": "application/json", "responseSchema": OLDER, "responseLogprobs": True, "logprobs": 3,
        "thinkingConfig": {"thinkingBudget": 512, "includeThoughts": True}, "responseModalities": ["TEXT"],
    },
    "tools": [{"functionDeclarations": [
        {"name": "weather", "description": "The weather", "parameters": OLDER},
        {"name": "now", "parameters_json_schema": SCHEMA},
    ]}],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "labels": {"team": "a"},
}  # fmt: skip


def test_all_that_is_said_is_read() -> None:
    request = read_request(RICH)
    assert request == ChatRequest(
        model="gemini-2.5-flash", messages=request.messages, stream=True, max_tokens=100, temperature=1.5, top_p=0.9,
        top_k=40, frequency_penalty=0.2, presence_penalty=0.1, seed=7, stop=("END",), choices=2, logprobs=True,
        top_logprobs=3, tools=(Tool("weather", "The weather", SCHEMA), Tool("now", schema=SCHEMA)),
        tool_choice=ToolChoice(), output=Output(SCHEMA, strict=True), thinking=Thinking(None, 512, "auto"),
        metadata={"team": "a"},
    )  # fmt: skip
    assert [message.role for message in request.messages] == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL]


def test_what_is_not_said_is_left_to_the_provider() -> None:
    assert read_request(PLAIN) == ChatRequest("m", (Message(Role.USER, (Text("Hi"),)),))


def test_fields_may_be_in_snake_case() -> None:
    said = {"system_instruction": {"parts": [{"text": "Be brief."}]}, "generation_config": {"top_k": 3},
            "tools": [{"function_declarations": [{"name": "f"}]}]}  # fmt: skip
    request = read_request({**PLAIN, **said})
    assert (request.top_k, request.tools, len(request.messages)) == (3, (Tool("f"),), 2)


@pytest.mark.parametrize(
    ("config", "choice", "names"),
    [
        ({"mode": "ANY"}, ToolChoice(ToolMode.REQUIRED), ["a", "b", "c"]),
        ({"mode": "NONE"}, ToolChoice(ToolMode.NONE), ["a", "b", "c"]),
        ({"mode": "VALIDATED"}, ToolChoice(ToolMode.AUTO), ["a", "b", "c"]),
        ({}, ToolChoice(ToolMode.AUTO), ["a", "b", "c"]),
        ({"mode": "ANY", "allowedFunctionNames": ["b"]}, ToolChoice(ToolMode.NAMED, "b"), ["a", "b", "c"]),
        ({"mode": "ANY", "allowed_function_names": ["a", "c"]}, ToolChoice(ToolMode.REQUIRED), ["a", "c"]),
    ],
)
def test_functions_that_may_not_be_called_are_not_offered(config: Any, choice: ToolChoice, names: list[str]) -> None:
    tools = [{"functionDeclarations": [{"name": name}]} for name in "abc"]
    request = read_request({**PLAIN, "tools": tools, "toolConfig": {"functionCallingConfig": config}})
    assert request.tool_choice == choice
    assert [tool.name for tool in request.tools] == names


@pytest.mark.parametrize(
    ("config", "thinking"),
    [
        ({"thinkingBudget": 0}, Thinking("none")),
        ({"thinkingBudget": -1}, Thinking()),
        ({"thinkingLevel": "LOW", "includeThoughts": False}, Thinking("low", summary="none")),
        ({"thinking_level": "high"}, Thinking("high")),
    ],
)
def test_thinking_is_a_budget_or_a_level(config: Any, thinking: Thinking) -> None:
    assert read_request({**PLAIN, "generationConfig": {"thinkingConfig": config}}).thinking == thinking


@pytest.mark.parametrize(
    ("config", "output"),
    [
        ({"responseMimeType": "application/json"}, Output()),
        ({"responseMimeType": "text/plain"}, None),
        ({"responseJsonSchema": SCHEMA}, Output(SCHEMA, strict=True)),
        ({"response_json_schema": SCHEMA, "response_mime_type": "application/json"}, Output(SCHEMA, strict=True)),
        ({"_responseJsonSchema": SCHEMA}, Output(SCHEMA, strict=True)),
    ],
)
def test_output_may_be_json_with_or_without_a_schema(config: Any, output: Output | None) -> None:
    assert read_request({**PLAIN, "generationConfig": config}).output == output


def put(path: str, value: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"functionDeclarations": [{"name": "f"}]}
    *holders, field = path.split(".")
    match holders:
        case []:
            return {**PLAIN, field: value}
        case ["generationConfig" | "toolConfig" as holder]:
            return {**PLAIN, holder: {field: value}}
        case ["toolConfig", "functionCallingConfig"]:
            return {**PLAIN, "toolConfig": {"functionCallingConfig": {field: value}}}
        case ["contents[]", "parts[]"]:
            return {**PLAIN, "contents": [{"parts": [{"text": "Hi", field: value}]}]}
    body["functionDeclarations"][0][field] = value
    return {**PLAIN, "tools": [body]}


@pytest.mark.parametrize("path", IGNORED)
def test_hints_are_taken_and_say_nothing(path: str) -> None:
    if not path.endswith("scheduling"):  # a response's alone
        assert read_request(put(path, {"any": 1})).messages == read_request(PLAIN).messages


@pytest.mark.parametrize("path", [*REFUSED, "surprise", "generationConfig.surprise", "toolConfig.surprise"])
def test_other_fields_are_refused_by_name(path: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_request(put(path, "x"))
    assert refusal.value.param == path


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"tools": [{"googleSearch": {"any": 1}}]}, "tools[0].googleSearch"),
        ({"tools": [{"codeExecution": {}}]}, "tools[0].codeExecution"),
        ({"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}, "generationConfig.responseModalities"),
        ({"generationConfig": {"responseMimeType": "text/x.enum"}}, "generationConfig.responseMimeType"),
        ({"generationConfig": {"responseMimeType": "text/plain", "responseSchema": OLDER}},
         "generationConfig.responseMimeType"),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "EXTREME"}}},
         "generationConfig.thinkingConfig.thinkingLevel"),
        ({"model": None}, "model"),
    ],
)  # fmt: skip
def test_what_only_google_can_do_is_refused(said: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_request({**PLAIN, **said})
    assert refusal.value.param == param


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
