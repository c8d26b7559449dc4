"""What surrounds a response's output: what was asked for, said again, and how it ended."""

from collections.abc import Mapping

from gateway.dialects.chat.write_request import schema_of
from gateway.dialects.neutral import ChatRequest, Output, StopReason, Tool, ToolChoice, ToolMode
from gateway.exchange import Json, Usage

_CUT: Mapping[StopReason, str] = {
    StopReason.LENGTH: "max_output_tokens",
    StopReason.CONTENT_FILTER: "content_filter",
    StopReason.REFUSAL: "content_filter",
}


def envelope(reply_id: str, model: str, created: int, request: ChatRequest) -> Json:
    """A response that has just begun."""
    thinking = request.thinking
    return {
        "id": reply_id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": request.max_tokens,
        "model": model,
        "output": [],
        "parallel_tool_calls": request.parallel_tools is not False,
        "previous_response_id": None,
        "reasoning": {"effort": thinking.effort if thinking is not None else None, "summary": None},
        "store": False,
        "temperature": request.temperature,
        "text": {"format": _format(request.output)},
        "tool_choice": _tool_choice(request.tool_choice),
        "tools": [_tool(tool) for tool in request.tools],
        "top_logprobs": request.top_logprobs,
        "top_p": request.top_p,
        "truncation": "disabled",
        "usage": None,
        "user": request.user,
        "metadata": dict(request.metadata),
    }


def ending(stop: StopReason, output: list[Json], usage: Usage | None, *, declined: bool) -> Json:
    """What an answer's end changes in the envelope. Clients insist on counts: where nothing is known, they are 0."""
    cut = is_cut(stop, declined=declined)
    return {
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": _CUT[stop]} if cut else None,
        "output": output,
        "usage": write_usage(usage or Usage(0, 0)),
    }


def is_cut(stop: StopReason, *, declined: bool) -> bool:
    """A model that says no in words (`declined`) has said all; one that is stopped without a word has not."""
    return stop in _CUT and not (stop is StopReason.REFUSAL and declined)


def write_usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def _format(output: Output | None) -> Json:
    if output is None:
        return {"type": "text"}
    return {"type": "json_object"} if output.schema is None else {"type": "json_schema", **schema_of(output)}


def _tool_choice(choice: ToolChoice | None) -> str | Json:
    if choice is None:
        return "auto"
    return {"type": "function", "name": choice.name} if choice.mode is ToolMode.NAMED else str(choice.mode)


def _tool(tool: Tool) -> Json:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.schema,
        "strict": bool(tool.strict),
    }
