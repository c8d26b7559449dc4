"""A model's name says which of the dialect's ways it takes."""

import pytest

from gateway.dialects.messages.models import takes_budgets, takes_formats, takes_sampling


@pytest.mark.parametrize(
    ("model", "budgets", "sampling"),
    [
        ("claude-3-5-sonnet-20241022", True, True),
        ("claude-opus-4-20250514", True, True),
        ("anthropic.claude-opus-4-1-v1:0", True, True),
        ("claude-haiku-4-5", True, True),
        ("claude-haiku-4-5-20251001", True, True),
        ("claude-opus-4-6", False, True),
        ("claude-opus-4-7", False, False),
        ("claude-sonnet-5-20260901", False, False),
        ("glm-4.6", True, True),
    ],
)
def test_budgets_and_sampling_by_name(model: str, budgets: bool, sampling: bool) -> None:
    assert (takes_budgets(model), takes_sampling(model)) == (budgets, sampling)


@pytest.mark.parametrize(
    ("model", "formats"),
    [("claude-sonnet-4-20250514", False), ("claude-opus-4-1", True), ("claude-opus-5", True), ("glm-4.6", False)],
)
def test_formats_by_name(model: str, formats: bool) -> None:
    assert takes_formats(model) is formats
