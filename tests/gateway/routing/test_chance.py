"""The same caller draws the same numbers, and they are as even as chance."""

from collections import Counter
from typing import Any

import pytest

from gateway.exchange import Endpoint
from gateway.routing.chance import EDGE_CHARACTERS, conversation_of, drawn, seed_of
from tests.gateway.scripted import make_call

SEEDS = [seed_of(f"{provider}/m") for provider in "abcdef"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("step", [1, 7, 1_000])
def test_the_draws_of_callers_in_a_row_are_even(seed: int, step: int) -> None:
    tenths = Counter(int(one(user_id * step, seed) * 10) for user_id in range(10_000))
    assert set(tenths) == set(range(10))
    assert all(850 < count < 1150 for count in tenths.values())


def test_a_draw_for_one_target_says_nothing_of_the_next() -> None:
    both = Counter(tuple(draw < 0.5 for draw in drawn(who, SEEDS[:2])) for who in range(10_000))
    assert all(2250 < count < 2750 for count in both.values())
    assert len(both) == 4


def test_a_draw_can_be_had_again_by_any_process() -> None:
    assert seed_of("a/m") == 3526155902926144983
    assert one(1, seed_of("a/m")) == one(1, seed_of("a/m")) != one(2, seed_of("a/m"))
    assert all(0 <= one(a, b) < 1 for a in (0, 1, 2**64 - 1) for b in (1, 2**64 - 1))


def one(who: int, seed: int) -> float:
    return drawn(who, [seed])[0]


def said(*words: str, system: str | None = None, **more: Any) -> int:
    turns = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(words)]
    messages = [*([{"role": "system", "content": system}] if system else []), *turns]
    return conversation_of(make_call(messages=messages, **more))


def test_a_conversation_is_how_it_began() -> None:
    assert said("Hello") == said("Hello", "Hi!", "And now?") == said("Hello", "Ho!", "Something else")
    assert len({said("Hello"), said("Hello", system="Be brief"), said("Hello", system="Be long"), said("Bye")}) == 4


def test_the_key_of_the_providers_prompt_cache_is_the_conversation() -> None:
    assert said("Hello", prompt_cache_key="k") == said("Bye", prompt_cache_key="k")
    assert said("Hello", prompt_cache_key="k") != said("Hello", prompt_cache_key="l")
    assert said("Hello", prompt_cache_key="") == said("Hello", prompt_cache_key=7) == said("Hello")


def test_a_long_text_is_told_by_its_ends_and_its_length() -> None:
    edge, inside = "x" * EDGE_CHARACTERS, "y" * 1_000
    texts = [
        f"{edge}{inside}{edge}",
        f"z{edge[1:]}{inside}{edge}",
        f"{edge}{inside}{edge[1:]}z",
        f"{edge}{inside}y{edge}",
    ]
    assert len({said(text) for text in texts}) == 4
    assert said(f"{edge}{inside}{edge}") == said(f"{edge}{inside.swapcase()}{edge}")


def test_any_text_and_none_are_a_conversation() -> None:
    assert conversation_of(make_call(Endpoint.EMBEDDINGS, input=[1, 2])) == 1
    assert conversation_of(make_call(Endpoint.RESPONSES, input="Hello")) == said("Hello")
    call = make_call()._replace(body={"prompt_cache_key": "\ud800"})
    assert conversation_of(call) == conversation_of(call)
