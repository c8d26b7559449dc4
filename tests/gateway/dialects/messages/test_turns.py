"""Messages become Anthropic's turns: two roles, one turn after another, results first."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.dialects.messages.turns import all_from_the_system, may_think, write_system, write_turns
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
from gateway.errors import InvalidRequest

CALL = ToolUse("call_1", "weather", '{"city": "Oslo"}')
RESULT = ToolResult("call_1", "weather", (Text("12"),))


def user(*parts: Part) -> Message:
    return Message(Role.USER, parts)


def assistant(*parts: Part) -> Message:
    return Message(Role.ASSISTANT, parts)


def blocks(message: Message) -> Any:
    (turn,) = write_turns([message], think=True)
    return turn["content"]


def refused(part: Part) -> str | None:
    with pytest.raises(InvalidRequest) as refusal:
        write_turns([user(Text("a")), user(part)], think=True)
    return refusal.value.param


def test_neighbours_of_one_role_are_one_turn_and_results_come_first() -> None:
    messages = [
        Message(Role.SYSTEM, (Text("Be brief."),)), user(Text("Hi")), user(Text("there")),
        assistant(Text("Yes?"), CALL),
        Message(Role.TOOL, (RESULT,)), user(Text("So?")), Message(Role.TOOL, (RESULT._replace(id="call_2"),)),
        Message(Role.DEVELOPER, (Text("And kind."),)),
    ]  # fmt: skip
    turns = write_turns(messages, think=True)
    assert [(turn["role"], [block["type"] for block in turn["content"]]) for turn in turns] == [
        ("user", ["text", "text"]),
        ("assistant", ["text", "tool_use"]),
        ("user", ["tool_result", "tool_result", "text"]),
    ]
    assert [block["text"] for block in write_system(messages)] == ["Be brief.", "And kind."]


def test_blocks_without_text_are_left_out() -> None:
    assert write_turns([user(Text("")), assistant(Text(" \n"), CALL)], think=True) == [
        {"role": "assistant",
         "content": [{"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Oslo"}}]}
    ]  # fmt: skip


def test_a_result_may_hold_images_and_be_an_error() -> None:
    image = Media(MediaKind.IMAGE, "image/png", "AA==")
    (block,) = blocks(Message(Role.TOOL, (ToolResult("c", None, (Text("No"), image), is_error=True),)))
    assert block == {
        "type": "tool_result", "tool_use_id": "c", "is_error": True, "content": [
            {"type": "text", "text": "No"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
        ],
    }  # fmt: skip


def test_an_id_is_written_in_letters_that_anthropic_takes_in_the_call_and_its_result() -> None:
    turns = write_turns(
        [assistant(CALL._replace(id="f.get:0")), Message(Role.TOOL, (RESULT._replace(id="f.get:0"),))], think=True
    )
    assert turns[0]["content"][0]["id"] == turns[1]["content"][0]["tool_use_id"] == "f_get_0"


@pytest.mark.parametrize(("arguments", "written"), [("", {}), ("{}", {}), ('{"a":1}', {"a": 1})])
def test_arguments_are_an_object(arguments: str, written: Any) -> None:
    assert blocks(assistant(CALL._replace(arguments=arguments)))[0]["input"] == written


@pytest.mark.parametrize("arguments", ["[1]", "{", "12"])
def test_arguments_that_are_none_are_refused(arguments: str) -> None:
    assert refused(CALL._replace(arguments=arguments)) == "messages[1]"


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Media(MediaKind.IMAGE, url="https://a.b/c.png"),
         {"type": "image", "source": {"type": "url", "url": "https://a.b/c.png"}}),
        (Media(MediaKind.FILE, "application/pdf", "JVBERi0=", name="plan.pdf"),
         {"type": "document", "title": "plan.pdf",
          "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}),
        (Media(MediaKind.FILE, "text/csv; charset=utf-8", "YSxi"),
         {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}}),
        (Media(MediaKind.FILE, file_id="file_1"),
         {"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
        (Decline("I won't."), {"type": "text", "text": "I won't."}),
    ],
)  # fmt: skip
def test_media_and_refusals_have_blocks(part: Part, block: Any) -> None:
    assert blocks(user(part)) == [block]


@pytest.mark.parametrize(
    "part",
    [
        Media(MediaKind.AUDIO, "audio/wav", "AA=="),
        Media(MediaKind.IMAGE, "image/tiff", "AA=="),
        Media(MediaKind.FILE, "application/zip", "AA=="),
        Media(MediaKind.FILE, "text/plain", "?!"),
        Media(MediaKind.FILE, "text/plain", "//8="),
    ],
)
def test_other_media_are_refused(part: Part) -> None:
    assert refused(part) == "messages[1]"


def test_thoughts_go_back_only_to_who_signed_them() -> None:
    said: Sequence[Part] = (
        Reasoning("mine", "anthropic:s"), Reasoning("", redacted="anthropic:r"), Reasoning("another's", "gemini:s"),
        Reasoning("nobody's"), Reasoning("bare", "s"), Text("Well."),
    )  # fmt: skip
    assert blocks(assistant(*said)) == [
        {"type": "thinking", "thinking": "mine", "signature": "s"},
        {"type": "redacted_thinking", "data": "r"},
        {"type": "text", "text": "Well."},
    ]
    (turn,) = write_turns([assistant(*said)], think=False)
    assert turn["content"] == [{"type": "text", "text": "Well."}]


def test_a_round_of_tool_calls_without_its_thoughts_ends_thinking() -> None:
    signed = Reasoning("Hm", "anthropic:s")
    result = Message(Role.TOOL, (RESULT,))
    assert may_think([user(Text("a"))])
    assert may_think([user(Text("a")), assistant(signed, CALL), result])
    assert not may_think([user(Text("a")), assistant(CALL), result])
    assert not may_think([user(Text("a")), assistant(Reasoning("Hm", "gemini:s"), CALL), result])
    assert may_think([assistant(CALL), result, user(Text("b"))]), "the round is over"


def test_a_call_of_system_messages_alone_is_asked_by_the_user() -> None:
    system = Message(Role.SYSTEM, (Text("Tell a joke."),))
    assert all_from_the_system([system]) == [{"role": "user", "content": [{"type": "text", "text": "Tell a joke."}]}]
    with pytest.raises(InvalidRequest):
        all_from_the_system([user(Text(""))])
