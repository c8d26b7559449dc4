"""However entries come and go, what is kept never exceeds what is allowed."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.room import ENTRY_BYTES, Room


def test_the_same_key_is_counted_once() -> None:
    room = Room(lambda: 10_000)
    for _ in range(3):
        assert room.take("a", 100, 0.0, 60) == ([], [])
    assert room.taken_bytes == 100 + ENTRY_BYTES


def test_what_has_expired_makes_room_first_and_is_no_loss() -> None:
    room = Room(lambda: 2 * (100 + ENTRY_BYTES))
    room.take("old", 100, 0.0, 1)
    room.take("a", 100, 0.0, 60)
    assert room.take("b", 100, 2.0, 60) == ([], ["old"])


def test_what_is_put_again_is_the_newest() -> None:
    room = Room(lambda: 2 * (100 + ENTRY_BYTES))
    for key in ("a", "b", "a"):
        room.take(key, 100, 0.0, 60)
    assert room.take("c", 100, 0.0, 60).given_up == ["b"]


def test_the_bound_may_shrink() -> None:
    most = 10_000
    room = Room(lambda: most)
    for key in "abcd":
        room.take(key, 100, 0.0, 60)
    most = 100 + ENTRY_BYTES
    assert room.take("e", 100, 0.0, 60).given_up == ["a", "b", "c", "d"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 2000), st.floats(0, 5), st.floats(0.1, 5))))
def test_no_more_is_kept_than_allowed(steps: list[tuple[str, int, float, float]]) -> None:
    room, kept, now = Room(lambda: 3000), {}, 0.0
    for key, size, passed, ttl_s in steps:
        now += passed
        kept[key] = size + ENTRY_BYTES
        given_up, expired = room.take(key, size, now, ttl_s)
        for gone in given_up + expired:
            del kept[gone]  # nothing is given up that was not there
        assert room.taken_bytes == sum(kept.values()) <= 3000
