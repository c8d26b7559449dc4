"""Messages of a chat completion, as clients send them."""

from typing import Any

import pytest

from gateway.dialects import chat
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


def read(*messages: Any) -> list[Message]:
    return list(chat.read_request({"model": "m", "messages": list(messages)}).messages)


def refused(message: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(message)
    return caught.value


def test_a_conversation_of_every_kind_of_part_is_read() -> None:
    system, developer, user, assistant, first, second = chat.read_request(CHAT_REQUEST).messages
    assert system == Message(Role.SYSTEM, [Text("Answer in one sentence.")])
    assert developer == Message(Role.DEVELOPER, [Text("Metric units.")])
    assert user.name == "mia"
    assert user.parts == [
        Text("What is the weather on this picture?"),
        Media(MediaKind.IMAGE, mime="image/png", data=PIXEL, detail="low"),
        Media(MediaKind.IMAGE, url="https://example.com/sky.jpg"),
        Media(MediaKind.AUDIO, mime="audio/wav", data="UklGRg=="),
        Media(MediaKind.FILE, mime="application/pdf", data="JVBERi0=", name="map.pdf"),
        Media(MediaKind.FILE, file_id="file-7"),
    ]
    assert assistant.parts == [
        Reasoning("Two towns."),
        Text("I look it up."),
        ToolUse("call_a", "weather", '{"town":"Ulm"}'),
        ToolUse("call_b", "weather", '{"town":"Bonn"}'),
    ]
    assert first == Message(Role.TOOL, [ToolResult("call_a", "weather", [Text("rain")])])
    assert second == Message(Role.TOOL, [ToolResult("call_b", "weather", [Text("sun")])])


def test_a_call_and_a_result_of_the_old_form_find_each_other() -> None:
    call, result = read(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "42"},
    )
    assert call.parts == [ToolUse("call_0", "f", "{}")]
    assert result.parts == [ToolResult("call_0", "f", [Text("42")])]


def test_a_message_as_the_sdk_dumps_it_comes_back() -> None:
    dumped = {"role": "assistant", "content": "hi", "refusal": None, "annotations": None, "audio": None,
              "function_call": None, "tool_calls": None}  # fmt: skip
    assert read(dumped) == [Message(Role.ASSISTANT, [Text("hi")])]


def test_a_refusal_comes_back_in_either_of_its_places() -> None:
    assert read({"role": "assistant", "refusal": "no"})[0].parts == [Decline("no")]
    parts = read({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]})[0].parts
    assert parts == [Decline("no")]


def test_an_empty_answer_is_no_part() -> None:
    assert read({"role": "assistant", "content": ""})[0].parts == []


def test_an_image_that_a_model_made_comes_back_with_the_answer() -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    parts: list[Part] = [Media(MediaKind.IMAGE, "image/png", PIXEL)]
    assert read({"role": "assistant", "content": None, "images": [image]})[0].parts == parts


def test_geminis_signature_of_a_call_knows_its_origin() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": "sig"}}}  # fmt: skip
    assert read({"role": "assistant", "tool_calls": [call]})[0].parts == [ToolUse("c", "f", "{}", "gemini:sig")]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "wizard", "content": "x"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": 5}, "messages[0].content"),
        ({"role": "user", "content": "x", "mood": "good"}, "messages[0].mood"),
        ({"role": "user", "content": [{"type": "video", "video": {}}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "text", "text": "x", "bold": True}]}, "messages[0].content[0].bold"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]},
            "messages[0].content[0].image_url.url",
        ),
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "function", "name": "f", "content": "x"}, "messages[0].name"),
        ({"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]}, "messages[0].tool_calls[0].type"),
    ],
)
def test_what_cannot_be_carried_is_refused_at_its_place(message: Any, param: str) -> None:
    assert refused(message).param == param


@pytest.mark.parametrize("name", ["annotations", "cache_control", "id"])
def test_what_is_ignored_by_name_is_dropped(name: str) -> None:
    assert f"messages[].{name}" in chat.IGNORED
    assert read({"role": "user", "content": "x", name: {}}) == read({"role": "user", "content": "x"})
