"""Messages of the form between dialects, written as Gemini's contents.

Gemini knows two roles, and responses of functions are a content of their own: as many responses as there were calls.
Of thoughts only the signatures go back, on the part that follows them; empty text is left out.
"""

import mimetypes
from collections.abc import Iterator, Mapping, Sequence

from gateway.dialects.arguments import as_object
from gateway.dialects.neutral import (
    Decline,
    Media,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolResult,
    ToolUse,
    as_text,
)
from gateway.dialects.signature import Origin, own, signed_by
from gateway.errors import InvalidRequest
from gateway.exchange import Json

UNSIGNED = "skip_thought_signature_validator"
"""What Google has callers write where a call came from another model: it is taken without a signature."""

_SYSTEM = (Role.SYSTEM, Role.DEVELOPER)


def write_system(messages: Sequence[Message]) -> list[Json]:
    said = [part for message in messages if message.role in _SYSTEM for part in message.parts]
    return [{"text": part.text} for part in said if isinstance(part, Text) and part.text]


def write_contents(messages: Sequence[Message], *, signed: bool) -> list[Json]:
    """`signed`: the model wants ids and signatures, and takes media inside a response."""
    names = {part.id: part.name for message in messages for part in message.parts if isinstance(part, ToolUse)}
    contents: list[Json] = []
    last: Role | None = None
    for i, message in enumerate(messages):
        if message.role in _SYSTEM:
            continue
        parts = list(_parts(message, f"messages[{i}]", names, signed=signed))
        if not parts:
            continue
        if message.role is last:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": "model" if message.role is Role.ASSISTANT else "user", "parts": parts})
        last = message.role
    return contents


def all_from_the_system(messages: Sequence[Message]) -> list[Json]:
    """A call that holds system messages alone is asked in the user's name: Gemini wants a content to answer."""
    said = "\n\n".join(as_text(message.parts) for message in messages).strip()
    if not said:
        raise InvalidRequest("There is no message to answer.", param="messages")
    return [{"role": "user", "parts": [{"text": said}]}]


def _parts(message: Message, where: str, names: Mapping[str, str], *, signed: bool) -> Iterator[Json]:
    carried: str | None = None  # a signature that waits for its part
    called = False
    for part in message.parts:
        if isinstance(part, Reasoning):
            carried = own(Origin.GEMINI, part.signature) or carried
            continue
        if isinstance(part, ToolUse):
            said = own(Origin.GEMINI, signed_by(Origin.GEMINI, part.signature)) or carried
            if said is None and signed and not called:
                said = UNSIGNED
            called, carried = True, None
            yield _signed(_call(part, where, signed=signed), said)
            continue
        for written in _plain(part, names, signed=signed):
            yield _signed(written, carried)
            carried = None
    if carried is not None:
        yield {"text": "", "thoughtSignature": carried}


def _signed(part: Json, signature: str | None) -> Json:
    return part if signature is None else {**part, "thoughtSignature": signature}


def _call(part: ToolUse, where: str, *, signed: bool) -> Json:
    arguments = as_object(part.arguments)
    if arguments is None:
        raise InvalidRequest(f"The arguments of the call of '{part.name[:64]}' are no JSON object.", param=where)
    known = {"id": part.id} if signed else {}
    return {"functionCall": {**known, "name": part.name, "args": arguments}}


def _plain(part: Part, names: Mapping[str, str], *, signed: bool) -> Iterator[Json]:
    match part:
        case Text(text) | Decline(text):
            if text:
                yield {"text": text}
        case Media():
            yield write_media(part)
        case ToolResult():
            name = part.name or names.get(part.id, part.id)  # Gemini tells calls apart by name
            yield from _response(part, name, signed=signed)


def _response(part: ToolResult, name: str, *, signed: bool) -> Iterator[Json]:
    media = [write_media(one) for one in part.parts if isinstance(one, Media)]
    response: Json = {
        "name": name,
        "response": {"error" if part.is_error else "output": as_text(part.parts)},
    }
    if signed:
        response["id"] = part.id
        if media:
            response["parts"] = media
    yield {"functionResponse": response}
    if not signed:
        yield from media  # earlier models take them only beside the response


def write_media(media: Media) -> Json:
    name = {"displayName": media.name} if media.name else {}
    if media.data is not None:
        return {"inlineData": {"mimeType": media.mime or "application/octet-stream", "data": media.data, **name}}
    uri = media.url or media.file_id or ""
    mime = media.mime or mimetypes.guess_type(uri.partition("?")[0])[0]
    return {"fileData": {"fileUri": uri, **({"mimeType": mime} if mime else {}), **name}}
