"""The form between dialects, written as a call of Anthropic's `POST /v1/messages`.

Structured output is asked for natively (`output_config.format`), not by a forced tool: it streams as text, may be had
together with tools and thoughts, and a reply can be read without knowing what was asked.
"""

from collections.abc import Mapping

import orjson

from gateway.dialects.messages.models import takes_budgets, takes_formats, takes_sampling
from gateway.dialects.messages.schema import closed
from gateway.dialects.messages.turns import all_from_the_system, may_think, write_system, write_turns
from gateway.dialects.neutral import ChatRequest, Output, Thinking, Tool, ToolChoice, ToolMode
from gateway.errors import InvalidRequest
from gateway.exchange import Json

DEFAULT_MAX_TOKENS = 4_096
"""Anthropic insists on a limit. For who names none: what early models can do at most, beside any budget to think."""

DROPPED: Mapping[str, str] = {
    "temperature": "above 1 it is written as 1, where Anthropic's scale ends; left out while the model thinks, and for "
    "models after Claude 4.6, which refuse it",
    "top_p": "left out beside a temperature, while the model thinks, and for models after Claude 4.6",
    "top_k": "left out while the model thinks, and for models after Claude 4.6",
    "frequency_penalty": "Anthropic has none",
    "presence_penalty": "Anthropic has none",
    "seed": "Anthropic has none; a seed is a best effort everywhere",
    "metadata": "Anthropic takes a user's id alone",
    "messages[].name": "Anthropic's turns have roles, not names",
    "messages[].place": "what the system says in mid-conversation is said before it",
    "media.detail": "Anthropic has no levels of detail",
    "reasoning": "thoughts go back only to the provider that signed them, and only while the model thinks",
    "tools[].strict": "Anthropic's strict tools refuse much of JSON Schema; the schema itself is sent",
    "output.name": "Anthropic's format has no name and no description",
    "output.schema": "limits on numbers and lengths are said in the description: Anthropic enforces shapes alone",
    "output": "without a schema, and for models before Claude 4.1, it becomes a sentence of the system: Anthropic has "
    "no free JSON mode, and early models know no format",
    "thinking": "left out where a tool is forced, where a round of tool calls lacks its signed thoughts, and where "
    "fewer than 1,025 tokens may be made; a budget becomes an effort, or the other way round, by the model",
}
_JSON_ALONE = "Answer with one JSON object and nothing else: no code fence, no words around it."
_BUDGETS = {"minimal": 1_024, "low": 1_024, "medium": 4_096, "high": 16_384, "xhigh": 32_768}
_LEAST_BUDGET = 1_024
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh"}


def write_request(request: ChatRequest, model: str) -> Json:
    _refuse_what_changes_the_answer(request)
    thinks = _thinks(request)
    thinking, limit = _thinking(request, model) if thinks else ({}, request.max_tokens or DEFAULT_MAX_TOKENS)
    is_thinking = "thinking" in thinking and thinking["thinking"]["type"] != "disabled"
    turns = write_turns(request.messages, think=is_thinking or request.thinking is None)
    system = write_system(request.messages)
    if not turns:
        turns, system = all_from_the_system(request.messages), []
    body: Json = {"model": model, "max_tokens": limit, "messages": turns}
    output, sentence = _output(request.output, model)
    if system or sentence:
        body["system"] = system + sentence
    if request.stream:
        body["stream"] = True
    if takes_sampling(model) and not is_thinking:
        body |= _sampling(request)
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    if request.user is not None:
        body["metadata"] = {"user_id": request.user}
    if config := thinking.pop("output_config", {}) | output:
        body["output_config"] = config
    return body | thinking | _tools(request)


def _refuse_what_changes_the_answer(request: ChatRequest) -> None:
    if request.choices > 1:
        raise InvalidRequest("This model's provider gives one answer to a call.", param="choices")
    if request.logprobs:
        raise InvalidRequest("This model's provider gives no log probabilities.", param="logprobs")


def _sampling(request: ChatRequest) -> Json:
    sampling: Json = {} if request.top_k is None else {"top_k": request.top_k}
    if request.temperature is not None:
        return sampling | {"temperature": min(request.temperature, 1)}
    return sampling if request.top_p is None else sampling | {"top_p": request.top_p}


def _thinks(request: ChatRequest) -> bool:
    choice = request.tool_choice
    forced = bool(request.tools) and choice is not None and choice.mode in (ToolMode.REQUIRED, ToolMode.NAMED)
    return not forced and may_think(request.messages)


def _thinking(request: ChatRequest, model: str) -> tuple[Json, int]:
    """What is said about thinking, and the limit on tokens, which thoughts count against."""
    limit, thinking = request.max_tokens or DEFAULT_MAX_TOKENS, request.thinking
    if thinking is None:
        return {}, limit
    if thinking.effort == "none":
        return {"thinking": {"type": "disabled"}}, limit
    display = {} if thinking.summary is None else {"display": "omitted" if thinking.summary == "none" else "summarized"}
    if not takes_budgets(model):
        config = {"output_config": {"effort": effort}} if (effort := _effort(thinking)) is not None else {}
        return {"thinking": {"type": "adaptive", **display}, **config}, limit
    budget = max(thinking.budget_tokens or _BUDGETS.get(thinking.effort or "medium", 0), _LEAST_BUDGET)
    if request.max_tokens is None:
        limit += budget
    budget = min(budget, limit - 1)
    if budget < _LEAST_BUDGET:
        return {}, limit
    return {"thinking": {"type": "enabled", "budget_tokens": budget, **display}}, limit


def _effort(thinking: Thinking) -> str | None:
    if thinking.effort is not None:
        return _EFFORTS.get(thinking.effort)
    if thinking.budget_tokens is None:
        return None
    return next((name for name in ("low", "medium", "high") if thinking.budget_tokens <= _BUDGETS[name]), "xhigh")


def _tools(request: ChatRequest) -> Json:
    if not request.tools:
        return {}
    tools = [_tool(tool) for tool in request.tools]
    choice = _tool_choice(request.tool_choice, request.parallel_tools)
    return {"tools": tools, "tool_choice": choice} if choice is not None else {"tools": tools}


def _tool(tool: Tool) -> Json:
    schema = {"type": "object", **(tool.schema or {"properties": {}})}
    description = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **description, "input_schema": schema}


def _tool_choice(choice: ToolChoice | None, parallel: bool | None) -> Json | None:
    serial = {"disable_parallel_tool_use": True} if parallel is False else {}
    match choice.mode if choice is not None else None:
        case ToolMode.NONE:
            return {"type": "none"}
        case ToolMode.REQUIRED:
            return {"type": "any", **serial}
        case ToolMode.NAMED if choice is not None:
            return {"type": "tool", "name": choice.name, **serial}
        case ToolMode.AUTO:
            return {"type": "auto", **serial}
    return {"type": "auto", **serial} if serial else None


def _output(output: Output | None, model: str) -> tuple[Json, list[Json]]:
    """The format asked for, or the sentence that asks in its place."""
    if output is None:
        return {}, []
    if output.schema is None:
        return {}, [{"type": "text", "text": _JSON_ALONE}]
    if not takes_formats(model):
        schema = orjson.dumps(output.schema).decode()
        return {}, [{"type": "text", "text": f"{_JSON_ALONE} It must conform to this JSON Schema: {schema}"}]
    return {"format": {"type": "json_schema", "schema": closed(output.schema)}}, []
