"""Gemini's contents, read into messages of the form between dialects.

Calls need no id here: the n-th call of a conversation is `call_n`, and a response without an id answers the first open
call of its name. A signature stands before the part it signs, unless that is a call, which carries its own. Neighbours
of one role are one turn: SDKs return each piece of a stream as a content of its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from gateway.dialects.arguments import as_json
from gateway.dialects.fields import Fields
from gateway.dialects.gemini.names import camel, standard_base64
from gateway.dialects.gemini.signature import read_signature
from gateway.dialects.neutral import Media, MediaKind, Message, Part, Reasoning, Role, Text, ToolResult, ToolUse
from gateway.dialects.signature import Origin, origin_of

HINTS: Mapping[str, str] = {
    "mediaResolution": "how finely media are looked at is up to the provider",
    "partMetadata": "the client's own notes",
    "scheduling": "when a live conversation takes up a response",
}
_DATA = ("text", "inlineData", "fileData", "functionCall", "functionResponse")
_PART = (*_DATA, "thought", "thoughtSignature", *HINTS)
_BLOB = ("mimeType", "data", "displayName")
_FILE = ("mimeType", "fileUri", "displayName")
_AT_GOOGLE = ("https://generativelanguage.googleapis.com/", "gs://", "files/")


def read_contents(body: Fields) -> list[Message]:
    calls = _Calls()
    messages: list[Message] = []
    given = body.children("contents")
    if not given:
        body.refuse("contents", "must hold at least one content.")
    contents = [(_role(content), content) for content in map(camel, given)]
    for role, turn in groupby(contents, lambda content: content[0]):
        told = (part for _, content in turn for one in content.children("parts") for part in _parts(one, role, calls))
        for alone, run in groupby(_joined(told), lambda part: id(part) if isinstance(part, ToolResult) else 0):
            messages.append(Message(Role.TOOL if alone else role, tuple(run)))
    return messages


def _role(content: Fields) -> Role:
    content.only(("role", "parts"))
    said = content.one_of("role", ("user", "model", "function"))
    return Role.ASSISTANT if said == "model" else Role.USER


def read_system(body: Fields) -> list[Message]:
    given = body.child("systemInstruction")
    if given is None:
        return []
    content = camel(given)
    content.only(("role", "parts"))
    texts = []
    for part in map(camel, content.children("parts")):
        part.only(("text", *HINTS))
        texts.append(Text(part.need_text("text")))
    return [Message(Role.SYSTEM, tuple(texts))] if texts else []


def _joined(parts: Iterable[Part]) -> Iterator[Part]:
    """What streamed in pieces is one thought, up to its signature."""
    thought: Reasoning | None = None
    for part in parts:
        if isinstance(part, Reasoning):
            thought = Reasoning((thought.text if thought is not None else "") + part.text, part.signature)
            if part.signature is None:
                continue
        if thought is not None:
            yield thought
            thought = None
        if not isinstance(part, Reasoning):
            yield part
    if thought is not None:
        yield thought


class _Calls:
    """The calls of a conversation that wait for their response."""

    def __init__(self) -> None:
        self._count = 0
        self._open: list[tuple[str, str]] = []

    def begin(self, call: str | None, name: str) -> str:
        call = call or f"call_{self._count}"
        self._count += 1
        self._open.append((call, name))
        return call

    def answer(self, response: Fields, name: str) -> str:
        """The id of the call that `response` answers."""
        said = response.text("id")
        for i, (call, called) in enumerate(self._open):
            if (call == said) if said else (called == name):
                del self._open[i]
                return call
        return said or response.refuse("name", "answers no function call before it.")


def _parts(given: Fields, role: Role, calls: _Calls) -> Iterator[Part]:
    part = camel(given)
    part.only(_PART)
    signature = read_signature(part.text("thoughtSignature"))
    held = [name for name in _DATA if part.has(name)]
    if len(held) > 1 or not (held or signature):
        part.refuse("", f"must hold one of {', '.join(_DATA)}.")
    kind = held[0] if held else "text"
    if kind == "functionCall":
        call = _call(part, role, calls)
        if signature is not None and origin_of(signature) is not Origin.GEMINI:
            yield Reasoning("", signature)  # others sign a thought, not a call
            yield call
        else:
            yield call._replace(signature=signature)
        return
    if part.flag("thought"):
        yield Reasoning(part.need_text("text"), signature)
        return
    if signature is not None:
        yield Reasoning("", signature)
    if kind == "functionResponse":
        yield _response(part, role, calls)
    elif kind == "text":
        if text := part.text("text"):  # a stream ends with an empty one, which clients return
            yield Text(text)
    else:
        yield _media(part)


def _call(part: Fields, role: Role, calls: _Calls) -> ToolUse:
    if role is not Role.ASSISTANT:
        part.refuse("functionCall", "can only be made by the model.")
    call = camel(part.need_child("functionCall"))
    call.only(("id", "name", "args"))
    name = call.need_text("name")
    arguments = as_json(call.mapping("args") or {})
    if arguments is None:
        call.refuse("args", "is nested too deeply.")
    return ToolUse(calls.begin(call.text("id"), name), name, arguments)


def _response(part: Fields, role: Role, calls: _Calls) -> ToolResult:
    if role is Role.ASSISTANT:
        part.refuse("functionResponse", "can't be given by the model.")
    response = camel(part.need_child("functionResponse"))
    response.only(("id", "name", "response", "parts", "willContinue", *HINTS))
    if response.flag("willContinue"):
        response.refuse("willContinue", "can't be carried over to this model's provider.")
    name = response.need_text("name")
    said = response.mapping("response") or {}
    text, is_error = _result(said)
    if text is None:
        response.refuse("response", "is nested too deeply.")
    media = [_media(camel(one)) for one in response.children("parts")]
    return ToolResult(calls.answer(response, name), name, (Text(text), *media), is_error)


def _result(response: Mapping[str, Any]) -> tuple[str | None, bool]:
    """The text of a response, and whether it is an error: one alone under a name that Google gives a meaning."""
    if len(response) == 1:
        ((key, value),) = response.items()
        if key in ("output", "result", "error"):
            return value if isinstance(value, str) else as_json(value), key == "error"
    return as_json(response), False


def _media(part: Fields) -> Media:
    for name, known in (("inlineData", _BLOB), ("fileData", _FILE)):
        if part.has(name):
            camel(part.need_child(name)).only(known)
    return read_media(part)


def read_media(part: Fields) -> Media:
    """What `inlineData` or `fileData` holds; `part` in camel case."""
    if part.has("inlineData"):
        blob = camel(part.need_child("inlineData"))
        mime, data = blob.need_text("mimeType"), standard_base64(blob.need_text("data"))
        return Media(_kind(mime), mime, data, name=blob.text("displayName"))
    file = camel(part.need_child("fileData"))
    mime_or_none, uri = file.text("mimeType"), file.need_text("fileUri")
    at_google = uri.startswith(_AT_GOOGLE)
    place = {"file_id": uri} if at_google else {"url": uri}
    return Media(_kind(mime_or_none or ""), mime_or_none, name=file.text("displayName"), **place)


def _kind(mime: str) -> MediaKind:
    kind = mime.partition("/")[0].strip().lower()
    return MediaKind.IMAGE if kind == "image" else MediaKind.AUDIO if kind == "audio" else MediaKind.FILE
