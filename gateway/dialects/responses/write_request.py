"""A call in the form between dialects, written for a provider that speaks OpenAI's responses.

Nothing is stored there: each call brings the whole conversation, and asks for thoughts in the form that may come back.
"""

from collections.abc import Iterator, Mapping, Sequence

from gateway.dialects.chat.write_request import effort, schema_of
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
    Tool,
    ToolChoice,
    ToolMode,
    ToolResult,
    ToolUse,
)
from gateway.dialects.openai.media import audio_format, data_url, image_url
from gateway.dialects.signature import Origin, own
from gateway.errors import InvalidRequest
from gateway.exchange import Json

DROPPED: Mapping[str, str] = {
    "top_k": "the dialect has none",
    "seed": "the dialect has none, and promises no answer twice",
    "frequency_penalty": "the dialect has none",
    "presence_penalty": "the dialect has none",
    "message.name": "the dialect has no names of participants",
    "thinking.budget_tokens": "the dialect knows efforts alone: up to 2048 is low, up to 8192 medium, more is high",
    "reasoning": "only thoughts that OpenAI encrypted can go back",
    "tool_use.signature": "OpenAI signs thoughts, not calls",
    "tool_result.is_error": "a tool's output has no such mark; its text says it",
    "assistant.media": "what a model drew or spoke can't be shown to it again",
}
_ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"


def write_request(request: ChatRequest, model: str) -> Json:
    if request.stop:
        raise InvalidRequest("'stop': this model's provider knows no stop sequences.", param="stop")
    if request.choices > 1:
        raise InvalidRequest("'n': this model's provider gives one answer at a time.", param="n")
    items = [item for i, message in enumerate(request.messages) for item in _items(message, f"messages[{i}]")]
    body: Json = {
        "model": model,
        "input": items,
        "store": False,
        "include": _include(request, items) or None,
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_logprobs": request.top_logprobs,
        "text": {"format": _format(request.output)} if request.output is not None else None,
        "reasoning": _reasoning(request),
        "user": request.user,
        "metadata": dict(request.metadata) or None,
        "stream": request.stream or None,
    }
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body["tool_choice"] = _tool_choice(request.tool_choice) if request.tool_choice is not None else None
        body["parallel_tool_calls"] = request.parallel_tools
    return {name: value for name, value in body.items() if value is not None}


def _include(request: ChatRequest, items: Sequence[Json]) -> list[str]:
    """Models that don't think refuse to be asked for encrypted thoughts: only a call that is about thoughts asks."""
    thinks = request.thinking is not None and request.thinking.effort != "none"
    encrypted = [_ENCRYPTED] if thinks or any(item.get("type") == "reasoning" for item in items) else []
    return encrypted + ([_LOGPROBS] if request.logprobs else [])


def _reasoning(request: ChatRequest) -> Json | None:
    if request.thinking is None:
        return None
    summary = request.thinking.summary
    said = {"effort": effort(request.thinking), "summary": None if summary == "none" else summary}
    return {name: value for name, value in said.items() if value is not None} or None


def _format(output: Output) -> Json:
    return {"type": "json_object"} if output.schema is None else {"type": "json_schema", **schema_of(output)}


def _tool(tool: Tool) -> Json:
    """OpenAI takes a tool for strict unless told otherwise, and then refuses most schemas."""
    written: Json = {"type": "function", "name": tool.name, "parameters": tool.schema, "strict": bool(tool.strict)}
    return written if tool.description is None else {**written, "description": tool.description}


def _tool_choice(choice: ToolChoice) -> str | Json:
    return {"type": "function", "name": choice.name} if choice.mode is ToolMode.NAMED else str(choice.mode)


def _items(message: Message, where: str) -> Iterator[Json]:
    if message.role is Role.ASSISTANT:
        yield from _assistant(message.parts)
    elif message.role is Role.TOOL:
        for result in message.parts:
            if isinstance(result, ToolResult):
                yield {"type": "function_call_output", "call_id": result.id, "output": _output(result, where)}
    else:
        content = [_part(part, where) for part in message.parts if isinstance(part, Text | Media)]
        yield {"type": "message", "role": str(message.role), "content": content}


def _assistant(parts: Sequence[Part]) -> Iterator[Json]:
    for part in parts:
        match part:
            case Text():
                yield _said({"type": "output_text", "text": part.text})
            case Decline():
                yield _said({"type": "refusal", "refusal": part.text})
            case ToolUse():
                arguments = part.arguments or "{}"
                yield {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": arguments}
            case Reasoning() if (encrypted := own(Origin.OPENAI, part.signature)) is not None:
                summary = [{"type": "summary_text", "text": part.text}] if part.text else []
                yield {"type": "reasoning", "summary": summary, "encrypted_content": encrypted}


def _said(content: Json) -> Json:
    return {"type": "message", "role": "assistant", "content": [content]}


def _output(result: ToolResult, where: str) -> str | list[Json]:
    if len(result.parts) == 1 and isinstance(result.parts[0], Text):
        return result.parts[0].text
    return [_part(part, where) for part in result.parts] or ""


def _part(part: Text | Media, where: str) -> Json:
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    match part.kind:
        case MediaKind.IMAGE:
            written = {"type": "input_image", "image_url": image_url(part), "file_id": part.file_id}
            return {**_filled(written), "detail": part.detail or "auto"}
        case MediaKind.AUDIO:
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": audio_format(part, where)}}
        case MediaKind.FILE if part.data is not None:
            url = data_url(part.mime or "application/pdf", part.data)
            return {"type": "input_file", "filename": part.name or "file", "file_data": url}
        case MediaKind.FILE:
            return _filled({"type": "input_file", "file_url": part.url, "file_id": part.file_id})


def _filled(written: Mapping[str, str | None]) -> Json:
    return {name: value for name, value in written.items() if value is not None}
