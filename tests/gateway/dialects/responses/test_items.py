"""Each item of the output: its events, and the JSON that is left of it."""

from collections.abc import Iterable
from typing import Any

import orjson

from gateway.dialects.neutral import Reasoning, TokenLogprob
from gateway.dialects.responses.items import CallItem, Item, MessageItem, ThoughtItem


def kinds(events: Iterable[Any]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def frozen(events: Iterable[Any]) -> list[Any]:
    """The events as they were when they were made: they share what they show."""
    return [orjson.loads(orjson.dumps(event)) for event in events]


def test_an_item_knows_its_place() -> None:
    item = Item("x", {"type": "t"})
    added = item.place(3, "key")
    assert added == {"type": "response.output_item.added", "output_index": 3, "item": {"id": "x_key_3", "type": "t"}}
    assert item.where == {"item_id": "x_key_3", "output_index": 3}


def test_a_message_grows_part_by_part() -> None:
    item = MessageItem()
    item.place(0, "k")
    events = frozen(item.grow("output_text", "Hel", ()))
    events += frozen(item.grow("output_text", "lo", [TokenLogprob("lo", -1.0)]))
    events += frozen(item.grow("refusal", "no", ()))
    events += frozen(item.close("completed"))
    assert kinds(events) == [
        "content_part.added", "output_text.delta", "output_text.delta", "output_text.done", "content_part.done",
        "content_part.added", "refusal.delta", "refusal.done", "content_part.done", "output_item.done",
    ]  # fmt: skip
    assert [event.get("content_index") for event in events] == [0] * 5 + [1] * 4 + [None]
    assert events[0]["part"] == {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    assert events[3]["text"] == "Hello"
    assert [token["token"] for token in events[3]["logprobs"]] == ["lo"]
    assert "logprobs" not in events[6]
    assert events[7]["refusal"] == "no"
    assert [part["type"] for part in item.item["content"]] == ["output_text", "refusal"]


def test_a_thought_grows_and_is_sealed() -> None:
    item = ThoughtItem()
    item.place(0, "k")
    events = frozen(item.grow(Reasoning("a")))
    events += frozen(item.grow(Reasoning("b")))
    assert not item.is_sealed
    events += frozen(item.grow(Reasoning("", "anthropic:s")))
    assert item.is_sealed
    events += frozen(item.close("completed"))
    assert kinds(events) == [
        "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
    ]  # fmt: skip
    assert events[-1]["item"]["summary"] == [{"type": "summary_text", "text": "ab"}]
    assert events[-1]["item"]["encrypted_content"] == "anthropic:s"


def test_a_thought_without_words_has_no_summary() -> None:
    item = ThoughtItem()
    item.place(0, "k")
    assert kinds([*item.grow(Reasoning("", redacted="d")), *item.close("completed")]) == ["output_item.done"]
    assert item.item["summary"] == []
    assert item.is_sealed


def test_a_call_grows_and_is_never_empty() -> None:
    item = CallItem("c", "f")
    item.place(0, "k")
    events = frozen([*item.grow('{"x":'), *item.grow("1}"), *item.close("incomplete")])
    assert kinds(events) == [
        "function_call_arguments.delta", "function_call_arguments.delta", "function_call_arguments.done",
        "output_item.done",
    ]  # fmt: skip
    assert events[2]["arguments"] == '{"x":1}'
    assert events[3]["item"]["status"] == "incomplete"
    empty = CallItem("c", "f")
    empty.place(0, "k")
    assert frozen(empty.close("completed"))[0]["arguments"] == "{}"
