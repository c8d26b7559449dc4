"""Calls under way, and a latency that rises at once and falls slowly."""

from math import e

import pytest

from gateway.routing import load as module
from gateway.routing.load import ENOUGH, FADES_IN_S, FAILED_S, LATEST, UNKNOWN_S, Load
from tests.gateway.scripted import Clock


def test_calls_under_way_are_counted_by_target() -> None:
    load = Load(Clock())
    load.begin("a")
    load.begin("a")
    load.begin("b")
    load.end("a")
    assert [load.calls.get(key, 0) for key in "abc"] == [1, 1, 0]
    load.end("a")
    load.end("a")
    load.end("never begun")
    assert load.calls == {"b": 1}


def test_a_slow_answer_counts_whole_and_at_once() -> None:
    load = Load(Clock())
    load.begin("a")
    load.end("a")
    for seconds in (0.1, 0.1, 0.1, 2.0):
        load.took("a", seconds)
    assert load.cost("a") == 2.0


def test_quick_answers_count_by_the_time_between_them() -> None:
    clock = Clock()
    load = Load(clock)
    load.begin("a")
    load.end("a")
    load.took("a", 2.0)
    load.took("a", 0.5)
    assert load.cost("a") == 2.0  # at the same instant nothing is forgotten
    clock.now += FADES_IN_S
    load.took("a", 0.5)
    assert load.cost("a") == pytest.approx(2.0 / e + 0.5 * (1 - 1 / e))


def test_without_news_the_memory_fades() -> None:
    clock = Clock()
    load = Load(clock)
    load.begin("a")
    load.took("a", 2.0)
    load.end("a")
    clock.now += FADES_IN_S
    assert load.cost("a") == pytest.approx(2.0 / e)
    clock.now += 100 * FADES_IN_S
    assert load.cost("a") < 1e-6


def test_each_call_under_way_adds_to_the_cost() -> None:
    load = Load(Clock())
    load.begin("a")
    load.took("a", 0.5)
    assert load.cost("a") == 1.0
    load.begin("a")
    assert load.cost("a") == 1.5


def test_an_unknown_target_is_tried_by_one_call_at_a_time() -> None:
    load = Load(Clock())
    assert load.cost("a") == 0
    load.begin("a")
    assert load.cost("a") > UNKNOWN_S
    load.end("a")
    assert load.cost("a") == 0


def test_a_target_that_fails_fast_does_not_look_quick() -> None:
    load = Load(Clock())
    for key in "ab":
        load.begin(key)
        load.end(key)
    load.took("a", 0.001)
    load.failed("a")
    load.took("b", 3.0)
    assert load.cost("a") == FAILED_S > load.cost("b")


def test_the_less_loaded_of_two_is_told() -> None:
    load = Load(Clock())
    load.took("a", 1)
    load.took("b", 2)
    assert load.is_less("a", "b")
    assert not load.is_less("b", "a")
    assert not load.is_less("a", "a")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TARGETS", 3)
    load = Load(Clock())
    for key in "abcad":
        load.took(key, 1)
        load.begin(key)
        load.end(key)
    for key in "abcd":
        load.streamed(key, 1)
    assert len(load._streams) == 3
    assert [load.cost(key) for key in "abcd"] == [1, 0, 1, 1]  # the one heard of least lately is forgotten
    assert load.calls == {}


def test_what_streams_nearly_always_take_is_known_once_there_were_enough() -> None:
    load = Load(Clock())
    for milliseconds in range(1, ENOUGH):
        load.streamed("a", milliseconds / 1000)
    assert load.nearly_always_s("a") is None
    for milliseconds in range(ENOUGH, LATEST + 1):
        load.streamed("a", milliseconds / 1000)
    assert load.nearly_always_s("a") == pytest.approx(0.096)
    for _ in range(LATEST):
        load.streamed("a", 2)
    assert load.nearly_always_s("a") == 2
    assert load.nearly_always_s("b") is None
