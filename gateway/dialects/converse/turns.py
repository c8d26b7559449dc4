"""Messages of the form between dialects, written as Converse's turns.

Two roles that take turns: neighbours of one role are one turn, results of tools are the user's and come first in it.
Blocks without text are left out, since they are refused.
"""

import re
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
)
from gateway.dialects.signature import Origin, own
from gateway.errors import InvalidRequest
from gateway.exchange import Json

_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS = {
    "application/pdf": "pdf", "text/csv": "csv", "application/msword": "doc", "text/html": "html", "text/plain": "txt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls", "application/json": "txt", "text/markdown": "md",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}  # fmt: skip
_SOUNDS = {
    "audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav",
    "audio/opus": "opus", "audio/aac": "aac", "audio/flac": "flac", "audio/ogg": "ogg", "audio/mp4": "m4a",
    "audio/webm": "webm", "audio/pcm": "pcm",
}  # fmt: skip
_FORMATS = {MediaKind.IMAGE: _IMAGES, MediaKind.FILE: _DOCUMENTS, MediaKind.AUDIO: _SOUNDS}
_BLOCKS = {MediaKind.IMAGE: "image", MediaKind.FILE: "document", MediaKind.AUDIO: "audio"}
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_ID_MAX = 64
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9()\[\]-]+")
_NAME_MAX = 100
_SYSTEM = (Role.SYSTEM, Role.DEVELOPER)


def write_system(messages: Sequence[Message]) -> list[Json]:
    said = [part for message in messages if message.role in _SYSTEM for part in message.parts]
    return [{"text": part.text} for part in said if isinstance(part, Text) and part.text.strip()]


def write_turns(messages: Sequence[Message], *, think: bool) -> list[Json]:
    """`think` false leaves out what the model thought."""
    blocks = _Blocks(think)
    turns: list[Json] = []
    for i, message in enumerate(messages):
        if message.role in _SYSTEM:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        said = [block for part in message.parts for block in blocks.of(part, f"messages[{i}]", role)]
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += said
        elif said:
            turns.append({"role": role, "content": said})
    for turn in turns:
        turn["content"].sort(key=lambda block: turn["role"] == "user" and "toolResult" not in block)
    return turns


def uses_tools(messages: Sequence[Message]) -> bool:
    return any(isinstance(part, ToolUse | ToolResult) for message in messages for part in message.parts)


class _Blocks:
    """Makes the blocks of one conversation, in which no two documents may have one name."""

    def __init__(self, think: bool) -> None:
        self._think = think
        self._names: set[str] = set()
        self._counts: dict[str, int] = {}

    def of(self, part: Part, where: str, role: str) -> Iterator[Json]:
        match part:
            case Text(text) | Decline(text):
                if text.strip():
                    yield {"text": text}
            case Media():
                if role == "user":
                    yield self._media(part, where)
            case Reasoning():
                if self._think and (thoughts := _thoughts(part)) is not None:
                    yield {"reasoningContent": thoughts}
            case ToolUse():
                yield {"toolUse": _tool_use(part, where)}
            case ToolResult():
                yield {"toolResult": self._tool_result(part, where)}

    def _tool_result(self, part: ToolResult, where: str) -> Json:
        if any(isinstance(inner, Media) and inner.kind is MediaKind.AUDIO for inner in part.parts):
            raise InvalidRequest("This model's provider takes no audio from a tool.", param=where)
        content = [block for inner in part.parts for block in self.of(inner, where, "user")]
        status = {"status": "error"} if part.is_error else {}
        return {"toolUseId": _id(part.id), "content": content, **status}

    def _media(self, part: Media, where: str) -> Json:
        mime = (part.mime or "").partition(";")[0].strip().lower()
        form = _FORMATS[part.kind].get(mime)
        if form is None and part.kind is MediaKind.FILE and mime.startswith("text/"):
            form = "txt"
        if form is None:
            raise InvalidRequest(f"This model's provider takes no {part.kind} of type '{mime[:64]}'.", param=where)
        block: Json = {"format": form, "source": _source(part, where)}
        if part.kind is MediaKind.FILE:
            block["name"] = self._name(part.name or "document")
        return {_BLOCKS[part.kind]: block}

    def _name(self, name: str) -> str:
        """Converse refuses other letters in a document's name, and a name that comes twice."""
        clean = _NOT_IN_A_NAME.sub(" ", name[:_NAME_MAX]).strip() or "document"
        unique, count = clean, self._counts.get(clean, 1)
        while unique in self._names:
            count += 1
            unique = f"{clean} {count}"
        self._names.add(unique)
        self._counts[clean] = count  # a thousand documents of one name are not compared with each other
        return unique


def _source(part: Media, where: str) -> Json:
    if part.data is not None:
        return {"bytes": part.data}
    if part.url is not None and part.url.startswith("s3://"):
        return {"s3Location": {"uri": part.url}}
    raise InvalidRequest(f"This model's provider can't fetch this {part.kind}; send its data.", param=where)


def _thoughts(part: Reasoning) -> Json | None:
    """Claude's signatures hold on every platform; what is hidden is hidden in Bedrock's own form."""
    if (redacted := own(Origin.BEDROCK, part.redacted)) is not None:
        return {"redactedContent": redacted}
    if (signature := own(Origin.ANTHROPIC, part.signature)) is not None:
        return {"reasoningText": {"text": part.text, "signature": signature}}
    return None


def _tool_use(part: ToolUse, where: str) -> Json:
    arguments = as_object(part.arguments)
    if arguments is None:
        raise InvalidRequest(f"The arguments of the call of '{part.name[:64]}' are no JSON object.", param=where)
    return {"toolUseId": _id(part.id), "name": part.name, "input": arguments}


def _id(call: str) -> str:
    """The same id is changed in the same way wherever it stands. What tells ids apart is usually at their end."""
    return _NOT_IN_AN_ID.sub("_", call)[-_ID_MAX:]
