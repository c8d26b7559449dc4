"""Messages as Converse's turns: two roles, no blank text, no two documents of one name."""

import pytest

from gateway.dialects.converse.turns import uses_tools, write_system, write_turns
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
from gateway.exchange import Json

PDF = Media(MediaKind.FILE, mime="application/pdf", data="cGRm", name="Q3: report_final.pdf")
PICTURE = Media(MediaKind.IMAGE, mime="image/PNG; x=y", data="aW1n", detail="high")


def user(*parts: Part) -> Message:
    return Message(Role.USER, parts)


def turns(*messages: Message, think: bool = True) -> list[Json]:
    return write_turns(messages, think=think)


def refused(part: Part, role: Role = Role.USER) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        turns(user(Text("Hi")), Message(role, [part]))
    return caught.value.param


def test_what_the_system_says_stands_apart() -> None:
    messages = [
        Message(Role.SYSTEM, [Text("A"), Text(" ")]), user(Text("Hi")), Message(Role.DEVELOPER, [Text("B")]),
    ]  # fmt: skip
    assert write_system(messages) == [{"text": "A"}, {"text": "B"}]
    assert turns(*messages) == [{"role": "user", "content": [{"text": "Hi"}]}]


def test_neighbours_of_one_role_are_one_turn_in_which_results_come_first() -> None:
    call = ToolUse("c.1", "weather", '{"city":"Oslo"}')
    assert turns(
        user(Text("Weather?")),
        Message(Role.ASSISTANT, [Text("  "), call]),
        Message(Role.ASSISTANT, [Decline("No.")]),
        user(Text("Well?")),
        Message(Role.TOOL, [ToolResult("c.1", None, [Text("rain"), Text(""), PICTURE], is_error=True)]),
        user(Text("\n")),
    ) == [
        {"role": "user", "content": [{"text": "Weather?"}]},
        {"role": "assistant", "content": [
            {"toolUse": {"toolUseId": "c_1", "name": "weather", "input": {"city": "Oslo"}}}, {"text": "No."},
        ]},
        {"role": "user", "content": [
            {"toolResult": {"toolUseId": "c_1", "status": "error", "content": [
                {"text": "rain"}, {"image": {"format": "png", "source": {"bytes": "aW1n"}}},
            ]}},
            {"text": "Well?"},
        ]},
    ]  # fmt: skip


def test_a_long_id_is_cut_the_same_way_on_both_sides() -> None:
    long = "fc_" + "a" * 70 + "1"
    called = turns(Message(Role.ASSISTANT, [ToolUse(long, "f", "")]))[0]["content"][0]["toolUse"]
    [result] = turns(Message(Role.TOOL, [ToolResult(long, None, [])]))[0]["content"]
    assert called["toolUseId"] == result["toolResult"]["toolUseId"] == long[-64:]
    assert called["input"] == {}


def test_no_two_documents_have_one_name() -> None:
    [turn] = turns(user(PDF, PDF._replace(mime="text/x-python"), Media(MediaKind.FILE, "text/csv", "eA==", name="?")))
    assert [block["document"] for block in turn["content"]] == [
        {"format": "pdf", "source": {"bytes": "cGRm"}, "name": "Q3 report final pdf"},
        {"format": "txt", "source": {"bytes": "cGRm"}, "name": "Q3 report final pdf 2"},
        {"format": "csv", "source": {"bytes": "eA=="}, "name": "document"},
    ]


def test_many_documents_of_one_name_take_no_longer_than_others() -> None:
    [turn] = turns(user(*[PDF] * 20_000))
    names = {block["document"]["name"] for block in turn["content"]}
    assert len(names) == 20_000
    assert "Q3 report final pdf 20000" in names


def test_a_number_that_a_client_has_given_already_is_left_out() -> None:
    [turn] = turns(user(*[PDF._replace(name=name) for name in ("a", "a 2", "a", "a")]))
    assert [block["document"]["name"] for block in turn["content"]] == ["a", "a 2", "a 3", "a 4"]


def test_sound_and_what_lies_at_aws_are_taken() -> None:
    [turn] = turns(
        user(Media(MediaKind.AUDIO, "audio/mpeg", "eA=="), Media(MediaKind.IMAGE, "image/gif", url="s3://bucket/x.gif"))
    )
    assert turn["content"] == [
        {"audio": {"format": "mp3", "source": {"bytes": "eA=="}}},
        {"image": {"format": "gif", "source": {"s3Location": {"uri": "s3://bucket/x.gif"}}}},
    ]


def test_only_signed_thoughts_go_back_and_only_to_who_thinks() -> None:
    thoughts = [
        Reasoning("a", signature="anthropic:sig"), Reasoning("b"), Reasoning("c", signature="gemini:x"),
        Reasoning("", redacted="bedrock:eA=="), Reasoning("", redacted="anthropic:x"),
    ]  # fmt: skip
    message = Message(Role.ASSISTANT, [*thoughts, Text("so")])
    assert turns(message)[0]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "a", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": "eA=="}},
        {"text": "so"},
    ]
    assert turns(message, think=False)[0]["content"] == [{"text": "so"}]


def test_what_the_model_drew_is_not_shown_to_it_again() -> None:
    assert turns(user(Text("Draw")), Message(Role.ASSISTANT, [PICTURE])) == turns(user(Text("Draw")))


@pytest.mark.parametrize(
    "part",
    [
        Media(MediaKind.IMAGE, mime="image/png", url="https://example.org/x.png"),
        Media(MediaKind.IMAGE, mime="image/png", file_id="file-1"),
        Media(MediaKind.IMAGE, mime="image/tiff", data="x"),
        Media(MediaKind.IMAGE, url="s3://bucket/x.png"),
        Media(MediaKind.FILE, mime="application/zip", data="x"),
        Media(MediaKind.AUDIO, mime="audio/midi", data="x"),
        ToolResult("1", None, [Media(MediaKind.AUDIO, mime="audio/wav", data="x")]),
    ],
)
def test_a_part_that_converse_has_no_word_for_is_refused_with_its_place(part: Part) -> None:
    assert refused(part) == "messages[1]"


def test_arguments_that_are_no_object_are_refused() -> None:
    assert refused(ToolUse("1", "f", "[]"), Role.ASSISTANT) == "messages[1]"


def test_tools_are_used_where_one_was_called_or_answered() -> None:
    assert not uses_tools([user(Text("Hi"))])
    assert uses_tools([Message(Role.ASSISTANT, [ToolUse("1", "f", "")])])
    assert uses_tools([Message(Role.TOOL, [ToolResult("1", None, [])])])
