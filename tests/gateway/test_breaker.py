"""Five failures in a row eject a target, for longer each time; then one probe decides."""

import pytest

from gateway.breaker import BASE_EJECTION_S, FAILURES_TO_EJECT, MAX_EJECTION_S, MAX_TARGETS, Breakers
from tests.gateway.scripted import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    return Breakers(clock)


def eject(breakers: Breakers, key: str = "a") -> None:
    for _ in range(FAILURES_TO_EJECT):
        breakers.failed(key)


def probe(breakers: Breakers, clock: Clock, *, fails: bool) -> None:
    clock.now += breakers.retry_after_s("a")
    assert breakers.allows("a")
    breakers.begin("a")
    (breakers.failed if fails else breakers.succeeded)("a")


def test_a_target_is_ejected_after_failures_in_a_row(breakers: Breakers) -> None:
    for _ in range(FAILURES_TO_EJECT - 1):
        breakers.failed("a")
        assert breakers.allows("a")
    breakers.failed("a")
    assert not breakers.allows("a")
    assert breakers.allows("b")
    assert breakers.open_keys() == ["a"]
    assert breakers.retry_after_s("a") == BASE_EJECTION_S
    assert breakers.retry_after_s("b") == 0


def test_a_success_between_makes_it_a_new_row(breakers: Breakers) -> None:
    for _ in range(3):
        for _ in range(FAILURES_TO_EJECT - 1):
            breakers.failed("a")
        breakers.succeeded("a")
    assert breakers.allows("a")


def test_only_one_probe_goes_at_a_time(breakers: Breakers, clock: Clock) -> None:
    eject(breakers)
    clock.now += BASE_EJECTION_S
    assert breakers.allows("a")
    breakers.begin("a")
    assert not breakers.allows("a")
    breakers.succeeded("a")
    assert breakers.allows("a")
    assert breakers.open_keys() == []


def test_a_probe_nobody_hears_of_is_given_up(breakers: Breakers, clock: Clock) -> None:
    eject(breakers)
    clock.now += BASE_EJECTION_S
    breakers.begin("a")
    clock.now += BASE_EJECTION_S - 1
    assert not breakers.allows("a")
    clock.now += 1
    assert breakers.allows("a")


def test_each_failed_probe_ejects_for_longer_to_a_bound(breakers: Breakers, clock: Clock) -> None:
    eject(breakers)
    lengths = []
    for _ in range(12):
        probe(breakers, clock, fails=True)
        lengths.append(breakers.retry_after_s("a"))
    assert lengths[:3] == [2 * BASE_EJECTION_S, 3 * BASE_EJECTION_S, 4 * BASE_EJECTION_S]
    assert lengths[-1] == max(lengths) == MAX_EJECTION_S


def test_after_a_success_ejections_are_short_again(breakers: Breakers, clock: Clock) -> None:
    eject(breakers)
    probe(breakers, clock, fails=True)
    probe(breakers, clock, fails=False)
    eject(breakers)
    assert breakers.retry_after_s("a") == BASE_EJECTION_S


def test_calls_on_their_way_when_it_was_ejected_prolong_nothing(breakers: Breakers) -> None:
    eject(breakers)
    for _ in range(100):
        breakers.failed("a")
    assert breakers.retry_after_s("a") == BASE_EJECTION_S


def test_a_call_to_a_healthy_target_leaves_no_trace(breakers: Breakers) -> None:
    breakers.begin("a")
    breakers.succeeded("a")
    assert breakers._states == {}


def test_memory_is_bounded_whatever_the_names(breakers: Breakers) -> None:
    for i in range(MAX_TARGETS + 100):
        breakers.failed(str(i))
    assert len(breakers._states) == MAX_TARGETS
