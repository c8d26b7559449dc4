"""Whether and when to try again."""

import random

import pytest

from gateway.errors import (
    ClientGone,
    InternalError,
    InvalidRequest,
    Overloaded,
    Refusal,
    UpstreamDenied,
    UpstreamError,
    UpstreamRejected,
    UpstreamTimeout,
)
from gateway.retry import BUDGET_MIN, MAX_BACKOFF_S, RetryBudget, backoff_s, counts_as_failure, is_retryable


@pytest.mark.parametrize(
    ("refusal", "here", "elsewhere", "ill"),
    [
        (UpstreamError("x"), True, True, True),
        (UpstreamTimeout("x"), True, True, True),
        (UpstreamDenied("x"), False, True, False),
        (UpstreamRejected("x", status=429), True, True, False),
        *((UpstreamRejected("x", status=status), False, False, False) for status in (400, 404, 413, 422)),
        *((kind("x"), False, False, False) for kind in (ClientGone, InternalError, InvalidRequest, Overloaded)),
    ],
)
def test_what_may_be_tried_again_and_what_is_an_illness(
    refusal: Refusal, here: bool, elsewhere: bool, ill: bool
) -> None:
    assert is_retryable(refusal, elsewhere=False) is here
    assert is_retryable(refusal, elsewhere=True) is elsewhere
    assert counts_as_failure(refusal) is ill


@pytest.mark.parametrize(("active", "allowed"), [(0, BUDGET_MIN), (10, BUDGET_MIN), (100, 20), (1000, 200)])
def test_a_fifth_of_the_calls_may_be_retries(active: int, allowed: int) -> None:
    budget = RetryBudget(active=active)
    assert sum(budget.take() for _ in range(active + 10)) == allowed
    budget.release()
    assert budget.take()
    assert not budget.take()


def test_the_pause_grows_to_a_bound_and_is_never_the_same_for_all() -> None:
    rng = random.Random(1)
    for attempt in range(1, 12):
        pauses = [backoff_s(attempt, UpstreamError("x"), rng) for _ in range(50)]
        ceiling = min(MAX_BACKOFF_S, 0.25 * 2**attempt)
        assert all(ceiling / 2 <= pause <= ceiling for pause in pauses)
        assert len(set(pauses)) > 40


def test_what_the_upstream_asks_for_comes_first() -> None:
    assert backoff_s(1, UpstreamError("x", retry_after_s=60), random.Random(1)) == 60
    assert backoff_s(5, UpstreamError("x", retry_after_s=0.1), random.Random(1)) > 1
