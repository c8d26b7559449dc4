"""A whole message of Anthropic's, read and written; the SDK's own types judge what is written."""

import contextlib
from typing import Any

import pytest
from anthropic.types import Message as SdkMessage
from hypothesis import given

from gateway.dialects.base import BrokenReply
from gateway.dialects.messages.reply import read_reply, read_usage, write_reply
from gateway.dialects.neutral import (
    ChatReply,
    ChatRequest,
    Choice,
    Decline,
    Media,
    MediaKind,
    Part,
    Reasoning,
    StopReason,
    Text,
    ToolUse,
)
from gateway.exchange import Usage
from tests.gateway.dialects.hostile import ANY_JSON
from tests.gateway.dialects.mutations import mutations

ASKED = ChatRequest("asked", ())
REPLY: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
    "content": [
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "text", "text": "Let me see.", "citations": None},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
    ],
    "stop_reason": "tool_use", "stop_sequence": None,
    "usage": {"input_tokens": 5, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 20,
              "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}},
}  # fmt: skip


def reply_of(*parts: Part, stop: StopReason = StopReason.END, usage: Usage | None = None) -> ChatReply:
    return ChatReply("msg_9", "m", (Choice(parts, stop),), usage)


def validated(reply: ChatReply) -> SdkMessage:
    return SdkMessage.model_validate(write_reply(reply, ASKED), strict=True)


def test_a_message_is_read() -> None:
    parts = (
        Reasoning("Hm", "anthropic:c2ln"), Reasoning("", redacted="anthropic:ZGF0YQ=="), Text("Let me see."),
        ToolUse("toolu_1", "weather", '{"city":"Oslo"}'),
    )  # fmt: skip
    assert read_reply(REPLY) == ChatReply(
        "msg_1", "claude-haiku-4-5", (Choice(parts, StopReason.TOOL_USE),), Usage(35, 9, 20, 4, 10)
    )


def test_what_is_read_is_written_the_same() -> None:
    written = write_reply(read_reply(REPLY), ASKED)
    assert written["content"] == [
        {k: v for k, v in block.items() if k != "citations"} for block in REPLY["content"][:4]
    ]
    assert written["usage"] == REPLY["usage"]
    assert {k: v for k, v in written.items() if k not in ("content", "usage")} == {
        k: v for k, v in REPLY.items() if k not in ("content", "usage")
    }
    SdkMessage.model_validate(written, strict=True)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("end_turn", StopReason.END), ("pause_turn", StopReason.END), ("max_tokens", StopReason.LENGTH),
        ("model_context_window_exceeded", StopReason.LENGTH), ("refusal", StopReason.REFUSAL),
        ("something_new", StopReason.END), (None, StopReason.END),
    ],
)  # fmt: skip
def test_every_reason_to_stop_is_known(said: str | None, reason: StopReason) -> None:
    assert read_reply({**REPLY, "stop_reason": said}).choices[0].stop is reason


def test_a_stop_sequence_and_a_refusal_say_more() -> None:
    stopped = read_reply({**REPLY, "stop_reason": "stop_sequence", "stop_sequence": "END"}).choices[0]
    assert (stopped.stop, stopped.stop_sequence) == (StopReason.STOP_SEQUENCE, "END")
    details = {"type": "refusal", "category": "cyber", "explanation": "I can't help with that."}
    refused = read_reply({**REPLY, "stop_reason": "refusal", "stop_details": details}).choices[0]
    assert refused.parts[-1] == Decline("I can't help with that.")


@pytest.mark.parametrize("stop", StopReason)
def test_every_reason_is_written_as_the_sdk_knows_it(stop: StopReason) -> None:
    assert validated(reply_of(Text("a"), stop=stop)).stop_reason is not None


def test_words_of_refusal_are_text_and_the_reason() -> None:
    message = validated(reply_of(Decline("I won't.")))
    assert message.stop_reason == "refusal"
    assert message.content[0].type == "text"


def test_a_foreign_signature_is_written_with_its_origin_before_what_it_signs() -> None:
    written = write_reply(reply_of(ToolUse("c", "f", "{}", "gemini:c2ln"), stop=StopReason.TOOL_USE), ASKED)
    assert written["content"] == [
        {"type": "thinking", "thinking": "", "signature": "gemini:c2ln"},
        {"type": "tool_use", "id": "c", "name": "f", "input": {}},
    ]


def test_what_has_no_block_is_written_in_text() -> None:
    picture = Media(MediaKind.IMAGE, "image/png", "AA==")
    sound = Media(MediaKind.AUDIO, url="https://a.b/c.wav")
    texts = [block["text"] for block in write_reply(reply_of(picture, sound), ASKED)["content"]]
    assert texts == ["![](data:image/png;base64,AA==)", "[audio](https://a.b/c.wav)"]


def test_broken_arguments_are_shown_not_lost() -> None:
    (block,) = write_reply(reply_of(ToolUse("c", "f", '{"a":')), ASKED)["content"]
    assert block["input"] == {"arguments": '{"a":'}


def test_an_answer_about_which_nothing_is_known_is_still_a_message() -> None:
    message = validated(ChatReply("", "", (), None))
    assert (message.model, message.content, message.usage.output_tokens) == ("asked", [], 0)


@pytest.mark.parametrize("said", [None, [], {}, {"input_tokens": -1}, {"input_tokens": 1, "output_tokens": "9"}])
def test_implausible_usage_is_none(said: Any) -> None:
    assert read_usage(said) is None


@pytest.mark.parametrize("content", [None, "text", [1], [{}], [{"type": "tool_use", "id": "a"}]])
def test_what_is_no_message_is_a_broken_reply(content: Any) -> None:
    with pytest.raises(BrokenReply):
        read_reply({**REPLY, "content": content})


def test_whatever_is_wrong_wherever_it_stands_is_read_or_broken() -> None:
    for _, reply in mutations(REPLY):
        try:
            read = read_reply(reply)
        except BrokenReply:
            continue
        SdkMessage.model_validate(write_reply(read, ASKED))


@given(ANY_JSON)
def test_any_json_is_read_or_broken(reply: Any) -> None:
    with contextlib.suppress(BrokenReply):
        read_reply(reply)
