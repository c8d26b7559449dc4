"""A call in the form between dialects, written for any server that speaks chat completions."""

from collections.abc import Mapping

from gateway.dialects.chat.write_messages import write_messages
from gateway.dialects.neutral import ChatRequest, Output, Thinking, Tool, ToolChoice, ToolMode
from gateway.dialects.openai.models import is_openais
from gateway.exchange import Json

DROPPED: Mapping[str, str] = {
    "top_k": "the dialect has none, and OpenAI refuses it",
    "metadata": "OpenAI takes it only with answers that it stores",
    "thinking.budget_tokens": "the dialect knows efforts alone: up to 2048 is low, up to 8192 medium, more is high",
    "thinking.summary": "the dialect can't ask for it",
    "reasoning": "earlier thoughts go back only since the user last spoke, and never to OpenAI's models",
    "tool_result.is_error": "a tool's message has no such mark; its text says it",
    "assistant.media": "what a model drew or spoke can't be shown to it again",
}
_LOW_TOKENS = 2048
_MEDIUM_TOKENS = 8192


def write_request(request: ChatRequest, model: str) -> Json:
    """`max_tokens` is the name that every server knows but OpenAI's reasoning models refuse."""
    own = is_openais(model)
    body: Json = {
        "model": model,
        "messages": write_messages(request.messages, own=own),
        "max_completion_tokens" if own else "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
        "seed": request.seed,
        "stop": list(request.stop) or None,
        "n": request.choices if request.choices > 1 else None,
        "logprobs": request.logprobs or None,
        "top_logprobs": request.top_logprobs if request.logprobs else None,
        "response_format": _output(request.output) if request.output is not None else None,
        "reasoning_effort": effort(request.thinking) if request.thinking is not None else None,
        "user": request.user,
    }
    if request.tools:  # the two others are refused without tools
        body["tools"] = [{"type": "function", "function": function(tool)} for tool in request.tools]
        body["tool_choice"] = _tool_choice(request.tool_choice) if request.tool_choice is not None else None
        body["parallel_tool_calls"] = request.parallel_tools
    if request.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return {name: value for name, value in body.items() if value is not None}


def effort(thinking: Thinking) -> str | None:
    if thinking.effort is not None or thinking.budget_tokens is None:
        return thinking.effort
    if thinking.budget_tokens == 0:
        return "none"
    if thinking.budget_tokens <= _LOW_TOKENS:
        return "low"
    return "medium" if thinking.budget_tokens <= _MEDIUM_TOKENS else "high"


def function(tool: Tool) -> Json:
    written = {
        "name": tool.name, "description": tool.description, "parameters": tool.schema, "strict": tool.strict,
    }  # fmt: skip
    return {name: value for name, value in written.items() if value is not None}


def _tool_choice(choice: ToolChoice) -> str | Json:
    if choice.mode is ToolMode.NAMED:
        return {"type": "function", "function": {"name": choice.name}}
    return str(choice.mode)


def _output(output: Output) -> Json:
    if output.schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": schema_of(output)}


def schema_of(output: Output) -> Json:
    written = {
        "name": output.name or "answer", "description": output.description, "schema": output.schema,
        "strict": output.strict,
    }  # fmt: skip
    return {name: value for name, value in written.items() if value is not None}
