"""The messages of a chat completion as a client sends them, read into the form between dialects."""

from collections.abc import Iterator, Mapping

from gateway.dialects.chat.thoughts import read_thoughts
from gateway.dialects.fields import Fields
from gateway.dialects.neutral import Decline, Media, Message, Part, Role, Text, ToolResult, ToolUse
from gateway.dialects.openai.media import read_audio, read_file, read_image
from gateway.dialects.signature import Origin, signed_by

MESSAGE_IGNORED: Mapping[str, str] = {
    "messages[].annotations": "citations of an earlier answer; the text stands without them",
    "messages[].audio": "an earlier spoken answer is an id at its provider; its transcript is in `content`",
    "messages[].cache_control": "a hint for a provider's cache",
    "messages[].content[].cache_control": "a hint for a provider's cache",
    "messages[].content[].prompt_cache_breakpoint": "a hint for a provider's cache",
    "messages[].id": "OpenAI's name for the message",
    "messages[].reasoning_details[].format": "how the provider tells its opaque thoughts apart",
    "messages[].tool_calls[].index": "the place of the call, which its order says",
}
_IGNORED = tuple(name.removeprefix("messages[].") for name in MESSAGE_IGNORED if name.count("[]") == 1)
_PART_IGNORED = tuple(
    name.removeprefix("messages[].content[].") for name in MESSAGE_IGNORED if name.startswith("messages[].content")
)
_ROLES = {"system": Role.SYSTEM, "developer": Role.DEVELOPER, "user": Role.USER}
_ASSISTANT = (
    "role", "content", "name", "refusal", "tool_calls", "function_call", "images", "reasoning_content", "reasoning",
    "reasoning_details",
)  # fmt: skip
_NAMES = frozenset(("assistant", "tool", "function", *_ROLES))


class Calls:
    """The tool calls seen so far: results name their call by id, and (in the old form) by the function alone."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._unanswered: dict[str, str] = {}

    def made(self, call: ToolUse) -> ToolUse:
        self._names[call.id] = call.name
        return call

    def made_without_id(self, name: str, arguments: str) -> ToolUse:
        self._unanswered[name] = call_id = f"call_{len(self._names)}"
        return self.made(ToolUse(call_id, name, arguments))

    def name(self, call_id: str) -> str | None:
        return self._names.get(call_id)

    def answered(self, name: str) -> str | None:
        return self._unanswered.pop(name, None)


def read_messages(body: Fields) -> list[Message]:
    messages, calls = body.children("messages"), Calls()
    if not messages:
        body.refuse("messages", "must be an array with at least one message.")
    return [_message(message, calls) for message in messages]


def _message(message: Fields, calls: Calls) -> Message:
    role = message.need_one_of("role", _NAMES)
    if role == "assistant":
        return _assistant(message, calls)
    if role in ("tool", "function"):
        return _tool(message, calls, role)
    message.only(("role", "content", "name", *_IGNORED))
    return Message(_ROLES[role], list(read_content(message)), name=message.text("name"))


def read_content(message: Fields) -> Iterator[Text | Media | Decline]:
    """The parts of `content`, which is a string or an array of parts."""
    content = message.value("content")
    if isinstance(content, str):
        yield Text(content)
        return
    if not isinstance(content, list):
        message.refuse("content", "must be a string or an array.")
    for part in message.children("content"):
        yield _part(part)


def _part(part: Fields) -> Text | Media | Decline:
    kind = part.need_text("type")
    part.only(("type", kind, *_PART_IGNORED))
    match kind:
        case "text":
            return Text(part.need_text("text"))
        case "refusal":
            return Decline(part.need_text("refusal"))
        case "image_url":
            return read_image(part.need_child("image_url"), "url")
        case "input_audio":
            return read_audio(part.need_child("input_audio"))
        case "file":
            return read_file(part.need_child("file"))
    raise part.wrong("type", "must be one of file, image_url, input_audio, refusal, text.")


def _assistant(message: Fields, calls: Calls) -> Message:
    message.only((*_ASSISTANT, *_IGNORED))
    parts: list[Part] = [*read_thoughts(message)]
    if message.has("content"):
        parts += [part for part in read_content(message) if part != Text("")]
    if refusal := message.text("refusal"):
        parts.append(Decline(refusal))
    parts += [read_image(image.need_child("image_url"), "url") for image in message.children("images")]
    parts += [calls.made(_tool_use(call)) for call in message.children("tool_calls")]
    if (old := message.child("function_call")) is not None:
        parts.append(calls.made_without_id(old.need_text("name"), old.text("arguments") or ""))
    return Message(Role.ASSISTANT, parts, name=message.text("name"))


def _tool_use(call: Fields) -> ToolUse:
    if call.text("type") not in (None, "function"):
        call.refuse("type", "must be function: other kinds of tools can't be carried over.")
    function = call.need_child("function")
    return ToolUse(
        call.need_text("id"), function.need_text("name"), function.text("arguments") or "", read_call_signature(call)
    )


def read_call_signature(call: Fields) -> str | None:
    """Gemini's compatible paths give the thought behind a call a place of its own."""
    extra = call.child("extra_content")
    google = extra.child("google") if extra is not None else None
    return signed_by(Origin.GEMINI, google.text("thought_signature")) if google is not None else None


def _tool(message: Fields, calls: Calls, role: str) -> Message:
    message.only(("role", "content", "name", "tool_call_id", *_IGNORED))
    name = message.need_text("name") if role == "function" else message.text("name")
    call_id = message.text("tool_call_id")
    if role == "function" and call_id is None:
        call_id = calls.answered(name or "")
    if call_id is None:
        message.refuse("tool_call_id" if role == "tool" else "name", "must name a tool call that was made.")
    parts = [part for part in read_content(message) if not isinstance(part, Decline)]
    return Message(Role.TOOL, [ToolResult(call_id, calls.name(call_id) or name, parts)])
