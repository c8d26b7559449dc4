"""The shared model form: a text's score is a sum of table rows, divided by the root of the text's mass.

A feature's mass is its squared inverse document frequency, kept as the last column of the table, so the division is
very nearly the usual unit length of TF-IDF rows, at no extra look-up. Features unseen in training have neither weight
nor mass: they dilute nothing. Sums add up: a text's sum is the sum of its segments'.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
NO_MASS = 1e-6
"""Of a text without a known feature."""


@dataclass(frozen=True, slots=True)
class LinearModel:
    """`table` is (buckets, columns + 1) of int8, times `scale` a column; the last column is the mass."""

    columns: tuple[str, ...]
    table: NDArray[np.int8]
    scale: Floats
    bias: tuple[float, ...]

    @classmethod
    def quantised(cls, columns: tuple[str, ...], weights: Floats, mass: Floats, bias: Floats) -> Self:
        """Eight bits a weight, linear in each column."""
        dense = np.column_stack((weights, mass))
        scale = np.maximum(np.abs(dense).max(axis=0), 1e-12) / 127
        return cls(columns, np.rint(dense / scale).astype(np.int8), scale.astype(np.float32), tuple(bias.tolist()))

    def margins(self, sums: Sequence[float]) -> list[float]:
        """A text's scores from its sums over this model's columns: in Python, which is faster for a dozen numbers."""
        root = self.root(sums)
        return [total / root + bias for total, bias in zip(sums, self.bias, strict=False)]

    @staticmethod
    def root(sums: Sequence[float]) -> float:
        """Of the text's mass, which stands last."""
        return math.sqrt(max(sums[-1], NO_MASS))


def softmax(margins: Sequence[float]) -> list[float]:
    """Shares that sum to 1; in Python, since a dozen numbers are fewer than NumPy's overhead."""
    top = max(margins)
    powers = [math.exp(margin - top) for margin in margins]
    total = sum(powers)
    return [power / total for power in powers]
