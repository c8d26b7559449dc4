"""Texts to the scores of two models, in one pass: the compiled loop where it was built, else NumPy.

Both add the same integers and divide the same doubles, so they agree to the last bits of what follows. Whoever judges
gets the two numbers that every call needs; what few ask for comes packed.
"""

from array import array
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from struct import unpack

import numpy as np
from numpy.typing import NDArray

from classifiers.features import BITS, LETTERS, SEGMENT, rows
from classifiers.linear import LinearModel, softmax

try:
    from classifiers import _kernel
except ImportError:  # no compiler at installation
    _kernel = None  # type: ignore[assignment]

compiled = _kernel is not None

Texts = list[list[str]]
"""One list of normalised pieces a text; neither is ever empty."""

Scores = tuple[float, bytes, int, float, bytes]
"""Of all texts and all pieces of texts the greatest first margin of the ranked model, and all its margins there; the
likeliest label of the shared model for the first text, its share, and all shares. Lists are packed: see `unpacked`."""

_BLOCK, _COMPILED_COLUMNS = 16, 64
_HUGE_PAGE = 1 << 21
_Table = NDArray[np.int8]


class Pair:
    """Two models side by side in one table, so that one gather serves both."""

    def __init__(self, ranked: LinearModel, shared: LinearModel, temperature: float) -> None:
        self._models, self._temperature = (ranked, shared), temperature
        self._edge, self._columns = len(ranked.scale), len(ranked.scale) + len(shared.scale)
        self._table = _aligned(np.hstack((ranked.table, shared.table)))
        self._scale = np.zeros(self._table.shape[1])
        self._scale[: self._columns] = np.concatenate((ranked.scale, shared.scale))
        fits = compiled and self._table.shape[1] <= _COMPILED_COLUMNS
        self.score: Callable[[Texts], Scores] = self._compiled() if fits else self.score_numpy

    def _compiled(self) -> Callable[[Texts], Scores]:
        ranked, shared = self._models
        bias = [*ranked.bias, 0.0, *shared.bias, 0.0]
        constants = array("d", [*self._scale, *bias, *[0.0] * (len(self._scale) - len(bias))]).tobytes()
        widths = (self._edge, len(shared.scale))
        return partial(_kernel.score, self._table.data, LETTERS, constants, *widths, self._temperature)

    def score_numpy(self, texts: Texts) -> Scores:
        """What the compiled loop does."""
        ranked, shared = self._models
        rows = self._sums(texts).tolist()
        worst = max(rows, key=self._rank) if len(rows) > 1 else rows[0]
        margins = ranked.margins(worst[: self._edge])
        shares = softmax([margin / self._temperature for margin in shared.margins(rows[0][self._edge : self._columns])])
        share = max(shares)
        return margins[0], _packed(margins), shares.index(share), share, _packed(shares)

    def _rank(self, row: list[float]) -> float:
        ranked = self._models[0]
        return row[0] / ranked.root(row[: self._edge]) + ranked.bias[0]

    def _sums(self, texts: Texts) -> NDArray[np.float64]:
        """One row for each whole text, then one for each piece of those in several pieces."""
        pieces = sums(self._table, [piece for text in texts for piece in text]) * self._scale
        if len(pieces) == len(texts):
            return pieces
        starts = np.cumsum([0] + [len(text) for text in texts[:-1]])
        return np.concatenate((np.add.reduceat(pieces, starts, axis=0), pieces))


def sums(table: _Table, segments: list[str]) -> NDArray[np.int32]:
    """For each normalised segment the sum of the rows of `table` (2**BITS rows of int8) over its distinct features."""
    found = rows(segments)
    taken = table.take(found.ids, axis=0, mode="clip").astype(np.float32)
    # A product with ones is the quickest sum NumPy has; sums of int8 are exact in float32 up to 2**24.
    ones = np.ones(len(taken), dtype=np.float32)
    parts = [ones[start:end] @ taken[start:end] for start, end in pairwise(found.edges)]
    return np.stack(parts).astype(np.int32)


def unpacked(numbers: bytes) -> tuple[float, ...]:
    """A list out of `Scores`."""
    return unpack(f"{len(numbers) // 8}d", numbers)


def _packed(numbers: list[float]) -> bytes:
    return array("d", numbers).tobytes()


def _aligned(table: _Table) -> _Table:
    """`table`, with its rows filled up to whole blocks of columns, at the start of a page. Rows are read from all over
    it: huge pages, where the system has them, keep them in the reach of the processor, and none lies in two lines."""
    columns = -(-table.shape[1] // _BLOCK) * _BLOCK
    space = np.empty(len(table) * columns + _HUGE_PAGE, dtype=np.int8)
    first = -space.ctypes.data % _HUGE_PAGE
    aligned = space[first : first + len(table) * columns].reshape(len(table), columns)
    aligned[:, : table.shape[1]], aligned[:, table.shape[1] :] = table, 0
    return aligned


assert (BITS, SEGMENT) == (17, 1024), "these are compiled into the kernel"
