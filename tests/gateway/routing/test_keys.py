"""Keys are taken in turn, and what the provider turned down is left alone."""

import pytest

from gateway.errors import Refusal, UpstreamDenied, UpstreamError, UpstreamRejected
from gateway.routing.keys import DENIED_S, LIMITED_S, MAX_S, KeyRing
from tests.gateway.scripted import Clock


def limited(retry_after_s: float | None = None) -> UpstreamRejected:
    return UpstreamRejected("x", status=429, retry_after_s=retry_after_s)


def taken(ring: KeyRing[str], many: int) -> str:
    return "".join(ring.take() for _ in range(many))


def test_keys_are_taken_in_turn() -> None:
    assert taken(KeyRing("abc", Clock()), 7) == "abcabca"


@pytest.mark.parametrize(
    ("refusal", "seconds"),
    [
        (limited(), LIMITED_S), (limited(3), 3), (limited(86_400), MAX_S), (UpstreamDenied("x"), DENIED_S),
        (UpstreamDenied("x", retry_after_s=1), DENIED_S),
    ],
)  # fmt: skip
def test_a_key_that_was_turned_down_is_left_alone_for_a_while(refusal: Refusal, seconds: float) -> None:
    clock = Clock()
    ring = KeyRing("ab", clock)
    assert ring.turned_down("a", refusal)
    assert taken(ring, 3) == "bbb"
    clock.now += seconds - 0.1
    assert taken(ring, 2) == "bb"
    clock.now += 0.1
    assert sorted(taken(ring, 2)) == ["a", "b"]


@pytest.mark.parametrize("refusal", [UpstreamError("x"), UpstreamRejected("x", status=400)])
def test_what_is_not_about_the_key_leaves_it_in_its_turn(refusal: Refusal) -> None:
    ring = KeyRing("ab", Clock())
    assert not ring.turned_down("a", refusal)
    assert taken(ring, 2) == "ab"


def test_where_all_are_left_alone_the_soonest_is_taken() -> None:
    ring = KeyRing("abc", Clock())
    assert ring.turned_down("a", limited(30))
    assert ring.turned_down("b", limited(5))
    assert not ring.turned_down("c", limited(9))
    assert taken(ring, 3) == "bbb"
