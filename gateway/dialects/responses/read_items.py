"""The input of a response as a client sends it: items, read into messages.

What the model said in one turn is several items (thoughts, a message, calls); together they are one message. A thought
without words may be the place of what is opaque and has no other place here: see `sealed`.
"""

from collections.abc import Iterator, Mapping, Sequence

from gateway.dialects.fields import Fields
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
)
from gateway.dialects.openai.media import read_audio, read_file, read_image
from gateway.dialects.signature import Origin, bare, signed_by

ITEM_IGNORED: Mapping[str, str] = {
    "input[].annotations": "citations of an earlier answer; the text stands without them",
    "input[].async": "whether OpenAI waited for a result that is here by now",
    "input[].caller": "who called the tool, of OpenAI's own tools",
    "input[].id": "OpenAI's name for the item",
    "input[].phase": "whether an earlier answer was the last of its turn",
    "input[].status": "whether an earlier item was complete",
    "input[].content[].annotations": "citations of an earlier answer; the text stands without them",
    "input[].content[].logprobs": "how sure an earlier answer was",
    "input[].content[].prompt_cache_breakpoint": "a hint for OpenAI's cache",
}
_IGNORED = tuple(name.removeprefix("input[].") for name in ITEM_IGNORED if name.count("[]") == 1)
_PART_IGNORED = tuple(
    name.removeprefix("input[].content[].") for name in ITEM_IGNORED if name.startswith("input[].content")
)
_ROLES = {"system": Role.SYSTEM, "developer": Role.DEVELOPER, "user": Role.USER, "assistant": Role.ASSISTANT}
_PART_FIELDS = {
    "input_text": ("text",), "output_text": ("text",), "text": ("text",), "summary_text": ("text",),
    "refusal": ("refusal",), "input_audio": ("input_audio",), "input_image": ("image_url", "file_id", "detail"),
    "input_file": ("file_data", "file_url", "file_id", "filename", "detail"),
}  # fmt: skip
_REDACTED = "redacted."
_CALL = "call."


def sealed(thought: Reasoning) -> str | None:
    """The `encrypted_content` of a thought. The dialect has one opaque field: a mark tells what is in it."""
    return _REDACTED + thought.redacted if thought.redacted is not None else bare(Origin.OPENAI, thought.signature)


def sealed_call(signature: str) -> str:
    """The same of a call's signature, for which the dialect has no field: a thought before the call holds it."""
    return _CALL + signature


def read_input(body: Fields) -> list[Message]:
    given = body.value("input")
    if isinstance(given, str):
        return [Message(Role.USER, [Text(given)])]
    items = body.children("input")
    if not items:
        body.refuse("input", "must be a string, or an array with at least one item.")
    return list(_joined(items))


def _joined(items: Sequence[Fields]) -> Iterator[Message]:
    """A message for each item, those that follow each other in the assistant's role made one."""
    said: list[Part] = []
    names: dict[str, str] = {}
    for message in _messages(items, names):
        if message.role is Role.ASSISTANT:
            said += message.parts
            continue
        if said:
            yield Message(Role.ASSISTANT, said)
        said = []
        yield message
    if said:
        yield Message(Role.ASSISTANT, said)


def _messages(items: Sequence[Fields], names: dict[str, str]) -> Iterator[Message]:
    """Each item as a message of its own. `names`: of the functions called so far, by the call's id."""
    signature: str | None = None
    for item in items:
        kind = item.text("type") or "message"
        if kind == "function_call":
            call = _call(item)
            names[call.id] = call.name
            yield Message(Role.ASSISTANT, [call._replace(signature=signature)])
            signature = None
        elif kind == "reasoning" and (held := _held_for_a_call(item)) is not None:
            signature = held
        else:
            yield _item(item, kind, names)


def _held_for_a_call(item: Fields) -> str | None:
    content = item.text("encrypted_content") or ""
    return content.removeprefix(_CALL) if content.startswith(_CALL) else None


def _item(item: Fields, kind: str, names: Mapping[str, str]) -> Message:
    match kind:
        case "message":
            item.only(("type", "role", "content", *_IGNORED))
            return Message(_ROLES[item.need_one_of("role", _ROLES)], list(_content(item, "content")))
        case "reasoning":
            item.only(("type", "summary", "content", "encrypted_content", *_IGNORED))
            return Message(Role.ASSISTANT, [read_thought(item)])
        case "function_call_output":
            return Message(Role.TOOL, [_result(item, names)])
        case "item_reference":
            raise item.wrong("type", "names what is stored at OpenAI: send the item itself (with store: false).")
    raise item.wrong(
        "type",
        "must be one of function_call, function_call_output, message, reasoning: "
        "what OpenAI's own tools did can't be carried over.",
    )


def read_thought(item: Fields) -> Reasoning:
    """Summary and text are two views of one thought; the longer way of saying it wins."""
    parts = item.children("content") or item.children("summary")
    text = "\n\n".join(part.need_text("text") for part in parts)
    content = item.text("encrypted_content") or ""
    if content.startswith(_REDACTED):
        return Reasoning(text, redacted=content.removeprefix(_REDACTED))
    return Reasoning(text, signature=signed_by(Origin.OPENAI, content))


def _call(item: Fields) -> ToolUse:
    item.only(("type", "call_id", "name", "arguments", *_IGNORED))
    return ToolUse(item.need_text("call_id"), item.need_text("name"), item.text("arguments") or "")


def _result(item: Fields, names: Mapping[str, str]) -> ToolResult:
    item.only(("type", "call_id", "output", "name", *_IGNORED))
    call_id = item.need_text("call_id")
    parts = [part for part in _content(item, "output") if not isinstance(part, Decline)]
    return ToolResult(call_id, names.get(call_id) or item.text("name"), parts)


def _content(item: Fields, name: str) -> Iterator[Text | Media | Decline]:
    """A string or an array of parts, in the field `name`."""
    content = item.value(name)
    if isinstance(content, str):
        yield Text(content)
        return
    if not isinstance(content, list):
        item.refuse(name, "must be a string or an array.")
    for part in item.children(name):
        yield _part(part)


def _part(part: Fields) -> Text | Media | Decline:
    kind = part.need_one_of("type", _PART_FIELDS)
    part.only(("type", *_PART_FIELDS[kind], *_PART_IGNORED))
    match kind:
        case "refusal":
            return Decline(part.need_text("refusal"))
        case "input_image":
            return read_image(part, "image_url")
        case "input_file":
            return read_file(part)
        case "input_audio":
            return read_audio(part.need_child("input_audio"))
    return Text(part.need_text("text"))
