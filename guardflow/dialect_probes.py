"""What a conversation may ask for, as each client's dialect says it: the rows of docs/dialects.md.

Data alone. A probe's marks are values that stand nowhere else: where all of them come out, it was carried whole.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.exchange import Endpoint, Json

CHAT, RESPONSES, MESSAGES, GENERATE = Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.MESSAGES, Endpoint.GENERATE

PLAIN: Mapping[Endpoint, Json] = {
    CHAT: {"model": "m", "messages": [{"role": "user", "content": "Hello"}]},
    RESPONSES: {"model": "m", "input": [{"role": "user", "content": "Hello"}]},
    MESSAGES: {"model": "m", "max_tokens": 2000, "messages": [{"role": "user", "content": "Hello"}]},
    GENERATE: {"model": "m", "contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
}
"""The call that every probe changes."""


class Probe(NamedTuple):
    """`said`: what is changed in the plain call, by the dialect that can say it. `reasons`: where in a provider's
    `DROPPED` it says why this is lost or changed. `beside`: a probe that this one needs."""

    name: str
    reasons: tuple[str, ...]
    marks: tuple[str | int | float, ...]
    said: Mapping[Endpoint, Json]
    beside: str | None = None


def _turns(chat: Any, responses: Any = None, messages: Any = None, generate: Any = None) -> Mapping[Endpoint, Json]:
    """Conversations, where the dialect has one for this."""
    given = {CHAT: chat, RESPONSES: responses, MESSAGES: messages, GENERATE: generate}
    names = {CHAT: "messages", RESPONSES: "input", MESSAGES: "messages", GENERATE: "contents"}
    return {endpoint: {names[endpoint]: turns} for endpoint, turns in given.items() if turns is not None}


def _by_user(chat: Any, responses: Any = None, messages: Any = None, generate: Any = None) -> Mapping[Endpoint, Json]:
    """One part of the user's."""
    return _turns(
        [{"role": "user", "content": [chat]}] if chat else None,
        [{"role": "user", "content": [responses]}] if responses else None,
        [{"role": "user", "content": [messages]}] if messages else None,
        [{"role": "user", "parts": [generate]}] if generate else None,
    )


def _config(**fields: Any) -> Json:
    return {"generationConfig": fields}


_PNG, _WAV, _PDF = "iVBORw0KGgo=", "UklGRgAA", "JVBERi0x"
_URL = "https://example.org/a.png"
_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_ANSWER = {"type": "object", "properties": {"verdict": {"type": "string"}}, "required": ["verdict"],
           "additionalProperties": False}  # fmt: skip
_HELLO, _ARGUMENTS = {"role": "user", "content": "Hello"}, '{"city":"Oslo"}'
_TALK = [_HELLO, {"role": "assistant", "content": "Ahoy"}, {"role": "user", "content": "Go on"}]
_CHAT_CALL = {"id": "call_7", "type": "function", "function": {"name": "weather", "arguments": _ARGUMENTS}}
_RESPONSES_CALL = {"type": "function_call", "call_id": "call_7", "name": "weather", "arguments": _ARGUMENTS}
_MESSAGES_CALL = {"type": "tool_use", "id": "call_7", "name": "weather", "input": {"city": "Oslo"}}
_GENERATE_CALL = {"functionCall": {"id": "call_7", "name": "weather", "args": {"city": "Oslo"}}}


def _round(chat: Any, responses: Any, messages: Any, generate: Any) -> Mapping[Endpoint, Json]:
    """A conversation in which a tool was called: its result as each dialect says it."""
    called = {"role": "assistant", "content": [_MESSAGES_CALL]}
    shown = {"functionResponse": {"id": "call_7", "name": "weather", **generate}}
    return _turns(
        [_HELLO, {"role": "assistant", "tool_calls": [_CHAT_CALL]}, chat] if chat else None,
        [_HELLO, _RESPONSES_CALL, {"type": "function_call_output", "call_id": "call_7", "output": responses}]
        if responses
        else None,
        [_HELLO, called, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_7", **messages}]}],
        [
            *PLAIN[GENERATE]["contents"],
            {"role": "model", "parts": [_GENERATE_CALL]},
            {"role": "user", "parts": [shown]},
        ],
    )


PROBES: tuple[Probe, ...] = (
    Probe("system prompt", (), ("Behave.",), {
        **_turns([{"role": "system", "content": "Behave."}, _HELLO]), RESPONSES: {"instructions": "Behave."},
        MESSAGES: {"system": "Behave."}, GENERATE: {"systemInstruction": {"parts": [{"text": "Behave."}]}},
    }),
    Probe("earlier answer", (), ("Ahoy", "Go on"), _turns(
        _TALK, _TALK, _TALK,
        [*PLAIN[GENERATE]["contents"], {"role": "model", "parts": [{"text": "Ahoy"}]}, {"parts": [{"text": "Go on"}]}],
    )),
    Probe("participant's name", ("message.name", "messages[].name"), ("Ada",), _turns([{**_HELLO, "name": "Ada"}])),
    Probe("image, as data", ("media",), (_PNG,), _by_user(
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PNG}"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{_PNG}"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PNG}},
        {"inlineData": {"mimeType": "image/png", "data": _PNG}},
    )),
    Probe("image, by its address", ("media",), (_URL,), _by_user(
        {"type": "image_url", "image_url": {"url": _URL}}, {"type": "input_image", "image_url": _URL},
        {"type": "image", "source": {"type": "url", "url": _URL}},
        {"fileData": {"mimeType": "image/png", "fileUri": _URL}},
    )),
    Probe("level of an image's detail", ("media.detail",), ("low",), _by_user(
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PNG}", "detail": "low"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{_PNG}", "detail": "low"},
    ), "image, as data"),
    Probe("sound", ("media",), (_WAV,), _by_user(
        {"type": "input_audio", "input_audio": {"data": _WAV, "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": _WAV, "format": "wav"}},
        None, {"inlineData": {"mimeType": "audio/wav", "data": _WAV}},
    )),
    Probe("PDF", ("media",), (_PDF,), _by_user(
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{_PDF}"}},
        {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{_PDF}"},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": _PDF}},
        {"inlineData": {"mimeType": "application/pdf", "data": _PDF}},
    )),
    Probe("most tokens to make", (), (1234,), {
        CHAT: {"max_completion_tokens": 1234}, RESPONSES: {"max_output_tokens": 1234}, MESSAGES: {"max_tokens": 1234},
        GENERATE: _config(maxOutputTokens=1234),
    }),
    Probe("temperature", ("temperature",), (0.25,), {
        CHAT: {"temperature": 0.25}, RESPONSES: {"temperature": 0.25}, MESSAGES: {"temperature": 0.25},
        GENERATE: _config(temperature=0.25),
    }),
    Probe("temperature above 1", ("temperature",), (1.5,), {
        CHAT: {"temperature": 1.5}, RESPONSES: {"temperature": 1.5}, GENERATE: _config(temperature=1.5),
    }),
    Probe("top p", ("top_p",), (0.75,), {
        CHAT: {"top_p": 0.75}, RESPONSES: {"top_p": 0.75}, MESSAGES: {"top_p": 0.75}, GENERATE: _config(topP=0.75),
    }),
    Probe("top k", ("top_k",), (37,), {CHAT: {"top_k": 37}, MESSAGES: {"top_k": 37}, GENERATE: _config(topK=37)}),
    Probe("frequency penalty", ("frequency_penalty",), (0.5,), {
        CHAT: {"frequency_penalty": 0.5}, GENERATE: _config(frequencyPenalty=0.5),
    }),
    Probe("presence penalty", ("presence_penalty",), (0.5,), {
        CHAT: {"presence_penalty": 0.5}, GENERATE: _config(presencePenalty=0.5),
    }),
    Probe("seed", ("seed",), (4711,), {CHAT: {"seed": 4711}, GENERATE: _config(seed=4711)}),
    Probe("stop sequences", (), ("ENOUGH",), {
        CHAT: {"stop": ["ENOUGH"]}, MESSAGES: {"stop_sequences": ["ENOUGH"]},
        GENERATE: _config(stopSequences=["ENOUGH"]),
    }),
    Probe("several answers", ("choices",), (3,), {CHAT: {"n": 3}, GENERATE: _config(candidateCount=3)}),
    Probe("log probabilities", ("logprobs",), (5,), {
        CHAT: {"logprobs": True, "top_logprobs": 5}, RESPONSES: {"top_logprobs": 5},
        GENERATE: _config(responseLogprobs=True, logprobs=5),
    }),
    Probe("tools", ("tools",), ("weather", "city"), {
        CHAT: {"tools": [{"type": "function", "function": {"name": "weather", "parameters": _SCHEMA}}]},
        RESPONSES: {"tools": [{"type": "function", "name": "weather", "parameters": _SCHEMA}]},
        MESSAGES: {"tools": [{"name": "weather", "input_schema": _SCHEMA}]},
        GENERATE: {"tools": [{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": _SCHEMA}]}]},
    }),
    Probe("strict tools", ("tools[].strict",), (), {
        CHAT: {"tools": [{"type": "function", "function": {"name": "weather", "parameters": _SCHEMA, "strict": True}}]},
        RESPONSES: {"tools": [{"type": "function", "name": "weather", "parameters": _SCHEMA, "strict": True}]},
        MESSAGES: {"tools": [{"name": "weather", "input_schema": _SCHEMA, "strict": True}]},
    }, "tools"),
    Probe("a tool must be called", ("tool_choice",), (), {
        CHAT: {"tool_choice": "required"}, RESPONSES: {"tool_choice": "required"},
        MESSAGES: {"tool_choice": {"type": "any"}},
        GENERATE: {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
    }, "tools"),
    Probe("this tool must be called", ("tool_choice",), (), {
        CHAT: {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
        RESPONSES: {"tool_choice": {"type": "function", "name": "weather"}},
        MESSAGES: {"tool_choice": {"type": "tool", "name": "weather"}},
        GENERATE: {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}}},
    }, "tools"),
    Probe("no tool may be called", ("tool_choice",), (), {
        CHAT: {"tool_choice": "none"}, RESPONSES: {"tool_choice": "none"}, MESSAGES: {"tool_choice": {"type": "none"}},
        GENERATE: {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}},
    }, "tools"),
    Probe("one call at a time", ("parallel_tools",), (), {
        CHAT: {"parallel_tool_calls": False}, RESPONSES: {"parallel_tool_calls": False},
        MESSAGES: {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    }, "a tool may be called"),
    Probe("a tool's call and its result", (), ("weather", "Oslo", "It snows."), _round(
        {"role": "tool", "tool_call_id": "call_7", "content": "It snows."}, "It snows.", {"content": "It snows."},
        {"response": {"output": "It snows."}},
    ), "tools"),
    Probe("an image in a tool's result", ("tool_result.media",), (_PNG,), _round(
        {"role": "tool", "tool_call_id": "call_7", "content": [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PNG}"}}]},
        [{"type": "input_image", "image_url": f"data:image/png;base64,{_PNG}"}],
        {"content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PNG}}]},
        {"response": {}, "parts": [{"inlineData": {"mimeType": "image/png", "data": _PNG}}]},
    ), "a tool's call and its result"),
    Probe("a tool's result that is an error", ("tool_result.is_error",), (), _round(
        None, None, {"content": "It snows.", "is_error": True}, {"response": {"error": "It snows."}}
    ), "a tool's call and its result"),
    Probe("JSON", ("output",), (), {
        CHAT: {"response_format": {"type": "json_object"}}, RESPONSES: {"text": {"format": {"type": "json_object"}}},
        GENERATE: _config(responseMimeType="application/json"),
    }),
    Probe("JSON by a schema", ("output", "output.schema"), ("verdict",), {
        CHAT: {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": _ANSWER}}},
        RESPONSES: {"text": {"format": {"type": "json_schema", "name": "a", "schema": _ANSWER}}},
        MESSAGES: {"output_config": {"format": {"type": "json_schema", "schema": _ANSWER}}},
        GENERATE: _config(responseMimeType="application/json", responseJsonSchema=_ANSWER),
    }),
    Probe("effort of thinking", ("thinking", "thinking.effort"), ("high",), {
        CHAT: {"reasoning_effort": "high"}, RESPONSES: {"reasoning": {"effort": "high"}},
        MESSAGES: {"output_config": {"effort": "high"}}, GENERATE: _config(thinkingConfig={"thinkingLevel": "HIGH"}),
    }),
    Probe("budget of thinking", ("thinking", "thinking.budget_tokens"), (1500,), {
        CHAT: {"reasoning": {"max_tokens": 1500}}, MESSAGES: {"thinking": {"type": "enabled", "budget_tokens": 1500}},
        GENERATE: _config(thinkingConfig={"thinkingBudget": 1500}),
    }),
    Probe("thoughts shown", ("thinking.summary",), (), {
        RESPONSES: {"reasoning": {"effort": "high", "summary": "auto"}},
        MESSAGES: {"output_config": {"effort": "high"}, "thinking": {"type": "adaptive"}},
        GENERATE: _config(thinkingConfig={"thinkingLevel": "HIGH", "includeThoughts": True}),
    }, "effort of thinking"),
    Probe("end user", ("user",), ("user-7",), {
        CHAT: {"user": "user-7"}, RESPONSES: {"user": "user-7"}, MESSAGES: {"metadata": {"user_id": "user-7"}},
    }),
    Probe("metadata", ("metadata",), ("red",), {
        CHAT: {"metadata": {"team": "red"}}, RESPONSES: {"metadata": {"team": "red"}},
        GENERATE: {"labels": {"team": "red"}},
    }),
)  # fmt: skip

TOOLS_ARE_ALLOWED = Probe("a tool may be called", ("tool_choice",), (), {
        CHAT: {"tool_choice": "auto"}, RESPONSES: {"tool_choice": "auto"}, MESSAGES: {"tool_choice": {"type": "auto"}},
        GENERATE: {"toolConfig": {"functionCallingConfig": {"mode": "AUTO"}}},
    }, "tools")  # fmt: skip
"""What is so without being said: no row, but others stand beside it."""
