"""Anthropic's content blocks become parts; what can't be carried is refused by name."""

from typing import Any

import pytest

from gateway.dialects.fields import asked
from gateway.dialects.messages.blocks import read_messages, read_system
from gateway.dialects.neutral import Media, MediaKind, Message, Part, Reasoning, Role, Text, ToolResult, ToolUse
from gateway.errors import InvalidRequest

PNG = "iVBORw0KGgo="


def read(*content: Any, role: str = "user") -> list[Message]:
    return read_messages(asked({"messages": [{"role": role, "content": list(content)}]}))


def part(block: Any, role: str = "user") -> Part:
    (message,) = read(block, role=role)
    (only,) = message.parts
    return only


def refused(block: Any, role: str = "user") -> str | None:
    with pytest.raises(InvalidRequest) as refusal:
        read(block, role=role)
    return refusal.value.param


def test_a_string_is_a_text_block() -> None:
    (message,) = read_messages(asked({"messages": [{"role": "user", "content": "Hi"}]}))
    assert message == Message(Role.USER, (Text("Hi"),))
    assert part({"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}) == Text("Hi")


@pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be brief.", "cache_control": {}}]])
def test_the_system_speaks_first(system: Any) -> None:
    assert read_system(asked({"system": system})) == [Message(Role.SYSTEM, (Text("Be brief."),))]
    assert read_system(asked({})) == []


def test_the_system_may_speak_in_between() -> None:
    (message,) = read({"type": "text", "text": "From now on, rhyme."}, role="system")
    assert message == Message(Role.SYSTEM, (Text("From now on, rhyme."),))
    assert refused({"type": "image", "source": {"type": "url", "url": "u"}}, role="system") == (
        "messages[0].content[0].type"
    )


@pytest.mark.parametrize(
    ("source", "media"),
    [
        ({"type": "base64", "media_type": "image/png", "data": PNG}, Media(MediaKind.IMAGE, "image/png", PNG)),
        ({"type": "url", "url": "https://a.b/c.png"}, Media(MediaKind.IMAGE, url="https://a.b/c.png")),
        ({"type": "file", "file_id": "file_1"}, Media(MediaKind.IMAGE, file_id="file_1")),
    ],
)
def test_an_image_may_come_from_three_places(source: Any, media: Media) -> None:
    assert part({"type": "image", "source": source}) == media


def test_a_pdf_is_a_file_with_its_title_as_name() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    document = {"type": "document", "title": "Plan", "context": "A draft.", "source": pdf}
    (message,) = read(document)
    assert message.parts == (Text("A draft."), Media(MediaKind.FILE, "application/pdf", "JVBERi0=", name="Plan"))
    linked = part({"type": "document", "source": {"type": "url", "url": "https://a.b/c.pdf"}})
    assert linked == Media(MediaKind.FILE, "application/pdf", url="https://a.b/c.pdf")


def test_a_document_of_text_is_text_under_its_title() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "Once upon a time."}
    assert part({"type": "document", "title": "Tale", "source": source}) == Text("Tale\n\nOnce upon a time.")
    blocks = {"type": "content", "content": [{"type": "text", "text": "Once."}]}
    assert read({"type": "document", "title": "Tale", "source": blocks})[0].parts == (Text("Tale"), Text("Once."))
    assert part({"type": "document", "source": {"type": "content", "content": "Once."}}) == Text("Once.")


def test_citations_can_only_be_off() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "Once."}
    assert part({"type": "document", "source": source, "citations": {"enabled": False}}) == Text("Once.")
    assert refused({"type": "document", "source": source, "citations": {"enabled": True}}) == (
        "messages[0].content[0].citations"
    )


def test_thoughts_keep_their_signature_and_its_origin() -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    assert part(thinking, "assistant") == Reasoning("Hm.", "anthropic:c2ln")
    foreign = {"type": "thinking", "thinking": "", "signature": "gemini:c2ln"}
    assert part(foreign, "assistant") == Reasoning("", "gemini:c2ln")
    hidden = {"type": "redacted_thinking", "data": "ZGF0YQ"}
    assert part(hidden, "assistant") == Reasoning("", redacted="anthropic:ZGF0YQ")


def test_each_result_stands_alone_and_knows_its_tool() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}
    results = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12 degrees"},
        {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True, "content": [
            {"type": "text", "text": "No map."},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        ]},
        {"type": "text", "text": "So?"},
    ]  # fmt: skip
    messages = [{"role": "assistant", "content": [call]}, {"role": "user", "content": results}]
    assert read_messages(asked({"messages": messages})) == [
        Message(Role.ASSISTANT, (ToolUse("toolu_1", "weather", '{"city":"Oslo"}'),)),
        Message(Role.TOOL, (ToolResult("toolu_1", "weather", (Text("12 degrees"),)),)),
        Message(Role.TOOL, (ToolResult("toolu_2", None, (
            Text("No map."), Media(MediaKind.IMAGE, "image/png", PNG),
        ), is_error=True),)),
        Message(Role.USER, (Text("So?"),)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("block", "role", "field"),
    [
        ({"type": "server_tool_use", "id": "a", "name": "web_search", "input": {}}, "assistant", "type"),
        ({"type": "search_result", "source": "s", "title": "t", "content": []}, "user", "type"),
        ({"type": "tool_use", "id": "a", "name": "b", "input": {}}, "user", "type"),
        ({"type": "image", "source": {"type": "url", "url": "u"}}, "assistant", "type"),
        ({"type": "image", "source": {"type": "url", "url": "u"}, "transformations": {}}, "user", "transformations"),
        ({"type": "image", "source": {"type": "s3"}}, "user", "source.type"),
        ({"type": "text"}, "user", "text"),
        ({"type": "tool_use", "id": "a", "name": "b", "input": "{}"}, "assistant", "input"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(block: Any, role: str, field: str) -> None:
    assert refused(block, role) == f"messages[0].content[0].{field}"


def test_there_must_be_something_to_answer() -> None:
    for messages in list[Any](([], None)):
        with pytest.raises(InvalidRequest) as refusal:
            read_messages(asked({"messages": messages}))
        assert refusal.value.param == "messages"
    with pytest.raises(InvalidRequest) as refusal:
        read_messages(asked({"messages": [{"role": "user"}]}))
    assert refusal.value.param == "messages[0].content"


def test_an_input_too_deep_to_be_written_is_refused() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    assert refused({"type": "tool_use", "id": "a", "name": "b", "input": deep}, "assistant") == (
        "messages[0].content[0].input"
    )
