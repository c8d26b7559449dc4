"""The shared model form: a text's score is a sum of table rows, divided by the root of the text's mass.

A feature's mass is its squared inverse document frequency, kept as the last column of the table, so the division is
very nearly the usual unit length of TF-IDF rows, at no extra look-up. Features unseen in training have neither weight
nor mass: they dilute nothing. Sums add up: a text's sum is the sum of its segments'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from classifiers.features import Rows

Floats = NDArray[np.float32]
_NO_MASS = 1e-6


@dataclass(frozen=True, slots=True)
class LinearModel:
    """`table` is (buckets, columns + 1) of int8, times `scale` a column; the last column is the mass."""

    columns: tuple[str, ...]
    table: NDArray[np.int8]
    scale: Floats
    bias: Floats

    @classmethod
    def quantised(cls, columns: tuple[str, ...], weights: Floats, mass: Floats, bias: Floats) -> Self:
        """Eight bits a weight, linear in each column."""
        dense = np.column_stack((weights, mass))
        scale = np.maximum(np.abs(dense).max(axis=0), 1e-12) / 127
        return cls(columns, np.rint(dense / scale).astype(np.int8), scale.astype(np.float32), bias)

    def margins(self, sums: Floats) -> Floats:
        """Scores from sums over this model's columns, one row a text."""
        mass = np.maximum(sums[:, -1:], _NO_MASS)
        return np.asarray(sums[:, :-1] / np.sqrt(mass) + self.bias, dtype=np.float32)


class Stack:
    """Several models side by side in one table: one gather serves all."""

    def __init__(self, models: Sequence[LinearModel]) -> None:
        self._table = np.ascontiguousarray(np.hstack([model.table for model in models]))
        self._scale = np.concatenate([model.scale for model in models])
        edges = np.cumsum([0] + [len(model.scale) for model in models]).tolist()
        self.slices = [slice(a, b) for a, b in pairwise(edges)]

    def sums(self, rows: Rows) -> Floats:
        """One row of sums a segment, over the columns of all models."""
        taken = self._table.take(rows.ids, axis=0).astype(np.float32)
        ones = np.ones(len(taken), dtype=np.float32)
        out = np.empty((len(rows.edges) - 1, taken.shape[1]), dtype=np.float32)
        for segment, (start, end) in enumerate(pairwise(rows.edges)):
            out[segment] = ones[start:end] @ taken[start:end]
        out *= self._scale
        return out
