"""Segments to sums: the compiled loop where it was built, else NumPy. Both add the same integers, so they agree to the
last bit of what follows."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from classifiers.features import BITS, read, rows

try:
    from classifiers import _kernel
except ImportError:  # no compiler at installation
    _kernel = None  # type: ignore[assignment]

Table = NDArray[np.int8]
Sums = NDArray[np.int32]

compiled = _kernel is not None


def sums(table: Table, segments: list[str]) -> Sums:
    """For each normalised segment the sum of the rows of `table` (2**BITS rows of int8) over its distinct features."""
    return sums_compiled(table, segments) if compiled else sums_numpy(table, segments)


def sums_compiled(table: Table, segments: list[str]) -> Sums:
    kind, codes, bounds = read(segments)
    out = np.empty((len(segments), table.shape[1]), dtype=np.int32)
    _kernel.sums(kind, codes, bounds, table, table.shape[1], out)
    return out


def sums_numpy(table: Table, segments: list[str]) -> Sums:
    found = rows(segments)
    taken = table.take(found.ids, axis=0, mode="clip").astype(np.float32)
    # A product with ones is the quickest sum NumPy has; sums of int8 are exact in float32 up to 2**24.
    ones = np.ones(len(taken), dtype=np.float32)
    parts = [ones[start:end] @ taken[start:end] for start, end in pairwise(found.edges)]
    return np.stack(parts).astype(np.int32)


assert BITS == 17, "the table size is compiled into the kernel"
