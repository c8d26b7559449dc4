"""The output as it grows: what opens, what closes, and in which order."""

from gateway.dialects.neutral import (
    Begin,
    DeclineDelta,
    Delta,
    Media,
    MediaDelta,
    MediaKind,
    ReasoningDelta,
    TextDelta,
    ToolBegin,
    ToolDelta,
)
from gateway.dialects.responses.answer import Answer
from tests.gateway.dialects.openai_examples import PIXEL


def grown(*deltas: Delta, cut: bool = False) -> tuple[Answer, list[str]]:
    """The answer, and the types of its events."""
    answer = Answer("k")
    events = [event["type"].removeprefix("response.") for delta in deltas for event in answer.grow(delta)]
    return answer, events + [event["type"].removeprefix("response.") for event in answer.close(cut=cut)]


def output(*deltas: Delta, cut: bool = False) -> list[tuple[str, str]]:
    """Type and status of each item."""
    return [(item["type"], item["status"]) for item in grown(*deltas, cut=cut)[0].output]


def test_one_thing_closes_before_the_next_opens() -> None:
    _, events = grown(ReasoningDelta("t"), TextDelta("a"), ReasoningDelta("u"), ToolBegin(0, "c", "f"))
    opened = [event for event in events if event.startswith("output_item")]
    assert opened == ["output_item.added", "output_item.done"] * 3 + ["output_item.added", "output_item.done"]


def test_a_signature_ends_its_thought() -> None:
    answer, _ = grown(ReasoningDelta("a"), ReasoningDelta(signature="s"), ReasoningDelta("b"))
    assert [item["encrypted_content"] for item in answer.output] == ["s", None]
    assert len({item["id"] for item in answer.output}) == 2


def test_calls_may_grow_side_by_side() -> None:
    answer, _ = grown(
        ToolBegin(0, "a", "f"), ToolBegin(1, "b", "g"), ToolDelta(0, "{"), ToolDelta(1, "{}"), ToolDelta(0, "}")
    )
    assert [item["arguments"] for item in answer.output] == ["{}", "{}"]


def test_what_the_model_did_not_finish_is_incomplete() -> None:
    deltas: list[Delta] = [ReasoningDelta("t"), TextDelta("a")]
    assert output(*deltas, cut=True) == [("reasoning", "completed"), ("message", "incomplete")]
    assert output(*deltas) == [("reasoning", "completed"), ("message", "completed")]


def test_a_signed_call_comes_after_a_thought_that_holds_its_signature() -> None:
    answer, _ = grown(ToolBegin(0, "c", "f", signature="gemini:s"))
    assert [item["type"] for item in answer.output] == ["reasoning", "function_call"]
    assert answer.output[0]["encrypted_content"] == "call.gemini:s"


def test_images_are_shown_and_sounds_have_no_place() -> None:
    shown = [
        MediaDelta(Media(MediaKind.IMAGE, "image/png", PIXEL)),
        MediaDelta(Media(MediaKind.IMAGE, url="https://x.test/a")),
        MediaDelta(Media(MediaKind.AUDIO, "audio/wav", "UklGRg==")),
    ]
    answer, _ = grown(*shown)
    assert [item["type"] for item in answer.output] == ["image_generation_call", "message"]
    assert answer.output[0]["result"] == PIXEL
    assert answer.output[1]["content"][0]["text"] == "![](https://x.test/a)"


def test_what_adds_nothing_has_no_events() -> None:
    answer, events = grown(Begin("x", "m"))
    assert (answer.output, events) == ([], [])
    assert not answer.declined
    assert grown(DeclineDelta("no"))[0].declined
