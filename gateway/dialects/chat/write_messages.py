"""Messages in the form between dialects, written for a provider that speaks chat completions."""

from collections.abc import Iterator, Sequence

from gateway.dialects.chat.thoughts import write_thoughts
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
from gateway.dialects.openai.media import audio_format, data_url, image_url
from gateway.dialects.signature import Origin
from gateway.dialects.signature import own as own_signature
from gateway.errors import InvalidRequest
from gateway.exchange import Json


def write_messages(messages: Sequence[Message], *, own: bool) -> list[Json]:
    """`own`: the model is OpenAI's. Other servers' templates often know no developer, and no parts of mere text; they
    want back what the model thought, but only since the user last spoke."""
    written: list[Json] = []
    aside: list[
        Json
    ] = []  # what tools showed: a tool's message holds text alone, a user's comes after the last of them
    spoke = max((i for i, message in enumerate(messages) if message.role is Role.USER), default=-1)
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        if message.role is Role.TOOL:
            results = [part for part in message.parts if isinstance(part, ToolResult)]
            written += [_result(result, own=own) for result in results]
            aside += [part for result in results for part in _shown(result, where)]
            continue
        written += _user(aside)
        aside = []
        written.append(
            _assistant(message, own=own, thoughts=not own and i > spoke)
            if message.role is Role.ASSISTANT
            else _plain(message, where, own=own)
        )
    return written + _user(aside)


def _user(parts: list[Json]) -> list[Json]:
    return [{"role": "user", "content": parts}] if parts else []


def _plain(message: Message, where: str, *, own: bool) -> Json:
    role = message.role
    if role is Role.DEVELOPER and not own:
        role = Role.SYSTEM
    parts = [part for part in message.parts if isinstance(part, Text | Media)]
    return {"role": str(role), "content": _content(parts, where, own=own), **_name(message)}


def _name(message: Message) -> Json:
    return {"name": message.name} if message.name is not None else {}


def _content(parts: Sequence[Text | Media], where: str, *, own: bool) -> str | list[Json]:
    texts = [part.text for part in parts if isinstance(part, Text)]
    if len(texts) == len(parts) and (len(texts) <= 1 or not own):
        return "\n\n".join(texts)
    return [_part(part, where) for part in parts]


def _part(part: Text | Media, where: str) -> Json:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    match part.kind:
        case MediaKind.IMAGE if (url := image_url(part)) is not None:
            detail = {"detail": part.detail} if part.detail is not None else {}
            return {"type": "image_url", "image_url": {"url": url, **detail}}
        case MediaKind.AUDIO:
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": audio_format(part, where)}}
        case MediaKind.FILE if part.data is not None:
            url = data_url(part.mime or "application/pdf", part.data)
            return {"type": "file", "file": {"filename": part.name or "file", "file_data": url}}
        case MediaKind.FILE if part.file_id is not None:
            return {"type": "file", "file": {"file_id": part.file_id}}
    raise InvalidRequest(f"'{where}': this model's provider can't fetch this {part.kind}; send its data.", param=where)


def _assistant(message: Message, *, own: bool, thoughts: bool) -> Json:
    parts = message.parts
    texts = [part.text for part in parts if isinstance(part, Text)]
    declined = "".join(part.text for part in parts if isinstance(part, Decline))
    if declined and not own:
        texts.append(declined)
    calls = [write_call(part._replace(signature=None) if own else part) for part in parts if isinstance(part, ToolUse)]
    written: Json = {"role": "assistant", "content": "\n\n".join(texts) if texts or not calls else None}
    if declined and own:
        written["refusal"] = declined
    if calls:
        written["tool_calls"] = calls
    if thoughts:
        written |= write_thoughts([_unsigned_by_others(part) for part in parts if isinstance(part, Reasoning)])
    return {**written, **_name(message)}


def _unsigned_by_others(thought: Reasoning) -> Reasoning:
    signature, redacted = (
        opaque if own_signature(Origin.COMPATIBLE, opaque) is not None else None
        for opaque in (thought.signature, thought.redacted)
    )
    return thought._replace(signature=signature, redacted=redacted)


def write_call(call: ToolUse) -> Json:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments or "{}"},
        **write_call_signature(call.signature),
    }


def write_call_signature(signature: str | None) -> Json:
    """Only Gemini signs calls, and its compatible paths have a place for it."""
    bare = own_signature(Origin.GEMINI, signature)
    return {"extra_content": {"google": {"thought_signature": bare}}} if bare is not None else {}


def _result(result: ToolResult, *, own: bool) -> Json:
    texts = [part for part in result.parts if isinstance(part, Text)]
    return {"role": "tool", "tool_call_id": result.id, "content": _content(texts, "", own=own)}


def _shown(result: ToolResult, where: str) -> Iterator[Json]:
    media: list[Part] = [part for part in result.parts if isinstance(part, Media)]
    if media:
        yield {"type": "text", "text": f"From the tool {result.name or result.id}:"}
    for part in media:
        if isinstance(part, Media):
            yield _part(part, where)
