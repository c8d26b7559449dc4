"""A model's name says its generation."""

import pytest

from gateway.dialects.gemini.models import signs_thoughts


@pytest.mark.parametrize(
    ("model", "signs"),
    [("gemini-2.5-flash", False), ("gemini-1.5-pro", False), ("gemma-3-27b", False), ("gemini-flash-latest", False),
     ("gemini-3-pro-preview", True), ("models/gemini-3.1-flash", True), ("gemini-10", True)],
)  # fmt: skip
def test_generations_by_name(model: str, signs: bool) -> None:
    assert signs_thoughts(model) is signs
