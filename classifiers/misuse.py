"""How likely a text is misuse, and of which kind.

The score is calibrated on sources the model had not seen. Kinds share the score out (they sum to it); the harm
categories share out the kind `harmful`.
"""

import math
from dataclasses import dataclass

from classifiers.base import Misuse
from classifiers.kernel import unpacked
from classifiers.labels import BENIGN, CATEGORIES, HARMFUL, KINDS
from classifiers.lazy import LazyShares
from classifiers.linear import LinearModel, softmax

COLUMNS = ("misuse", *KINDS, *CATEGORIES)
NO_TEXT = Misuse(0.0, BENIGN, dict.fromkeys((*KINDS, *CATEGORIES), 0.0))
_KINDS = slice(1, 1 + len(KINDS))
_CATEGORIES = slice(1 + len(KINDS), len(COLUMNS))


@dataclass(frozen=True, slots=True)
class MisuseModel:
    """`slope` and `offset` make a margin a probability. Of benign held-out texts about 1 % reach `flag` and 0.1 %
    `block`: recommendations to a policy, which decides."""

    model: LinearModel
    slope: float
    offset: float
    flag: float
    block: float

    def judge(self, margin: float, margins: bytes) -> Misuse:
        """`margins`: of the worst text or piece, packed; `margin` is the first of them."""
        score = logistic(self.slope * margin + self.offset)
        categories = LazyShares(_shared_out, margins, score)
        label = max(KINDS, key=categories.__getitem__) if score >= self.flag else BENIGN
        return Misuse(score, label, categories)


def _shared_out(packed: bytes, score: float) -> dict[str, float]:
    margins = unpacked(packed)
    kinds = {k: score * share for k, share in zip(KINDS, softmax(margins[_KINDS]), strict=True)}
    about = softmax(margins[_CATEGORIES])
    return kinds | {c: kinds[HARMFUL] * share for c, share in zip(CATEGORIES, about, strict=True)}


def logistic(x: float) -> float:
    """1 / (1 + exp(-x)), without overflow at either end."""
    return 0.5 * (1.0 + math.tanh(0.5 * x))
