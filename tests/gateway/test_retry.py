"""Whether and when to try again."""

import random

import pytest

from gateway.errors import (
    CantBeCarried,
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
from gateway.retry import (
    BUDGET_MIN,
    MAX_BACKOFF_S,
    RetryBudget,
    backoff_s,
    counts_as_failure,
    is_retryable,
    may_repeat,
    trouble_of,
)


@pytest.mark.parametrize(
    ("refusal", "here", "elsewhere", "ill"),
    [
        (UpstreamError("x"), True, True, True),
        (UpstreamTimeout("x"), True, True, True),
        (UpstreamDenied("x"), False, True, False),
        (CantBeCarried("x"), False, True, False),
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


def rejected(message: str = "no", status: int = 400, code: str | None = None) -> UpstreamRejected:
    return UpstreamRejected(message, status=status, code=code)


@pytest.mark.parametrize(
    ("refusal", "trouble"),
    [
        (UpstreamError("x"), "error"),
        (UpstreamDenied("x"), "error"),
        (UpstreamTimeout("x"), "timeout"),
        (rejected(status=429), "rate_limit"),
        (rejected(code="context_length_exceeded"), "context_length"),
        (rejected("too big", status=413), "context_length"),
        (rejected("prompt is too long: 210000 tokens > 200000 maximum"), "context_length"),
        (rejected("The input token count (5) exceeds the maximum number of tokens allowed (4)."), "context_length"),
        (rejected("This model's maximum context length is 8192 tokens."), "context_length"),
        (rejected("Input is too long for requested model."), "context_length"),
        (rejected("the request exceeds the available context size"), "context_length"),
        (rejected(code="content_filter"), "content_filter"),
        (rejected(code="content_policy_violation"), "content_filter"),
        (rejected("Output blocked by content filtering policy"), "content_filter"),
        (rejected("triggering Azure OpenAI's content management policy"), "content_filter"),
        (rejected("Your request was rejected as a result of our safety system."), "content_filter"),
        (rejected("'temperature' must be a number"), None),
        (rejected("The model does not exist", status=404, code="context_length_exceeded"), None),
        (ClientGone("x"), None),
        (InternalError("x"), None),
        (InvalidRequest("prompt is too long"), None),
        (CantBeCarried("prompt is too long"), "error"),
    ],
)
def test_a_trouble_is_told_by_its_code_or_its_words(refusal: Refusal, trouble: str | None) -> None:
    assert trouble_of(refusal) == trouble


def test_what_may_help_elsewhere_is_a_trouble() -> None:
    for refusal in (UpstreamError("x"), UpstreamDenied("x"), UpstreamTimeout("x"), rejected(status=429)):
        assert is_retryable(refusal, elsewhere=True)
        assert trouble_of(refusal) is not None


def test_a_call_that_is_too_long_stays_so() -> None:
    assert may_repeat(UpstreamError("x"), "rate_limit")
    assert not may_repeat(UpstreamError("x"), "context_length")
    assert not may_repeat(UpstreamDenied("x"), "error")
