"""What Converse answers is read; what it can't have meant breaks the reply and nothing else."""

from typing import Any

import pytest
from hypothesis import given

from gateway.dialects.base import BrokenReply
from gateway.dialects.converse.read import read_reply, read_usage
from gateway.dialects.neutral import Choice, Media, MediaKind, Part, Reasoning, StopReason, Text, ToolUse
from gateway.exchange import Json, Usage
from tests.gateway.dialects.hostile import damaged

USAGE = {
    "inputTokens": 5,
    "outputTokens": 7,
    "totalTokens": 42,
    "cacheReadInputTokens": 20,
    "cacheWriteInputTokens": 10,
}
REPLY = {
    "output": {"message": {"role": "assistant", "content": [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": "eA=="}},
        {"text": "Hi"},
        {"citationsContent": {"content": [{"text": "so "}, {"text": "it is"}], "citations": [{"title": "x"}]}},
        {"image": {"format": "png", "source": {"bytes": "aW1n"}}},
        {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Oslo"}}},
    ]}},
    "stopReason": "tool_use",
    "additionalModelResponseFields": {"stop_sequence": None},
    "usage": USAGE,
    "metrics": {"latencyMs": 12},
}  # fmt: skip


def reply(*blocks: Json, stop: str = "end_turn", **more: Any) -> Choice:
    [choice] = read_reply({"output": {"message": {"content": list(blocks)}}, "stopReason": stop, **more}).choices
    return choice


def test_a_whole_reply_is_read() -> None:
    read = read_reply(REPLY)
    assert (read.id, read.model, read.created) == ("", "", 0)
    assert read.usage == Usage(35, 7, cached_tokens=20, cache_write_tokens=10)
    parts: list[Part] = [
        Reasoning("Hm.", signature="anthropic:sig"),
        Reasoning("", redacted="bedrock:eA=="),
        Text("Hi"),
        Text("so it is"),
        Media(MediaKind.IMAGE, "image/png", "aW1n"),
        ToolUse("t1", "weather", '{"city":"Oslo"}'),
    ]
    assert read.choices == [Choice(parts, StopReason.TOOL_USE)]


def test_thoughts_without_a_signature_and_empty_texts() -> None:
    assert reply({"text": ""}, {"reasoningContent": {"reasoningText": {"text": "Hm."}}}).parts == [Reasoning("Hm.")]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("end_turn", StopReason.END),
        ("max_tokens", StopReason.LENGTH),
        ("model_context_window_exceeded", StopReason.LENGTH),
        ("guardrail_intervened", StopReason.CONTENT_FILTER),
        ("content_filtered", StopReason.CONTENT_FILTER),
        ("refusal", StopReason.REFUSAL),
        ("something_new", StopReason.END),
    ],
)
def test_why_it_stopped(said: str, reason: StopReason) -> None:
    assert reply({"text": "x"}, stop=said).stop is reason


def test_the_sequence_that_stopped_it_is_told_where_it_was_asked_for() -> None:
    choice = reply(stop="stop_sequence", additionalModelResponseFields={"stop_sequence": "END"})
    assert (choice.stop, choice.stop_sequence) == (StopReason.STOP_SEQUENCE, "END")
    others: list[Any] = [None, [], {"stop_sequence": 5}]
    for other in others:
        assert reply(stop="stop_sequence", additionalModelResponseFields=other).stop_sequence is None


@pytest.mark.parametrize("stop", ["malformed_tool_use", "malformed_model_output"])
def test_an_answer_that_makes_no_sense_is_broken(stop: str) -> None:
    with pytest.raises(BrokenReply, match="makes no sense"):
        reply({"text": "x"}, stop=stop)


def test_a_block_that_was_not_asked_for_is_broken() -> None:
    with pytest.raises(BrokenReply, match=r"content\[1\] is of a kind"):
        reply({"text": "x"}, {"searchResult": {}})


def test_arguments_nested_beyond_writing_break_the_reply() -> None:
    deep: Any = {}
    for _ in range(400):
        deep = {"a": deep}
    with pytest.raises(BrokenReply, match="too deeply"):
        reply({"toolUse": {"toolUseId": "1", "name": "f", "input": deep}})


def test_counts_that_are_none_are_no_usage() -> None:
    none: list[Any] = [None, [], {}, {**USAGE, "outputTokens": -1}, {**USAGE, "inputTokens": "5"}]
    for said in none:
        assert read_usage(said) is None
    assert read_usage({"inputTokens": 1, "outputTokens": 2}) == Usage(1, 2)


@given(damaged(REPLY))
def test_a_damaged_reply_is_read_or_broken(damaged_reply: Any) -> None:
    try:
        read = read_reply(damaged_reply)
    except BrokenReply:
        return
    assert len(read.choices) == 1
