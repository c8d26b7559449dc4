"""The form between dialects, written as a call of Gemini's `generateContent`. The model and whether to stream are in
the path, not in the body."""

from collections.abc import Mapping

from gateway.dialects.gemini.models import signs_thoughts
from gateway.dialects.gemini.schema import accepted
from gateway.dialects.gemini.turns import all_from_the_system, write_contents, write_system
from gateway.dialects.neutral import ChatRequest, Output, Thinking, Tool, ToolChoice, ToolMode
from gateway.errors import InvalidRequest
from gateway.exchange import Json

DROPPED: Mapping[str, str] = {
    "parallel_tools": "Gemini can't be held to one call at a time",
    "user": "Gemini's API takes no user",
    "metadata": "Gemini's API takes no labels; Google's other platform does",
    "messages[].name": "Gemini's contents have roles, not names",
    "messages[].place": "what the system says in mid-conversation is said before it",
    "media.detail": "Gemini has no levels of detail for one image",
    "reasoning": "thoughts don't go back, but for Gemini's own signatures of them",
    "tools[].strict": "Gemini holds all calls to their schema as well as it can",
    "output.name": "Gemini's format has no name, description or strictness",
    "thinking": "before Gemini 3 an effort becomes a budget; since then none is the least level",
}
_BUDGETS = {"none": 0, "minimal": 512, "low": 1_024, "medium": 8_192, "high": 24_576, "xhigh": 24_576}
_LEVELS = {"none": "MINIMAL", "minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH"}
_MODES = {ToolMode.AUTO: "AUTO", ToolMode.NONE: "NONE", ToolMode.REQUIRED: "ANY", ToolMode.NAMED: "ANY"}


def write_request(request: ChatRequest, model: str) -> Json:
    if request.stream and request.choices > 1:
        raise InvalidRequest("This model's provider streams one answer to a call.", param="choices")
    signed = signs_thoughts(model)
    system = write_system(request.messages)
    contents = write_contents(request.messages, signed=signed)
    if not contents:
        contents, system = all_from_the_system(request.messages), []
    body: Json = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if config := _config(request) | _output(request.output) | _thinking(request.thinking, signed=signed):
        body["generationConfig"] = config
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in request.tools]}]
        if request.tool_choice is not None:
            body["toolConfig"] = {"functionCallingConfig": _calling(request.tool_choice)}
    return body


def _config(request: ChatRequest) -> Json:
    said = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "maxOutputTokens": request.max_tokens,
        "frequencyPenalty": request.frequency_penalty,
        "presencePenalty": request.presence_penalty,
        "seed": request.seed,
        "stopSequences": list(request.stop) or None,
        "candidateCount": request.choices if request.choices > 1 else None,
        "responseLogprobs": request.logprobs or None,
        "logprobs": request.top_logprobs if request.logprobs else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _output(output: Output | None) -> Json:
    if output is None:
        return {}
    schema = {} if output.schema is None else {"responseJsonSchema": accepted(output.schema)}
    return {"responseMimeType": "application/json", **schema}


def _thinking(thinking: Thinking | None, *, signed: bool) -> Json:
    if thinking is None:
        return {}
    config: Json = {}
    if thinking.budget_tokens is not None:
        config["thinkingBudget"] = thinking.budget_tokens
    elif thinking.effort is not None and signed:
        config["thinkingLevel"] = _LEVELS.get(thinking.effort, "HIGH")
    elif thinking.effort is not None:
        config["thinkingBudget"] = _BUDGETS.get(thinking.effort, -1)
    if thinking.summary is not None:
        config["includeThoughts"] = thinking.summary != "none"
    return {"thinkingConfig": config} if config else {}


def _declaration(tool: Tool) -> Json:
    declaration: Json = {"name": tool.name}
    if tool.description:
        declaration["description"] = tool.description
    if tool.schema is not None:
        declaration["parametersJsonSchema"] = accepted(tool.schema)
    return declaration


def _calling(choice: ToolChoice) -> Json:
    named = {"allowedFunctionNames": [choice.name]} if choice.mode is ToolMode.NAMED else {}
    return {"mode": _MODES[choice.mode], **named}
