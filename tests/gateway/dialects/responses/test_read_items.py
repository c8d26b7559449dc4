"""Input items become messages: what the model said in one turn is one of them."""

from typing import Any

import pytest

from gateway.dialects import responses
from gateway.dialects.neutral import (
    Decline,
    Media,
    MediaKind,
    Message,
    Reasoning,
    Role,
    Text,
    ToolResult,
    ToolUse,
)
from gateway.dialects.responses.read_items import sealed, sealed_call
from gateway.errors import InvalidRequest
from tests.gateway.dialects.openai_examples import PIXEL, RESPONSES_REQUEST


def read(*items: Any) -> list[Message]:
    return list(responses.read_request({"model": "m", "input": list(items)}).messages)


def refused(*items: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(*items)
    return caught.value


def test_a_conversation_of_every_kind_of_item_is_read() -> None:
    system, developer, user, assistant, first, second = responses.read_request(RESPONSES_REQUEST).messages
    assert system == Message(Role.SYSTEM, [Text("Answer in one sentence.")])
    assert developer == Message(Role.DEVELOPER, [Text("Metric units.")])
    assert user.parts == [
        Text("What is the weather on this picture?"),
        Media(MediaKind.IMAGE, mime="image/png", data=PIXEL, detail="low"),
        Media(MediaKind.IMAGE, url="https://example.com/sky.jpg", detail="auto"),
        Media(MediaKind.IMAGE, file_id="file-3", detail="auto"),
        Media(MediaKind.AUDIO, mime="audio/mpeg", data="UklGRg=="),
        Media(MediaKind.FILE, mime="application/pdf", data="JVBERi0=", name="map.pdf"),
        Media(MediaKind.FILE, url="https://example.com/map.pdf"),
    ]
    assert assistant == Message(
        Role.ASSISTANT,
        [
            Reasoning("Two towns.", "openai:gAAAA-sealed"),
            Text("I look it up."),
            ToolUse("call_a", "weather", '{"town":"Ulm"}'),
            ToolUse("call_b", "weather", '{"town":"Bonn"}'),
        ],
    )
    assert first == Message(Role.TOOL, [ToolResult("call_a", "weather", [Text("rain")])])
    image = Media(MediaKind.IMAGE, mime="image/png", data=PIXEL, detail="auto")
    assert second == Message(Role.TOOL, [ToolResult("call_b", "weather", [Text("sun"), image])])


def test_turns_of_the_model_that_are_apart_stay_apart() -> None:
    roles = [item.role for item in read({"role": "assistant", "content": "a"}, {"role": "user", "content": "b"},
                                        {"role": "assistant", "content": "c"})]  # fmt: skip
    assert roles == [Role.ASSISTANT, Role.USER, Role.ASSISTANT]


@pytest.mark.parametrize(
    "thought",
    [
        Reasoning("t", "openai:s"),
        Reasoning("t", "anthropic:s"),
        Reasoning("", "openai:s"),
        Reasoning("", redacted="anthropic:d"),
        Reasoning("t"),
    ],
)
def test_what_is_opaque_in_a_thought_comes_back_as_it_was(thought: Reasoning) -> None:
    item = {"type": "reasoning", "summary": [{"type": "summary_text", "text": thought.text}]}
    assert read({**item, "encrypted_content": sealed(thought)})[0].parts == [thought]


def test_openais_own_thoughts_are_as_openai_wrote_them() -> None:
    assert sealed(Reasoning("t", "openai:gAAAA")) == "gAAAA"


def test_a_calls_signature_is_held_by_the_thought_before_it() -> None:
    holder = {"type": "reasoning", "summary": [], "encrypted_content": sealed_call("gemini:s")}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    (message,) = read(holder, call, {**call, "call_id": "d"})
    assert message.parts == [ToolUse("c", "f", "{}", "gemini:s"), ToolUse("d", "f", "{}")]


def test_the_text_of_a_thought_wins_over_its_summary() -> None:
    item = {"type": "reasoning", "summary": [{"text": "short"}], "content": [{"text": "one"}, {"text": "two"}]}
    assert read(item)[0].parts == [Reasoning("one\n\ntwo")]


def test_a_refusal_comes_back() -> None:
    content = [{"type": "refusal", "refusal": "no"}]
    assert read({"type": "message", "role": "assistant", "content": content})[0].parts == [Decline("no")]


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "item_reference", "id": "msg_1"}, "input[0].type"),
        ({"type": "web_search_call", "id": "ws"}, "input[0].type"),
        ({"role": "wizard", "content": "x"}, "input[0].role"),
        ({"role": "user"}, "input[0].content"),
        ({"role": "user", "content": "x", "mood": 1}, "input[0].mood"),
        ({"role": "user", "content": [{"type": "input_video"}]}, "input[0].content[0].type"),
        ({"type": "function_call", "name": "f", "arguments": ""}, "input[0].call_id"),
        ({"type": "function_call_output", "call_id": "c"}, "input[0].output"),
        ({"type": 5}, "input[0].type"),
    ],
)
def test_what_cannot_be_carried_is_refused_at_its_place(item: Any, param: str) -> None:
    assert refused(item).param == param


def test_a_reference_to_what_is_stored_says_what_to_do() -> None:
    assert "store: false" in refused({"type": "item_reference", "id": "msg_1"}).message
