"""Thoughts in each of the fields that servers of the dialect have for them."""

from typing import Any

import pytest

from gateway.dialects.chat.thoughts import read_thoughts, write_thoughts
from gateway.dialects.fields import answered
from gateway.dialects.neutral import Reasoning

SIGNED = {"type": "reasoning.text", "text": "I think", "signature": "s"}
SECRET = {"type": "reasoning.encrypted", "data": "d"}


@pytest.mark.parametrize(
    ("message", "thoughts"),
    [
        ({}, []),
        ({"reasoning_content": ""}, []),
        ({"reasoning_content": "I think"}, [Reasoning("I think")]),
        ({"reasoning": "I think"}, [Reasoning("I think")]),
        ({"reasoning": "I think", "reasoning_content": "I think"}, [Reasoning("I think")]),
        ({"reasoning_details": [SIGNED]}, [Reasoning("I think", "compatible:s")]),
        ({"reasoning": "I think", "reasoning_details": [SIGNED]}, [Reasoning("I think", "compatible:s")]),
        ({"reasoning": "x", "reasoning_details": [SECRET]}, [Reasoning("x"), Reasoning("", redacted="compatible:d")]),
        ({"reasoning_details": [{"type": "reasoning.summary", "summary": "short"}]}, [Reasoning("short")]),
        ({"reasoning_details": [{"type": "reasoning.text"}]}, []),
    ],
)
def test_thoughts_are_read_once_wherever_they_stand(message: Any, thoughts: list[Reasoning]) -> None:
    assert read_thoughts(answered(message)) == thoughts


@pytest.mark.parametrize(
    "thoughts",
    [
        [],
        [Reasoning("a")],
        [Reasoning("a", "anthropic:s")],
        [Reasoning("a", "anthropic:s"), Reasoning("", redacted="compatible:d")],
    ],
)
def test_what_is_written_reads_the_same(thoughts: list[Reasoning]) -> None:
    assert read_thoughts(answered(write_thoughts(thoughts))) == thoughts


def test_signatures_of_the_dialects_own_servers_stand_bare_and_others_say_whose_they_are() -> None:
    written = write_thoughts([Reasoning("a", "compatible:s"), Reasoning("b", "anthropic:s")])
    assert [detail["signature"] for detail in written["reasoning_details"]] == ["s", "anthropic:s"]


def test_only_what_is_opaque_needs_the_third_field() -> None:
    assert write_thoughts([Reasoning("a"), Reasoning("b")]) == {"reasoning_content": "ab"}
    assert set(write_thoughts([Reasoning("a", "anthropic:s")])) == {"reasoning_content", "reasoning_details"}
