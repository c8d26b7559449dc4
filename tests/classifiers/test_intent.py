"""Probabilities over intents, and `other` for the unsure."""

import numpy as np
import pytest

from classifiers.intent import IntentModel, softmax
from classifiers.labels import OTHER
from classifiers.linear import LinearModel

MODEL = LinearModel(("a", "b"), np.zeros((1, 3), dtype=np.int8), np.ones(3, dtype=np.float32), (0.0, 0.0))


def test_the_likeliest_intent_is_named_with_its_probability() -> None:
    intent = IntentModel(MODEL, temperature=1.0, floor=0.5).judge([2.0, 4.0, 4.0])
    assert intent.label == "b"
    assert intent.confidence == intent.probabilities["b"] == pytest.approx(1 / (1 + np.exp(-1)))


def test_a_higher_temperature_is_less_sure() -> None:
    sure, less = (IntentModel(MODEL, t, 0.5).judge([2.0, 4.0, 4.0]).confidence for t in (1.0, 3.0))
    assert sure > less > 0.5


def test_below_the_floor_the_answer_is_other() -> None:
    assert IntentModel(MODEL, temperature=1.0, floor=0.9).judge([2.0, 4.0, 4.0]).label == OTHER


def test_huge_margins_do_not_overflow() -> None:
    assert softmax([1e6, 0.0, -1e6]) == [1.0, 0.0, 0.0]
