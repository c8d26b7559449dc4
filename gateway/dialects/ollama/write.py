"""The form between dialects, written as a call of Ollama's `POST /api/chat`.

A message there is one text with images beside it; a tool's result names its tool. `stream` is always said, since
Ollama streams unless told otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence

from gateway.dialects.arguments import as_object
from gateway.dialects.neutral import (
    ChatRequest,
    Decline,
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
    ToolMode,
    ToolResult,
    ToolUse,
)
from gateway.errors import InvalidRequest
from gateway.exchange import Json

DROPPED: Mapping[str, str] = {
    "user": "Ollama keeps no accounts",
    "metadata": "Ollama keeps no records",
    "parallel_tools": "true is what every model there does; false is refused",
    "tools[].strict": "Ollama holds no model to a tool's schema",
    "output.name": "Ollama's format is the schema alone; description and strict go with it",
    "thinking.budget_tokens": "Ollama's models think or don't; any budget but 0 is yes",
    "thinking.effort": "only gpt-oss has levels; for other models every effort but none is yes",
    "thinking.summary": "thoughts are always shown whole",
    "reasoning.signature": "thoughts go back as text; what is signed or hidden is another provider's",
    "messages[].name": "Ollama's messages have roles, not names",
    "media.detail": "Ollama has no levels of detail",
    "media.place": "images stand beside a message's text, whatever their place in it",
    "tool_result.is_error": "a tool's message has no such mark; its text says it",
}
_LEVELS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high"}


def write_request(request: ChatRequest, model: str) -> Json:
    _refuse_what_changes_the_answer(request)
    body: Json = {"model": model, "messages": list(_messages(request.messages)), "stream": request.stream}
    if request.tools and not _forbids_tools(request):
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.output is not None:
        body["format"] = _format(request.output)
    if request.thinking is not None and (think := _think(request.thinking, model)) is not None:
        body["think"] = think
    if request.logprobs:
        body["logprobs"] = True
        if request.top_logprobs is not None:
            body["top_logprobs"] = request.top_logprobs
    if options := _options(request):
        body["options"] = options
    return body


def _refuse_what_changes_the_answer(request: ChatRequest) -> None:
    if request.choices > 1:
        raise InvalidRequest("This model's provider gives one answer to a call.", param="choices")
    if not request.tools:
        return
    if request.tool_choice is not None and request.tool_choice.mode in (ToolMode.REQUIRED, ToolMode.NAMED):
        raise InvalidRequest("This model's provider can't force a tool: choose auto or none.", param="tool_choice")
    if request.parallel_tools is False:
        raise InvalidRequest("This model's provider can't forbid parallel tool calls.", param="parallel_tools")


def _forbids_tools(request: ChatRequest) -> bool:
    """Ollama's way to say none is to name none."""
    return request.tool_choice is not None and request.tool_choice.mode is ToolMode.NONE


def _options(request: ChatRequest) -> Json:
    said = {
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
        "seed": request.seed,
        "stop": list(request.stop) or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _format(output: Output) -> Json | str:
    return "json" if output.schema is None else output.schema


def _think(thinking: Thinking, model: str) -> bool | str | None:
    """A level is refused (400) by every model without levels, so by all but gpt-oss."""
    if thinking.effort is None and thinking.budget_tokens is None:
        return None
    if thinking.effort == "none" or (thinking.effort is None and thinking.budget_tokens == 0):
        return False
    return _LEVELS.get(thinking.effort or "", True) if "gpt-oss" in model.lower() else True


def _tool(tool: Tool) -> Json:
    function: Json = {"name": tool.name, "parameters": tool.schema or {"type": "object", "properties": {}}}
    if tool.description is not None:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _messages(messages: Sequence[Message]) -> Iterator[Json]:
    names: dict[str, str] = {}
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        names |= {part.id: part.name for part in message.parts if isinstance(part, ToolUse)}
        if message.role is Role.TOOL:
            for part in message.parts:
                if isinstance(part, ToolResult):
                    yield _result(part, part.name or names.get(part.id), where)
        else:
            yield _turn(message, where)


def _turn(message: Message, where: str) -> Json:
    role = Role.SYSTEM if message.role is Role.DEVELOPER else message.role
    written: Json = {"role": str(role), **_said(message.parts, where)}
    if thought := "".join(part.text for part in message.parts if isinstance(part, Reasoning)):
        written["thinking"] = thought
    if calls := [_call(part, where) for part in message.parts if isinstance(part, ToolUse)]:
        written["tool_calls"] = calls
    return written


def _result(result: ToolResult, name: str | None, where: str) -> Json:
    written: Json = {"role": "tool", **_said(result.parts, where), "tool_call_id": result.id}
    return written if name is None else {**written, "tool_name": name}


def _said(parts: Sequence[Part], where: str) -> Json:
    texts = [part.text for part in parts if isinstance(part, Text | Decline)]
    images = [_image(part, where) for part in parts if isinstance(part, Media)]
    said: Json = {"content": "\n\n".join(texts)}
    return {**said, "images": images} if images else said


def _image(media: Media, where: str) -> str:
    if media.kind is not MediaKind.IMAGE:
        raise InvalidRequest(f"'{where}': this model's provider takes no {media.kind}.", param=where)
    if media.data is None:
        raise InvalidRequest(f"'{where}': this model's provider can't fetch an image; send its data.", param=where)
    return media.data


def _call(call: ToolUse, where: str) -> Json:
    arguments = as_object(call.arguments)
    if arguments is None:
        raise InvalidRequest(f"'{where}': the arguments of a tool call are no JSON object.", param=where)
    return {"id": call.id, "function": {"name": call.name, "arguments": arguments}}
