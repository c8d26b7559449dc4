"""A client's `generateContent`, read into the form between dialects. Every field is carried, named in `IGNORED`, or
refused by name.

The model and whether to stream are in the path of this API, not in its body: whoever reads the path puts them into the
body, as `model` and `stream`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.dialects.fields import Fields, asked
from gateway.dialects.gemini.contents import HINTS, read_contents, read_system
from gateway.dialects.gemini.names import camel
from gateway.dialects.gemini.schema import from_openapi
from gateway.dialects.neutral import ChatRequest, Output, Thinking, Tool, ToolChoice, ToolMode
from gateway.exchange import Json

IGNORED: Mapping[str, str] = {
    **{f"contents[].parts[].{name}": why for name, why in HINTS.items()},
    "safetySettings": "Google's own thresholds; every provider has its own, and the gateway its policies",
    "serviceTier": "Google's own price list",
    "store": "whether Google keeps the call",
    "generationConfig.mediaResolution": HINTS["mediaResolution"],
    "generationConfig.enableEnhancedCivicAnswers": "Google's own kind of answer",
    "tools[].functionDeclarations[].response": "what a function returns; its responses show it",
    "tools[].functionDeclarations[].responseJsonSchema": "what a function returns; its responses show it",
    "tools[].functionDeclarations[].behavior": "whether a live conversation waits for a function",
    "toolConfig.functionCallingConfig.streamFunctionCallArguments": "arguments come whole in this dialect",
    "toolConfig.includeServerSideToolInvocations": "no tool runs at the provider",
}
REFUSED: Mapping[str, str] = {
    "cachedContent": "what Google has cached can't be read by another provider",
    "generationConfig.speechConfig": "spoken answers are Google's own",
    "generationConfig.imageConfig": "drawn answers are Google's own",
    "generationConfig.routingConfig": "where a call goes is the gateway's routing",
    "generationConfig.modelSelectionConfig": "where a call goes is the gateway's routing",
    "toolConfig.retrievalConfig": "a search by the provider can't be had elsewhere",
}
"""By field: why a call that has it is refused. A field that is in none of these lists is refused as well."""

_BODY = (
    "model", "stream", "contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "labels",
    "safetySettings", "serviceTier", "store",
)  # fmt: skip
_CONFIG = (
    "temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "seed", "presencePenalty",
    "frequencyPenalty", "responseMimeType", "responseSchema", "responseJsonSchema", "_responseJsonSchema",
    "responseLogprobs", "logprobs", "thinkingConfig", "responseModalities", "mediaResolution",
    "enableEnhancedCivicAnswers",
)  # fmt: skip
_FUNCTION = (
    "name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior",
)  # fmt: skip
_MODES = {
    "MODE_UNSPECIFIED": ToolMode.AUTO, "AUTO": ToolMode.AUTO, "VALIDATED": ToolMode.AUTO, "ANY": ToolMode.REQUIRED,
    "NONE": ToolMode.NONE,
}  # fmt: skip
_LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")


def read_request(given: Json) -> ChatRequest:
    body = camel(asked(given))
    _refuse(body, "")
    body.only(_BODY)
    config = _config(body)
    tools = tuple(_tools(body))
    choice, allowed = _tool_choice(body)
    top_logprobs = config.integer("logprobs", 0)
    return ChatRequest(
        model=body.need_text("model").removeprefix("models/"),
        messages=(*read_system(body), *read_contents(body)),
        stream=bool(body.flag("stream")),
        max_tokens=config.integer("maxOutputTokens", 1),
        temperature=config.number("temperature", 0, 2),
        top_p=config.number("topP", 0, 1),
        top_k=config.integer("topK", 0),
        frequency_penalty=config.number("frequencyPenalty", -2, 2),
        presence_penalty=config.number("presencePenalty", -2, 2),
        seed=config.integer("seed"),
        stop=tuple(config.texts("stopSequences")),
        choices=config.integer("candidateCount", 1, 8) or 1,
        logprobs=bool(config.flag("responseLogprobs")),
        top_logprobs=top_logprobs,
        tools=tools if allowed is None else tuple(tool for tool in tools if tool.name in allowed),
        tool_choice=choice,
        output=_output(config),
        thinking=_thinking(config),
        metadata=_labels(body),
    )


def _refuse(fields: Fields, path: str) -> None:
    for name, why in REFUSED.items():
        holder, _, field = name.rpartition(".")
        if holder == path and fields.has(field):
            fields.refuse(field, f"can't be carried over to this model's provider: {why}.")


def _config(body: Fields) -> Fields:
    config = camel(body.child("generationConfig") or asked({}))
    _refuse(config, "generationConfig")
    config.only(_CONFIG)
    if any(modality.upper() != "TEXT" for modality in config.texts("responseModalities")):
        config.refuse("responseModalities", "can only be TEXT with this model's provider.")
    return config


def _tools(body: Fields) -> Iterator[Tool]:
    for given in body.children("tools"):
        tool = camel(given)
        tool.only(("functionDeclarations",))  # the others run at Google
        for declared in map(camel, tool.children("functionDeclarations")):
            declared.only(_FUNCTION)
            yield Tool(declared.need_text("name"), declared.text("description"), _parameters(declared))


def _parameters(declared: Fields) -> Json | None:
    if declared.has("parametersJsonSchema"):
        return declared.mapping("parametersJsonSchema")
    parameters = declared.child("parameters")
    return None if parameters is None else from_openapi(parameters)


def _tool_choice(body: Fields) -> tuple[ToolChoice | None, list[str] | None]:
    """The choice, and the names of the functions that may be called where not all may."""
    given = body.child("toolConfig")
    if given is None:
        return None, None
    config = camel(given)
    _refuse(config, "toolConfig")
    config.only(("functionCallingConfig", "includeServerSideToolInvocations"))
    calling = config.child("functionCallingConfig")
    if calling is None:
        return None, None
    calling = camel(calling)
    calling.only(("mode", "allowedFunctionNames", "streamFunctionCallArguments"))
    mode = _MODES[calling.one_of("mode", _MODES) or "AUTO"]
    allowed = calling.texts("allowedFunctionNames") or None
    if mode is ToolMode.REQUIRED and allowed is not None and len(allowed) == 1:
        return ToolChoice(ToolMode.NAMED, allowed[0]), None
    return ToolChoice(mode), allowed


def _output(config: Fields) -> Output | None:
    mime = config.one_of("responseMimeType", ("text/plain", "application/json"))
    schema = config.mapping("responseJsonSchema") or config.mapping("_responseJsonSchema")
    if schema is None and (older := config.child("responseSchema")) is not None:
        schema = from_openapi(older)
    if schema is None:
        return Output() if mime == "application/json" else None
    if mime == "text/plain":
        config.refuse("responseMimeType", "must be application/json beside a schema.")
    return Output(schema, strict=True)


def _thinking(config: Fields) -> Thinking | None:
    given = config.child("thinkingConfig")
    if given is None:
        return None
    thinking = camel(given)
    thinking.only(("includeThoughts", "thinkingBudget", "thinkingLevel"))
    shown = thinking.flag("includeThoughts")
    summary = None if shown is None else "auto" if shown else "none"
    level: Any = thinking.value("thinkingLevel")
    if isinstance(level, str) and level.upper() in _LEVELS:
        return Thinking(level.lower(), summary=summary)
    thinking.one_of("thinkingLevel", ("THINKING_LEVEL_UNSPECIFIED",))
    budget = thinking.integer("thinkingBudget", -1)
    if budget == 0:
        return Thinking("none", summary=summary)
    return Thinking(budget_tokens=None if budget == -1 else budget, summary=summary)


def _labels(body: Fields) -> dict[str, str]:
    labels = body.child("labels")
    return {} if labels is None else {name: labels.need_text(name) for name in labels.node}
