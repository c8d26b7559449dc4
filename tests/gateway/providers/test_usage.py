"""Counts are whole and not negative, or they are no counts."""

from typing import Any

import pytest

from gateway.exchange import Usage
from gateway.providers.usage import merge, read

NAMES = (("prompt_tokens",), "completion_tokens")


@pytest.mark.parametrize("bad", [-1, 1.5, 2.0, "7", True, [], [5], {"a": 1}, 2**53, float("inf")])
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_what_is_no_count_is_no_usage(name: str, bad: Any) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, name: bad}
    assert read(usage, *NAMES) is None


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": None, "completion_tokens": None}, {"completion_tokens": 5}])
def test_a_usage_that_does_not_say_the_input_is_none(usage: dict[str, Any]) -> None:
    assert read(usage, *NAMES) is None


def test_details_that_make_no_sense_are_left_out() -> None:
    usage = {
        "prompt_tokens": 5, "completion_tokens": None, "prompt_tokens_details": {"cached_tokens": -3},
        "completion_tokens_details": [1],
    }  # fmt: skip
    assert read(usage, *NAMES) == Usage(5, 0)


def test_what_tokens_were_of_is_told_apart() -> None:
    into = {"cached_tokens": 1, "image_tokens": 2, "audio_tokens": 3}
    out = {"reasoning_tokens": 4, "image_tokens": 5, "audio_tokens": 6}
    usage = {"prompt_tokens": 90, "completion_tokens": 80, "prompt_tokens_details": into}
    assert read({**usage, "completion_tokens_details": out}, *NAMES) == Usage(90, 80, 1, 4, 0, 2, 3, 5, 6)
    claude = {"input_tokens": 9, "cache_creation_input_tokens": 40, "cache_read_input_tokens": 30, "output_tokens": 2}
    prompt = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert read(claude, prompt, "output_tokens") == Usage(79, 2, 30, cache_write_tokens=40)


def test_parts_of_a_usage_are_each_the_latest() -> None:
    assert merge(None, Usage(1, 2)) == Usage(1, 2)
    assert merge(Usage(10, 1, 4, 0), Usage(0, 20, 0, 7)) == Usage(10, 20, 4, 7)
