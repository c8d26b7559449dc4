"""Texts as sparse training rows, made by the feature pass that serves, and weights folded back into its table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from classifiers.features import BITS, rows, segments
from classifiers.linear import NO_MASS, Floats, LinearModel

_CHUNK = 2000
_MIN_TEXTS = 2
"""A feature seen in a single text says nothing of the next one."""


@dataclass(frozen=True, slots=True)
class Design:
    """Feature counts of whole texts and of their pieces; `owner[p]` is the text of piece p."""

    texts: Any
    pieces: Any
    owner: NDArray[np.intp]


def design(texts: Sequence[str], progress: Callable[[str], None]) -> Design:
    """The counts of all texts."""
    ids, lengths, owner = [], [], []
    for number, text in enumerate(texts):
        if number % _CHUNK == 0:
            progress(f"features: {number} of {len(texts)} texts")
        for piece in segments(text):
            ids.append(rows([piece]).ids.astype(np.int32))
            lengths.append(len(ids[-1]))
            owner.append(number)
    edges = np.concatenate(([0], np.cumsum(lengths)))
    ones = np.ones(edges[-1], dtype=np.float32)
    pieces = sparse.csr_matrix((ones, np.concatenate(ids), edges), shape=(len(lengths), 1 << BITS))
    pieces.sum_duplicates()
    belongs = sparse.csr_matrix(
        (np.ones(len(owner), dtype=np.float32), (owner, np.arange(len(owner)))), shape=(len(texts), len(owner))
    )
    return Design((belongs @ pieces).tocsr(), pieces, np.array(owner, dtype=np.intp))


def frequencies(counts: Any) -> Floats:
    """The inverse document frequency of each feature; 0 for those seen too seldom."""
    seen = np.bincount(counts.indices, minlength=counts.shape[1])
    inverse = np.log((1 + counts.shape[0]) / (1 + seen)) + 1
    return np.where(seen >= _MIN_TEXTS, inverse, 0).astype(np.float32)


def scaled(counts: Any, idf: Floats) -> Any:
    """The rows a model is fitted on: counts times frequencies, over the root of the mass."""
    mass = counts @ np.square(idf)
    return sparse.diags(1 / np.sqrt(np.maximum(mass, NO_MASS)), dtype=np.float32) @ counts @ sparse.diags(idf)


def fold(columns: tuple[str, ...], weights: Floats, bias: Floats, idf: Floats) -> LinearModel:
    """The serving form of weights (columns x features) fitted on `scaled` rows."""
    return LinearModel.quantised(columns, weights.T * idf[:, None], np.square(idf), bias)


def margins(model: LinearModel, counts: Any) -> Floats:
    """The scores of rows of counts: what serving must equal."""
    sums = np.asarray(counts @ (model.table.astype(np.float32) * model.scale), dtype=np.float32)
    roots = np.sqrt(np.maximum(sums[:, -1:], NO_MASS))
    return np.asarray(sums[:, :-1] / roots + np.array(model.bias), dtype=np.float32)
