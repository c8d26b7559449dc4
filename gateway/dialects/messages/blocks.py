"""The content blocks of an Anthropic conversation, read into messages of the form between dialects.

One message of a client may become several: each tool's result stands alone, in the order of its blocks. What a model
made by itself on Anthropic's machines (searches, code it ran) exists nowhere else and is refused.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby

from gateway.dialects.arguments import as_json
from gateway.dialects.fields import Fields
from gateway.dialects.neutral import Media, MediaKind, Message, Part, Reasoning, Role, Text, ToolResult, ToolUse
from gateway.dialects.signature import Origin, signed_by

HINTS: Mapping[str, str] = {
    "cache_control": "caches are a provider's own; what another one has cached it says in its usage",
    "citations": "what an earlier answer cited; asking for citations (`enabled`) is refused",
    "caller": "whether the model or its code called a tool; only the model can",
    "toolset_name": "where a tool's definition came from",
}
_ROLES = ("user", "assistant", "system")
_USER_BLOCKS = ("text", "image", "document", "tool_result")
_ASSISTANT_BLOCKS = ("text", "thinking", "redacted_thinking", "tool_use")
_RESULT_BLOCKS = ("text", "image", "document")
_SOURCES = ("base64", "url", "file")


def read_messages(body: Fields) -> list[Message]:
    messages: list[Message] = []
    tool_names: dict[str, str] = {}
    given = body.children("messages")
    if not given:
        body.refuse("messages", "must hold at least one message.")
    for message in given:
        message.only(("role", "content"))
        role = Role(message.need_one_of("role", _ROLES))
        if not message.has("content"):
            message.refuse("content", "is required.")
        parts = list(_parts(message, role, tool_names))
        for alone, run in groupby(parts, lambda part: id(part) if isinstance(part, ToolResult) else 0):
            messages.append(Message(Role.TOOL if alone else role, tuple(run)))
    return messages


def read_system(body: Fields) -> list[Message]:
    texts = tuple(_text_blocks(body, "system"))
    return [Message(Role.SYSTEM, texts)] if texts else []


def _text_blocks(holder: Fields, name: str) -> Iterator[Text]:
    if isinstance(said := holder.value(name), str):
        yield Text(said)
        return
    for block in holder.children(name):
        block.need_one_of("type", ("text",))
        yield _text(block)


def _parts(message: Fields, role: Role, tool_names: dict[str, str]) -> Iterator[Part]:
    if isinstance(said := message.value("content"), str):
        yield Text(said)
        return
    if role is Role.SYSTEM:
        yield from _text_blocks(message, "content")
        return
    allowed = _USER_BLOCKS if role is Role.USER else _ASSISTANT_BLOCKS
    for block in message.children("content"):
        match block.need_one_of("type", allowed):
            case "thinking":
                block.only(("type", "thinking", "signature", *HINTS))
                yield Reasoning(block.need_text("thinking"), signed_by(Origin.ANTHROPIC, block.text("signature")))
            case "redacted_thinking":
                block.only(("type", "data", *HINTS))
                yield Reasoning("", redacted=signed_by(Origin.ANTHROPIC, block.need_text("data")))
            case "tool_use":
                yield _tool_use(block, tool_names)
            case "tool_result":
                yield _tool_result(block, tool_names)
            case _:
                yield from _shown(block)


def _shown(block: Fields) -> Iterator[Text | Media]:
    """Text, an image or a document."""
    match block.value("type"):
        case "image":
            block.only(("type", "source", *HINTS))
            yield _media(block.need_child("source"), MediaKind.IMAGE)
        case "document":
            yield from _document(block)
        case _:
            yield _text(block)


def _text(block: Fields) -> Text:
    block.only(("type", "text", *HINTS))
    return Text(block.need_text("text"))


def _tool_use(block: Fields, tool_names: dict[str, str]) -> ToolUse:
    block.only(("type", "id", "name", "input", *HINTS))
    call, name = block.need_text("id"), block.need_text("name")
    arguments = as_json(block.need_child("input").node)
    if arguments is None:
        block.refuse("input", "is nested too deeply.")
    tool_names[call] = name
    return ToolUse(call, name, arguments)


def _tool_result(block: Fields, tool_names: dict[str, str]) -> ToolResult:
    block.only(("type", "tool_use_id", "content", "is_error", *HINTS))
    call = block.need_text("tool_use_id")
    parts: list[Text | Media] = []
    if isinstance(said := block.value("content"), str):
        parts.append(Text(said))
    else:
        for inner in block.children("content"):
            inner.need_one_of("type", _RESULT_BLOCKS)
            parts.extend(_shown(inner))
    return ToolResult(call, tool_names.get(call), tuple(parts), is_error=bool(block.flag("is_error")))


def _document(block: Fields) -> Iterator[Text | Media]:
    """Plain text is text, under its title; the rest is a file."""
    block.only(("type", "source", "title", "context", *HINTS))
    if isinstance(asked := block.value("citations"), dict) and asked.get("enabled"):
        block.refuse("citations", "can't be asked for: this model's provider has no citations.")
    title, context = block.text("title"), block.text("context")
    source = block.need_child("source")
    heading = [Text(said) for said in (title, context) if said]
    match source.need_one_of("type", (*_SOURCES, "text", "content")):
        case "text":
            source.only(("type", "media_type", "data"))
            yield Text("\n\n".join([*(said.text for said in heading), source.need_text("data")]))
        case "content":
            yield from heading
            yield from _document_content(source)
        case _:
            yield from heading[1:] if title else heading
            yield _media(source, MediaKind.FILE)._replace(name=title)


def _document_content(source: Fields) -> Iterator[Text | Media]:
    source.only(("type", "content"))
    if isinstance(said := source.value("content"), str):
        yield Text(said)
        return
    for inner in source.children("content"):
        inner.need_one_of("type", ("text", "image"))
        yield from _shown(inner)


def _media(source: Fields, kind: MediaKind) -> Media:
    match source.need_one_of("type", _SOURCES):
        case "base64":
            source.only(("type", "media_type", "data"))
            return Media(kind, mime=source.need_text("media_type"), data=source.need_text("data"))
        case "url":
            source.only(("type", "url"))
            mime = "application/pdf" if kind is MediaKind.FILE else None  # the one kind of file that may be a link
            return Media(kind, mime=mime, url=source.need_text("url"))
        case _:
            source.only(("type", "file_id"))
            return Media(kind, file_id=source.need_text("file_id"))
