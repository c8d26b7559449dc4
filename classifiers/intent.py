"""What a text wants: a softmax over fourteen intents, `other` for the unsurest twentieth of held-out texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import exp

from classifiers.base import Intent
from classifiers.labels import OTHER
from classifiers.lazy import LazyShares
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
        margins = self.model.margins(sums)
        top = max(margins)
        scale = 1.0 / self.temperature
        confidence = 1.0 / sum([exp((margin - top) * scale) for margin in margins])
        label = self.model.columns[margins.index(top)] if confidence >= self.floor else OTHER
        return Intent(label, confidence, LazyShares(partial(self._probabilities, margins)))

    def _probabilities(self, margins: list[float]) -> dict[str, float]:
        shares = softmax([margin / self.temperature for margin in margins])
        return dict(zip(self.model.columns, shares, strict=True))


def softmax(margins: list[float]) -> list[float]:
    """Shares that sum to 1; in Python, since a dozen numbers are fewer than NumPy's overhead."""
    top = max(margins)
    powers = [exp(margin - top) for margin in margins]
    total = sum(powers)
    return [power / total for power in powers]
