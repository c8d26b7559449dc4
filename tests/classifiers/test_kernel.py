"""The compiled loop and NumPy: the same sums, for every text."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers import kernel
from classifiers.features import BITS, MAX_SEGMENTS, read, segments

TABLE = np.random.default_rng(7).integers(-127, 128, size=(1 << BITS, 5), dtype=np.int8)
needs_kernel = pytest.mark.skipif(not kernel.compiled, reason="there was no compiler when this was installed")


@needs_kernel
@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.text(max_size=1500) | st.text("ab c'.1é漢\u0301\x01\U0001f642", max_size=1500), min_size=1, max_size=4)
)
def test_compiled_sums_are_numpys_for_any_text(texts: list[str]) -> None:
    pieces = [piece for text in texts for piece in segments(text)][:MAX_SEGMENTS]
    assert np.array_equal(kernel.sums_compiled(TABLE, pieces), kernel.sums_numpy(TABLE, pieces))


def test_a_repeated_word_counts_once() -> None:
    once, often = kernel.sums(TABLE, ["kill", "kill kill kill"])
    new = kernel.sums(TABLE, ["kill kill"])[0]
    assert not np.array_equal(once, often)  # the pair of the word with itself is a feature, too
    assert np.array_equal(often, new)


@needs_kernel
def test_buffers_that_do_not_fit_are_refused() -> None:
    compiled = importlib.import_module("classifiers._kernel")
    kind, codes, bounds = read(["a text"])
    out = np.empty((1, 5), dtype=np.int32)
    for broken in (
        (kind, codes, bounds, TABLE[:-1], 5, out),
        (kind, codes, bounds, TABLE, 4, out),
        (kind, codes, bounds, TABLE, 5, out[:0]),
        (kind, codes[:-1], bounds, TABLE, 5, out),
        (kind, codes, np.array([1, 10_000]), TABLE, 5, out),
        (kind, codes, np.array([0, 7]), TABLE, 5, out),
        (kind, codes, np.array([7, 1]), TABLE, 5, out),
        (b"", b"", bounds, TABLE, 5, out),
    ):
        with pytest.raises(ValueError, match="do not fit"):
            compiled.sums(*broken)
