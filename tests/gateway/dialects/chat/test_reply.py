"""Whole chat completions, from servers of every kind and for clients of one."""

import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from openai.types.chat import ChatCompletion

from gateway.dialects import chat, responses
from gateway.dialects.base import BrokenReply
from gateway.dialects.neutral import (
    ChatReply,
    ChatRequest,
    Choice,
    Decline,
    Media,
    MediaKind,
    Message,
    Part,
    Reasoning,
    Role,
    StopReason,
    Text,
    TokenLogprob,
    ToolUse,
)
from gateway.exchange import Usage
from tests.gateway.dialects.hostile import ANY_JSON, damaged
from tests.gateway.dialects.mutations import mutations
from tests.gateway.dialects.openai_examples import CHAT_REPLY, PIXEL

REQUEST = ChatRequest(model="asked", messages=[Message(Role.USER, [Text("hello")])])


def read(message: Any, **choice: Any) -> Choice:
    said = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop", **choice}
    return chat.read_reply({"id": "x", "model": "m", "choices": [said]}).choices[0]


def test_a_reply_with_everything_is_read() -> None:
    reply = chat.read_reply(CHAT_REPLY)
    assert (reply.id, reply.model, reply.created) == ("chatcmpl-1", "gpt-5-2026", 1_790_000_000)
    assert reply.usage == Usage(40, 12, cached_tokens=8, reasoning_tokens=5)
    assert reply.choices == [
        Choice(
            [Reasoning("Clouds, so rain."), Text("Rain."), ToolUse("call_a", "weather", '{"town":"Ulm"}')],
            StopReason.TOOL_USE,
            logprobs=[TokenLogprob("Rain", -0.1, [("Sun", -2.5)])],
        ),
        Choice([Decline("I can't.")], StopReason.REFUSAL),
    ]


def test_what_was_read_is_written_again() -> None:
    written = chat.write_reply(chat.read_reply(CHAT_REPLY), REQUEST)
    assert chat.read_reply(written) == chat.read_reply(CHAT_REPLY)
    for name in ("id", "object", "created", "model"):
        assert written[name] == CHAT_REPLY[name]
    for ours, theirs in zip(written["choices"], CHAT_REPLY["choices"], strict=True):
        assert ours == theirs


def test_the_sdk_takes_what_we_write() -> None:
    drawn: list[Part] = [Media(MediaKind.IMAGE, "image/png", PIXEL), Media(MediaKind.AUDIO, "audio/wav", "UklGRg==")]
    signed: list[Part] = [Reasoning("t", "s"), ToolUse("c", "f", "", "gemini:sig")]
    whole = chat.read_reply(CHAT_REPLY)
    reply = ChatReply("id", "", [*whole.choices, Choice([*drawn, *signed], StopReason.LENGTH)], None)
    made = ChatCompletion.model_validate(chat.write_reply(reply, REQUEST))
    assert made.model == "asked"
    assert abs(made.created - time.time()) < 60
    assert made.choices[0].message.content == "Rain."
    assert made.choices[0].logprobs is not None
    assert made.choices[2].message.audio is not None
    assert made.choices[2].message.tool_calls is not None
    made = ChatCompletion.model_validate(chat.write_reply(whole, REQUEST))
    assert made.usage is not None
    assert made.usage.completion_tokens_details is not None
    assert made.usage.completion_tokens_details.reasoning_tokens == 5


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("stop", StopReason.END),
        ("eos", StopReason.END),
        (None, StopReason.END),
        ("length", StopReason.LENGTH),
        ("model_length", StopReason.LENGTH),
        ("content_filter", StopReason.CONTENT_FILTER),
    ],
)
def test_why_an_answer_ended_is_read_from_every_servers_word(finish: str | None, stop: StopReason) -> None:
    assert read({"content": "x"}, finish_reason=finish).stop is stop


@pytest.mark.parametrize("finish", ["error", "insufficient_system_resource"])
def test_an_answer_that_the_server_gave_up_is_broken(finish: str) -> None:
    with pytest.raises(BrokenReply):
        read({"content": "x"}, finish_reason=finish)


def test_a_call_is_the_reason_even_where_the_server_says_stop() -> None:
    call = {"id": "", "function": {"name": "f", "arguments": {"a": 1}}}
    choice = read({"content": None, "tool_calls": [call]})
    assert choice == Choice([ToolUse("call_0", "f", '{"a":1}')], StopReason.TOOL_USE)


def test_arguments_that_are_nested_too_deeply_to_be_written_are_broken() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"x": deep}
    with pytest.raises(BrokenReply):
        read({"content": None, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": deep}}]})


def test_vllm_names_the_stop_sequence_and_so_do_we() -> None:
    choice = read({"content": "x"}, stop_reason="END")
    assert (choice.stop, choice.stop_sequence) == (StopReason.STOP_SEQUENCE, "END")
    written = chat.write_reply(ChatReply("x", "m", [choice], None), REQUEST)["choices"][0]
    assert (written["finish_reason"], written["stop_reason"]) == ("stop", "END")
    assert read({"content": "x"}, stop_reason=2).stop is StopReason.END


def test_mistrals_thoughts_stand_in_the_content() -> None:
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Yes."}]
    assert read({"content": content}).parts == [Reasoning("hm"), Text("Yes.")]


def test_an_image_by_openrouter_is_media() -> None:
    images = [{"image_url": {"url": f"data:image/png;base64,{PIXEL}"}}, {"image_url": {"url": "https://x.test/a"}}]
    parts = read({"content": "", "images": images}).parts
    assert parts == [Media(MediaKind.IMAGE, "image/png", PIXEL), Media(MediaKind.IMAGE, url="https://x.test/a")]


def test_choices_are_put_in_their_order() -> None:
    choices = [{"index": i, "message": {"content": str(i)}, "finish_reason": "stop"} for i in (1, 0)]
    reply = chat.read_reply({"choices": choices})
    assert [choice.parts for choice in reply.choices] == [[Text("0")], [Text("1")]]


def test_usage_is_plausible_or_none() -> None:
    reply = {**CHAT_REPLY, "usage": {"prompt_tokens": -4, "completion_tokens": 1}}
    assert chat.read_reply(reply).usage is None
    deepseek = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 6}
    assert chat.read_reply({**CHAT_REPLY, "usage": deepseek}).usage == Usage(9, 1, cached_tokens=6)


def test_a_refusal_without_words_is_a_filters_end() -> None:
    reply = ChatReply("x", "m", [Choice([], StopReason.REFUSAL)], None)
    written = chat.write_reply(reply, REQUEST)
    assert written["choices"][0]["finish_reason"] == "content_filter"
    assert written["usage"] is None


def survives(document: Any) -> None:
    try:
        reply = chat.read_reply(document)
    except BrokenReply:
        return
    orjson.dumps(chat.write_reply(reply, REQUEST))
    orjson.dumps(responses.write_reply(reply, REQUEST))


def test_every_damage_to_a_good_reply_breaks_it_at_worst() -> None:
    for _, document in mutations(CHAT_REPLY):
        survives(document)


@given(damaged(CHAT_REPLY))
def test_a_damaged_reply_is_broken_at_worst(document: Any) -> None:
    survives(document)


@given(ANY_JSON)
def test_any_json_is_broken_at_worst(document: Any) -> None:
    survives(document)


def test_what_is_said_of_a_broken_reply_names_no_content() -> None:
    with pytest.raises(BrokenReply) as caught:
        read({"content": {"secret": "words"}})
    assert "secret" not in str(caught.value)
    assert "content" in str(caught.value)
