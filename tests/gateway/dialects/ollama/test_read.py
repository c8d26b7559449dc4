"""What Ollama answers is read, whole and in pieces; what it can't have meant breaks the reply and nothing else."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.base import BrokenReply
from gateway.dialects.neutral import (
    Begin,
    Delta,
    End,
    Failed,
    Media,
    MediaDelta,
    MediaKind,
    Reasoning,
    ReasoningDelta,
    Stop,
    StopReason,
    Text,
    TextDelta,
    TokenLogprob,
    ToolBegin,
    ToolDelta,
    ToolUse,
    UsageDelta,
)
from gateway.dialects.ollama.read import read_reply, reader
from gateway.exchange import Usage
from tests.gateway.dialects.hostile import ANY_JSON, damaged

AT = "2026-11-22T04:00:00.123456789Z"
LOGPROBS = [{"token": "Hi", "logprob": -0.5, "bytes": [72], "top_logprobs": [{"token": "Ho", "logprob": -1}]}]
REPLY = {
    "model": "llama3.2", "created_at": AT, "done": True, "done_reason": "stop",
    "prompt_eval_count": 26, "eval_count": 9,
    "message": {
        "role": "assistant", "content": "Hi", "thinking": "Hm.", "images": ["/9j/4AAQ"],
        "tool_calls": [{"id": "c1", "function": {"index": 0, "name": "weather", "arguments": {"city": "Oslo"}}}],
    },
    "logprobs": LOGPROBS,
}  # fmt: skip


def piece(**message: Any) -> bytes:
    return orjson.dumps({"model": "llama3.2", "created_at": AT, "message": message, "done": False})


def last(**more: Any) -> bytes:
    message = {"role": "assistant", "content": ""}
    return orjson.dumps({"model": "llama3.2", "created_at": AT, "message": message, "done": True, **more})


def deltas(*lines: bytes) -> list[Delta]:
    one = reader()
    return [delta for line in lines for delta in one.read(line)]


def test_a_whole_reply_is_read() -> None:
    reply = read_reply(REPLY)
    assert (reply.id, reply.model, reply.created, reply.usage) == ("", "llama3.2", 1795320000, Usage(26, 9))
    [choice] = reply.choices
    assert choice.parts == [
        Reasoning("Hm."),
        Text("Hi"),
        Media(MediaKind.IMAGE, "image/jpeg", "/9j/4AAQ"),
        ToolUse("c1", "weather", '{"city":"Oslo"}'),
    ]
    assert choice.stop is StopReason.TOOL_USE
    assert choice.logprobs == [TokenLogprob("Hi", -0.5, [("Ho", -1)])]


@pytest.mark.parametrize(
    ("reason", "stop"),
    [("stop", StopReason.END), ("length", StopReason.LENGTH), ("load", StopReason.END), (None, StopReason.END)],
)
def test_why_it_stopped(reason: str | None, stop: StopReason) -> None:
    reply = read_reply({"message": {"content": "x"}, "done": True, "done_reason": reason})
    assert reply.choices[0].stop is stop
    assert (reply.model, reply.created, reply.usage) == ("", 0, None)


def test_a_prompt_that_was_not_counted_is_no_usage() -> None:
    assert read_reply({**REPLY, "prompt_eval_count": None}).usage is None
    assert read_reply({**REPLY, "eval_count": None}).usage == Usage(26, 0)
    assert read_reply({**REPLY, "eval_count": -1}).usage is None


@pytest.mark.parametrize("when", ["", "yesterday", "0001-01-01T00:00:00Z", "9999-99-99"])
def test_a_time_that_is_none_is_zero(when: str) -> None:
    assert read_reply({**REPLY, "created_at": when}).created == 0


def test_calls_without_an_id_get_ids_that_never_come_twice() -> None:
    call = {"function": {"name": "now", "arguments": {}}}
    ids = []
    for _ in range(2):
        reply = read_reply({"message": {"tool_calls": [call, call]}, "done": True})
        ids += [part.id for part in reply.choices[0].parts if isinstance(part, ToolUse)]
    assert len(set(ids)) == 4


def test_a_stream_is_read_in_order() -> None:
    assert deltas(
        piece(thinking="Hm."),
        piece(content="Hel"),
        b"\n",
        piece(content="lo", images=["iVBORw0"]),
        last(done_reason="length", prompt_eval_count=3, eval_count=4),
        piece(content="late"),
    ) == [
        Begin("", "llama3.2", 1795320000),
        ReasoningDelta("Hm."),
        TextDelta("Hel"),
        TextDelta("lo"),
        MediaDelta(Media(MediaKind.IMAGE, "image/png", "iVBORw0")),
        Stop(StopReason.LENGTH),
        UsageDelta(Usage(3, 4)),
        End(),
    ]


def test_calls_are_counted_over_the_stream_and_end_it_as_calls() -> None:
    got = deltas(
        piece(tool_calls=[{"id": "a", "function": {"name": "x", "arguments": {"n": 1}}}]),
        piece(tool_calls=[{"id": "b", "function": {"name": "y"}}]),
        last(done_reason="stop"),
    )
    assert got[1:] == [
        ToolBegin(0, "a", "x"), ToolDelta(0, '{"n":1}'), ToolBegin(1, "b", "y"), ToolDelta(1, "{}"),
        Stop(StopReason.TOOL_USE), End(),
    ]  # fmt: skip


def test_log_probabilities_come_with_their_text() -> None:
    line = orjson.dumps({"model": "m", "message": {"content": "Hi"}, "logprobs": LOGPROBS, "done": False})
    assert deltas(line)[1] == TextDelta("Hi", logprobs=[TokenLogprob("Hi", -0.5, [("Ho", -1)])])


def test_a_failure_in_the_stream_ends_it_without_secrets() -> None:
    got = deltas(piece(content="Hel"), b'{"error":"no memory for sk-abcdefgh123"}', last())
    assert isinstance(got[-1], Failed)
    assert got[-1].refusal.message == "no memory for [redacted]"
    assert len(got) == 3


@pytest.mark.parametrize("line", [b"{broken", b"[]", b'"x"', b'{"message":[]}', b'{"done":"yes"}', b"\xff"])
def test_a_line_that_is_no_piece_breaks_the_reply(line: bytes) -> None:
    with pytest.raises(BrokenReply):
        deltas(line)


def test_a_reply_that_is_not_done_is_broken() -> None:
    with pytest.raises(BrokenReply, match="done"):
        read_reply({**REPLY, "done": False})
    with pytest.raises(BrokenReply):
        read_reply({"error": "x"})


def test_arguments_nested_beyond_writing_break_the_reply() -> None:
    deep: Any = {}
    for _ in range(400):
        deep = {"a": deep}
    with pytest.raises(BrokenReply, match="too deeply"):
        read_reply({"message": {"tool_calls": [{"function": {"name": "f", "arguments": deep}}]}, "done": True})


@given(damaged(REPLY))
def test_a_damaged_reply_is_read_or_broken(reply: Any) -> None:
    try:
        read = read_reply(reply)
    except BrokenReply:
        return
    assert len(read.choices) == 1


@given(st.lists(damaged(REPLY) | ANY_JSON, max_size=4))
def test_a_damaged_stream_keeps_the_order_or_breaks(lines: Sequence[Any]) -> None:
    one = reader()
    got: list[Delta] = []
    try:
        for line in lines:
            got += one.read(orjson.dumps(line))
    except BrokenReply:
        pass
    assert all(
        isinstance(delta, Begin) is (place == 0) for place, delta in enumerate(got) if not isinstance(delta, Failed)
    )
    assert all(not isinstance(delta, End | Failed) for delta in got[:-1])
