"""The window slides by the second of admission, and its sums are those of what is in it."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.quota.base import WINDOW_S
from gateway.quota.window import SlidingWindow


def window_of(*calls: tuple[str, int, float]) -> SlidingWindow:
    window = SlidingWindow()
    for call_id, tokens, at in calls:
        window.admit(call_id, tokens, at)
    return window


def sums(window: SlidingWindow) -> tuple[int, int, int]:
    return window.calls, window.tokens, window.held


def test_a_call_counts_for_a_minute_and_not_a_moment_longer() -> None:
    window = window_of(("a", 5, 100.0), ("b", 7, 130.0))
    window.slide(100.0 + WINDOW_S - 0.001)
    assert sums(window) == (2, 12, 12)
    window.slide(100.0 + WINDOW_S)
    assert sums(window) == (1, 7, 7)


def test_a_settled_call_counts_what_it_used_once() -> None:
    window = window_of(("a", 50, 0.0), ("b", 9, 1.0))
    window.settle("a", 20)
    assert sums(window) == (2, 29, 9)
    window.settle("a", 20)
    window.remove("a")
    assert sums(window) == (1, 9, 9)


def test_settling_a_call_that_has_left_brings_nothing_back() -> None:
    window = window_of(("a", 50, 0.0))
    window.slide(WINDOW_S)
    window.settle("a", 20)
    window.remove("a")
    assert sums(window) == (0, 0, 0)


def test_the_wait_is_until_enough_has_left() -> None:
    window = window_of(("a", 5, 0.0), ("b", 7, 10.0), ("c", 1, 20.0))
    assert [window.wait_for_calls(missing, 30.0) for missing in (1, 2, 3, 4)] == [30.0, 40.0, 50.0, WINDOW_S]
    assert [window.wait_for_tokens(missing, 30.0) for missing in (5, 6, 13, 14)] == [30.0, 40.0, 50.0, WINDOW_S]


def test_calls_known_only_as_a_number_leave_together() -> None:
    window = SlidingWindow()
    window.admit("elsewhere", 40, 0.0, settled=True, calls=3)
    assert sums(window) == (3, 40, 0)
    assert window.wait_for_calls(2, 15.0) == 45.0
    window.slide(WINDOW_S)
    assert sums(window) == (0, 0, 0)


def test_a_wait_for_tokens_looks_no_further_than_the_hundredth_call() -> None:
    window = window_of(*((str(n), 1, n / 10) for n in range(300)))
    assert window.wait_for_tokens(250, 30.0) == 99 / 10 + WINDOW_S - 30.0


def test_the_oldest_call_says_when_the_window_moves_next() -> None:
    assert SlidingWindow().oldest_leaves_at(7.0) == 7.0
    assert window_of(("a", 1, 3.0), ("b", 1, 4.0)).oldest_leaves_at(7.0) == 3.0 + WINDOW_S


steps = st.lists(st.tuples(st.sampled_from(("settle", "remove", "slide")), st.integers(0, 9), st.integers(0, 50)))


@given(st.lists(st.integers(0, 50), min_size=1, max_size=10), steps)
def test_the_sums_are_always_those_of_what_is_in_the_window(
    tokens: list[int], story: list[tuple[str, int, int]]
) -> None:
    window = window_of(*((str(n), held, 10.0 * n) for n, held in enumerate(tokens)))
    for what, n, amount in story:
        if what == "settle":
            window.settle(str(n), amount)
        elif what == "remove":
            window.remove(str(n))
        else:
            window.slide(3.0 * amount)
    inside = window._calls.values()
    assert window.calls == len(inside)
    assert window.tokens == sum(call.tokens for call in inside)
    assert window.held == sum(call.tokens for call in inside if not call.settled)
