"""Messages written for OpenAI, and for the many servers that know less of the dialect."""

from typing import Any

import pytest

from gateway.dialects import chat
from gateway.dialects.chat.write_messages import write_messages
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
from tests.gateway.dialects.openai_examples import CHAT_REQUEST, PIXEL

IMAGE = Media(MediaKind.IMAGE, mime="image/png", data=PIXEL)
CALL = ToolUse("c", "shot", "{}")


def test_what_was_read_means_the_same_when_it_is_written() -> None:
    messages = chat.read_request(CHAT_REQUEST).messages
    for own in (True, False):
        body = {"model": "m", "messages": write_messages(messages, own=own)}
        again = chat.read_request(body).messages
        assert [message.role for message in again][2:] == [message.role for message in messages][2:]
        assert again[2] == messages[2]
        assert again[4:] == messages[4:]


def test_only_openais_models_are_told_of_developers_and_of_refusals() -> None:
    messages = [Message(Role.DEVELOPER, [Text("be brief")]), Message(Role.ASSISTANT, [Decline("no")])]
    assert write_messages(messages, own=True) == [
        {"role": "developer", "content": "be brief"},
        {"role": "assistant", "content": "", "refusal": "no"},
    ]
    assert write_messages(messages, own=False) == [
        {"role": "system", "content": "be brief"},
        {"role": "assistant", "content": "no"},
    ]


def test_several_texts_are_one_where_a_server_may_know_no_parts() -> None:
    message = Message(Role.USER, [Text("a"), Text("b")])
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert write_messages([message], own=True)[0]["content"] == parts
    assert write_messages([message], own=False)[0]["content"] == "a\n\nb"


def test_thoughts_go_back_only_since_the_user_spoke_and_never_to_openai() -> None:
    old = Message(Role.ASSISTANT, [Reasoning("old"), Text("a")])
    new = Message(Role.ASSISTANT, [Reasoning("new", signature="compatible:opaque"), CALL])
    messages = [old, Message(Role.USER, [Text("b")]), new]
    first, _, last = write_messages(messages, own=False)
    assert first == {"role": "assistant", "content": "a"}
    assert last["reasoning_content"] == "new"
    assert last["reasoning_details"] == [{"type": "reasoning.text", "text": "new", "signature": "opaque"}]
    assert "reasoning" not in str(write_messages(messages, own=True))


def test_anothers_signature_does_not_go_out() -> None:
    call = CALL._replace(signature="gemini:s")
    thoughts: list[Part] = [Reasoning("t", signature="anthropic:x"), Reasoning("", redacted="anthropic:y"), call]
    (written,) = write_messages([Message(Role.ASSISTANT, thoughts)], own=False)
    assert "reasoning_details" not in written
    assert written["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "s"}}
    (written,) = write_messages([Message(Role.ASSISTANT, thoughts)], own=True)
    assert "extra_content" not in written["tool_calls"][0]


def test_what_tools_showed_comes_after_the_last_of_them() -> None:
    messages = [
        Message(Role.ASSISTANT, [CALL, CALL._replace(id="d")]),
        Message(Role.TOOL, [ToolResult("c", "shot", [Text("done"), IMAGE])]),
        Message(Role.TOOL, [ToolResult("d", "shot", [Text("again")])]),
        Message(Role.USER, [Text("and?")]),
    ]
    written = write_messages(messages, own=True)
    assert [message["role"] for message in written] == ["assistant", "tool", "tool", "user", "user"]
    assert written[1]["content"] == "done"
    assert written[3]["content"][0] == {"type": "text", "text": "From the tool shot:"}
    assert written[3]["content"][1]["image_url"]["url"].endswith(PIXEL)
    assert write_messages(messages[:2], own=True)[-1]["role"] == "user"


def test_a_call_alone_has_no_content() -> None:
    assert write_messages([Message(Role.ASSISTANT, [CALL])], own=True)[0]["content"] is None


@pytest.mark.parametrize(
    "media",
    [
        Media(MediaKind.IMAGE, file_id="f"),
        Media(MediaKind.AUDIO, url="https://example.com/a.wav"),
        Media(MediaKind.AUDIO, mime="audio/x-strange", data="AAAA"),
        Media(MediaKind.FILE, url="https://example.com/a.pdf"),
    ],
)
def test_media_that_the_dialect_cannot_say_is_refused_at_its_message(media: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        write_messages([Message(Role.SYSTEM, []), Message(Role.USER, [media])], own=True)
    assert caught.value.param == "messages[1]"
