"""Streams of chunks, as servers of every kind send them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import chat
from gateway.dialects.base import BrokenReply
from gateway.dialects.neutral import (
    Begin,
    DeclineDelta,
    Delta,
    End,
    Failed,
    Media,
    MediaDelta,
    MediaKind,
    ReasoningDelta,
    Stop,
    StopReason,
    TextDelta,
    TokenLogprob,
    ToolBegin,
    ToolDelta,
    UsageDelta,
)
from gateway.exchange import Usage
from tests.gateway.dialects.hostile import ANY_JSON, damaged
from tests.gateway.dialects.mutations import mutations
from tests.gateway.dialects.openai_examples import PIXEL, chunk, read_all

DONE = b"[DONE]"
BEGIN = Begin("chatcmpl-1", "gpt-5-2026", 1_790_000_000)
COUNTS = {"prompt_tokens": 4, "completion_tokens": 2}


def call(index: int | None = None, **fields: Any) -> dict[str, Any]:
    place = {} if index is None else {"index": index}
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {"tool_calls": [{**place, **fields, "function": function}]}


STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "hm"}),
    chunk({"content": "Hel"}),
    {**chunk(), "choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": None, "logprobs": {
        "content": [{"token": "lo", "logprob": -0.5, "bytes": [108, 111], "top_logprobs": []}]}}]},
    chunk(call(0, id="a", type="function", name="f", arguments="")),
    chunk(call(0, arguments='{"x"')),
    chunk(call(1, id="b", type="function", name="g", arguments="{}")),
    chunk(call(0, arguments=":1}")),
    chunk({}, "tool_calls"),
    {"id": "chatcmpl-1", "choices": [], "usage": COUNTS},
]  # fmt: skip
DELTAS: list[Delta] = [
    BEGIN,
    ReasoningDelta("hm"),
    TextDelta("Hel"),
    TextDelta("lo", logprobs=[TokenLogprob("lo", -0.5, [])]),
    ToolBegin(0, "a", "f"),
    ToolDelta(0, '{"x"'),
    ToolBegin(1, "b", "g"),
    ToolDelta(1, "{}"),
    ToolDelta(0, ":1}"),
    Stop(StopReason.TOOL_USE),
    UsageDelta(Usage(4, 2)),
    End(),
]


def read(*events: Any) -> list[Delta]:
    return read_all(chat.reader(), events)


def test_a_stream_with_thoughts_text_and_parallel_calls_is_read() -> None:
    assert read(*STREAM, DONE) == DELTAS


def test_nothing_is_read_after_the_end() -> None:
    assert read(*STREAM, DONE, chunk({"content": "x"}), b"not JSON", DONE) == DELTAS


def test_choices_come_side_by_side() -> None:
    deltas = read(chunk({"content": "a"}), chunk({"content": "b"}, index=1), chunk(finish="stop", index=1),
                  chunk(finish="length"), DONE)  # fmt: skip
    assert deltas == [
        BEGIN, TextDelta("a"), TextDelta("b", 1), Stop(StopReason.END, choice=1), Stop(StopReason.LENGTH), End(),
    ]  # fmt: skip


def test_usage_with_every_chunk_is_told_once_the_choices_have_ended() -> None:
    deltas = read(
        chunk({"content": "a"}, usage={"prompt_tokens": 4, "completion_tokens": 1}),
        chunk({"content": "b"}, "stop", usage=COUNTS),
        {"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 3}},
        DONE,
    )
    assert deltas[-4:] == [Stop(StopReason.END), UsageDelta(Usage(4, 2)), UsageDelta(Usage(4, 3)), End()]


def test_calls_without_numbers_are_told_apart_by_their_names() -> None:
    deltas = read(chunk(call(id="a", name="f", arguments="{")), chunk(call(arguments="}")),
                  chunk(call(id="b", name="f", arguments="{}")), chunk(finish="stop"), DONE)  # fmt: skip
    assert deltas[1:-1] == [
        ToolBegin(0, "a", "f"), ToolDelta(0, "{"), ToolDelta(0, "}"), ToolBegin(1, "b", "f"), ToolDelta(1, "{}"),
        Stop(StopReason.TOOL_USE),
    ]  # fmt: skip


def test_calls_without_numbers_and_ids_are_told_apart_all_the_same() -> None:
    deltas = read(chunk(call(name="f", arguments="{}")), chunk(call(name="g", arguments="{}")))
    assert deltas[1:] == [
        ToolBegin(0, "call_0_0", "f"), ToolDelta(0, "{}"), ToolBegin(1, "call_0_1", "g"), ToolDelta(1, "{}"),
    ]  # fmt: skip


def test_usage_that_comes_before_any_choice_waits() -> None:
    early = {"id": "x", "choices": [], "usage": COUNTS}
    assert read(early, chunk({"content": "a"}, "stop")) == [
        Begin("x", ""), TextDelta("a"), Stop(StopReason.END), UsageDelta(Usage(4, 2)),
    ]  # fmt: skip


def test_a_call_signed_by_gemini_keeps_its_signature() -> None:
    signed = call(0, id="a", name="f", extra_content={"google": {"thought_signature": "s"}})
    assert read(chunk(signed))[1:] == [ToolBegin(0, "a", "f", signature="gemini:s")]


def test_calls_that_are_all_number_0_are_told_apart_by_their_ids() -> None:
    deltas = read(chunk(call(0, id="a", name="f", arguments="{}")), chunk(call(0, id="b", name="f", arguments="{}")))
    assert deltas[1:] == [ToolBegin(0, "a", "f"), ToolDelta(0, "{}"), ToolBegin(1, "b", "f"), ToolDelta(1, "{}")]


def test_a_call_without_an_id_gets_one_and_one_that_repeats_it_is_the_same() -> None:
    deltas = read(chunk(call(0, name="f")), chunk(call(0, id="", name="f", arguments="{}")))
    assert deltas[1:] == [ToolBegin(0, "call_0_0", "f"), ToolDelta(0, "{}")]
    deltas = read(chunk(call(0, id="a", name="f")), chunk(call(0, id="a", name="f", arguments="{}")))
    assert deltas[1:] == [ToolBegin(0, "a", "f"), ToolDelta(0, "{}")]


def test_a_call_that_begins_without_a_name_is_broken() -> None:
    with pytest.raises(BrokenReply):
        read(chunk(call(0, arguments="{}")))


def test_a_choice_may_end_twice_but_say_no_more() -> None:
    ended = [chunk({"content": "a"}, "stop"), chunk({"content": ""}, "stop")]
    assert read(*ended) == [BEGIN, TextDelta("a"), Stop(StopReason.END)]
    with pytest.raises(BrokenReply):
        read(*ended, chunk({"content": "b"}))


def test_a_stream_that_says_it_is_done_gives_each_choice_its_end() -> None:
    assert read(chunk({"content": "a"}), DONE) == [BEGIN, TextDelta("a"), Stop(StopReason.END), End()]
    assert read(chunk(call(0, id="a", name="f")), DONE)[-2:] == [Stop(StopReason.TOOL_USE), End()]


def test_a_stream_that_is_cut_has_no_end() -> None:
    assert not any(isinstance(delta, Stop | End) for delta in read(chunk({"content": "a"})))


def test_a_chunk_that_knows_nothing_of_the_answer_does_not_begin_it() -> None:
    verdict = {"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    assert read(verdict, chunk({"content": "a"})) == [BEGIN, TextDelta("a")]


def test_a_stream_that_never_began_is_broken() -> None:
    with pytest.raises(BrokenReply):
        read(DONE)


def test_an_error_in_the_stream_is_its_end_and_tells_no_keys() -> None:
    error = {"error": {"message": "overloaded, key sk-abcdef0123456789", "code": 503}}
    *before, failed = read(chunk({"content": "a"}), error, chunk({"content": "b"}), DONE)
    assert before == [BEGIN, TextDelta("a")]
    assert isinstance(failed, Failed)
    assert failed.refusal.message == "overloaded, key [redacted]"


def test_refusals_images_and_opaque_thoughts_come_through() -> None:
    image = {"images": [{"image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]}
    signed = {"reasoning_details": [{"type": "reasoning.text", "text": "", "signature": "s"}]}
    deltas = read(chunk(signed), chunk(image), chunk({"refusal": "no"}), chunk(finish="stop"), DONE)
    assert deltas[1:] == [
        ReasoningDelta(signature="compatible:s"),
        MediaDelta(Media(MediaKind.IMAGE, "image/png", PIXEL)),
        DeclineDelta("no"),
        Stop(StopReason.REFUSAL),
        End(),
    ]


def survives(events: list[Any]) -> None:
    """Whatever comes: deltas in their order, or BrokenReply."""
    deltas: list[Delta] = []
    reader = chat.reader()
    try:
        for event in events:
            deltas += read_all(reader, [event])
    except BrokenReply:
        pass
    else:
        assert sum(isinstance(delta, Begin) for delta in deltas) <= 1
    assert all(isinstance(delta, Begin | Failed) for delta in deltas[:1])


def test_every_damage_to_a_chunk_breaks_the_stream_at_worst() -> None:
    for i, event in enumerate(STREAM):
        for _, damage in mutations(event):
            survives([*STREAM[:i], damage, *STREAM[i + 1 :], DONE])


@given(st.sampled_from(range(len(STREAM))), st.data())
def test_a_damaged_chunk_breaks_the_stream_at_worst(place: int, draw: st.DataObject) -> None:
    survives([*STREAM[:place], draw.draw(damaged(STREAM[place])), *STREAM[place + 1 :], DONE])


@given(st.lists(ANY_JSON | st.binary(max_size=20), max_size=3))
def test_any_data_breaks_the_stream_at_worst(events: list[Any]) -> None:
    survives(events)
