"""Messages of the form between dialects, written as Anthropic's turns.

Anthropic knows two roles: what the system says stands before the conversation, results of tools come from the user.
Neighbours of one role are one turn, in which results come first; blocks without text are left out, since they are
refused.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence

from gateway.dialects.arguments import as_object
from gateway.dialects.neutral import (
    Decline,
    Media,
    MediaKind,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolResult,
    ToolUse,
    as_text,
)
from gateway.dialects.signature import Origin, own
from gateway.errors import InvalidRequest
from gateway.exchange import Json

_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_SYSTEM = (Role.SYSTEM, Role.DEVELOPER)


def write_system(messages: Sequence[Message]) -> list[Json]:
    said = [part for message in messages if message.role in _SYSTEM for part in message.parts]
    return [{"type": "text", "text": part.text} for part in said if isinstance(part, Text) and part.text.strip()]


def write_turns(messages: Sequence[Message], *, think: bool) -> list[Json]:
    """`think` false leaves out what the model thought: it may be said only while thinking is on."""
    turns: list[Json] = []
    for i, message in enumerate(messages):
        if message.role in _SYSTEM:
            continue
        blocks = [block for part in message.parts for block in _blocks(part, f"messages[{i}]", think=think)]
        if not blocks:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    for turn in turns:
        turn["content"].sort(key=lambda block: turn["role"] == "user" and block["type"] != "tool_result")
    return turns


def may_think(messages: Sequence[Message]) -> bool:
    """Anthropic refuses to go on thinking in a round of tool calls whose own thoughts are missing."""
    for message in reversed(messages):
        if message.role is Role.USER:
            return True
        if message.role is Role.ASSISTANT and any(isinstance(part, ToolUse) for part in message.parts):
            return any(isinstance(part, Reasoning) and _thoughts(part) is not None for part in message.parts)
    return True


def _blocks(part: Part, where: str, *, think: bool) -> Iterator[Json]:
    match part:
        case Text(text) | Decline(text):
            if text.strip():
                yield {"type": "text", "text": text}
        case Media():
            yield _media(part, where)
        case Reasoning():
            if think and (thoughts := _thoughts(part)) is not None:
                yield thoughts
        case ToolUse():
            yield _tool_use(part, where)
        case ToolResult():
            yield _tool_result(part, where)


def _thoughts(part: Reasoning) -> Json | None:
    """Only what Anthropic has signed may come back to it."""
    if (redacted := own(Origin.ANTHROPIC, part.redacted)) is not None:
        return {"type": "redacted_thinking", "data": redacted}
    if (signature := own(Origin.ANTHROPIC, part.signature)) is not None:
        return {"type": "thinking", "thinking": part.text, "signature": signature}
    return None


def _tool_use(part: ToolUse, where: str) -> Json:
    arguments = as_object(part.arguments)
    if arguments is None:
        raise InvalidRequest(f"The arguments of the call of '{part.name[:64]}' are no JSON object.", param=where)
    return {"type": "tool_use", "id": _id(part.id), "name": part.name, "input": arguments}


def _id(call: str) -> str:
    """Anthropic refuses other letters in an id; the same id is changed in the same way wherever it stands."""
    return _NOT_IN_AN_ID.sub("_", call)


def _tool_result(part: ToolResult, where: str) -> Json:
    content = [block for inner in part.parts for block in _blocks(inner, where, think=False)]
    error = {"is_error": True} if part.is_error else {}
    return {"type": "tool_result", "tool_use_id": _id(part.id), "content": content, **error}


def _media(part: Media, where: str) -> Json:
    match part.kind:
        case MediaKind.IMAGE:
            if part.data is not None and part.mime not in _IMAGES:
                raise InvalidRequest("An image must be JPEG, PNG, GIF or WebP for this model's provider.", param=where)
            return {"type": "image", "source": _source(part)}
        case MediaKind.FILE:
            title = {"title": part.name} if part.name else {}
            return {"type": "document", "source": _document_source(part, where), **title}
    raise InvalidRequest("This model's provider takes no audio.", param=where)


def _source(part: Media) -> Json:
    if part.data is not None:
        return {"type": "base64", "media_type": part.mime, "data": part.data}
    if part.url is not None:
        return {"type": "url", "url": part.url}
    return {"type": "file", "file_id": part.file_id}


def _document_source(part: Media, where: str) -> Json:
    mime = (part.mime or "").partition(";")[0].strip().lower()
    if part.data is None or mime == "application/pdf":
        return _source(part)
    if not mime.startswith("text/") and mime != "application/json":
        raise InvalidRequest("A file must be PDF or text for this model's provider.", param=where)
    try:
        text = b64decode(part.data, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("A file of text must be UTF-8, in base64.", param=where) from error
    return {"type": "text", "media_type": "text/plain", "data": text}


def all_from_the_system(messages: Sequence[Message]) -> list[Json]:
    """A call that holds system messages alone is asked in the user's name: Anthropic wants a turn to answer."""
    said = "\n\n".join(as_text(message.parts) for message in messages).strip()
    if not said:
        raise InvalidRequest("There is no message to answer.", param="messages")
    return [{"role": "user", "content": [{"type": "text", "text": said}]}]
