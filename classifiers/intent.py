"""What a text wants: a softmax over fourteen intents, `other` for the unsurest twentieth of held-out texts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from classifiers.base import Intent
from classifiers.labels import OTHER
from classifiers.linear import LinearModel

NO_TEXT = Intent(OTHER, 0.0)


@dataclass(frozen=True, slots=True)
class IntentModel:
    """`temperature` calibrates the probabilities; below `floor` the answer is `other`. Both from held-out sources."""

    model: LinearModel
    temperature: float
    floor: float

    def judge(self, sums: Sequence[float]) -> Intent:
        """`sums`: a text's, over this model's columns."""
        margins = [margin / self.temperature for margin in self.model.margins(sums)]
        probabilities = dict(zip(self.model.columns, softmax(margins), strict=True))
        label = max(probabilities, key=probabilities.__getitem__)
        confidence = probabilities[label]
        return Intent(label if confidence >= self.floor else OTHER, confidence, probabilities)


def softmax(margins: list[float]) -> list[float]:
    """Shares that sum to 1; in Python, since a dozen numbers are fewer than NumPy's overhead."""
    top = max(margins)
    powers = [math.exp(margin - top) for margin in margins]
    total = sum(powers)
    return [power / total for power in powers]
