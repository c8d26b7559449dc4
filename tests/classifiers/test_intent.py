"""Probabilities over intents, and `other` for the unsure."""

from struct import pack

import numpy as np

from classifiers.intent import IntentModel
from classifiers.labels import OTHER
from classifiers.linear import LinearModel

MODEL = LinearModel(("a", "b"), np.zeros((1, 3), dtype=np.int8), np.ones(3, dtype=np.float32), (0.0, 0.0))


def test_the_likeliest_intent_is_named_with_its_probability() -> None:
    intent = IntentModel(MODEL, temperature=1.0, floor=0.75).judge(1, 0.75, pack("2d", 0.25, 0.75))
    assert (intent.label, intent.confidence) == ("b", 0.75)
    assert dict(intent.probabilities) == {"a": 0.25, "b": 0.75}


def test_below_the_floor_the_answer_is_other() -> None:
    intent = IntentModel(MODEL, temperature=1.0, floor=0.9).judge(1, 0.75, pack("2d", 0.25, 0.75))
    assert intent.label == OTHER
    assert intent.probabilities["b"] == 0.75
