"""Sums over table rows, and scores from sums."""

import numpy as np
import pytest

from classifiers.features import BITS
from classifiers.linear import LinearModel, Stack

WEIGHTS = np.array([[1.0, -2.0], [0.5, 0.25], [0.0, 4.0]], dtype=np.float32)
MASS = np.array([4.0, 1.0, 0.0], dtype=np.float32)


def model(bias: float = 0.5) -> LinearModel:
    return LinearModel.quantised(("x", "y"), WEIGHTS, MASS, np.full(2, bias, dtype=np.float32))


def test_eight_bits_keep_each_weight_to_half_a_step_of_its_column() -> None:
    kept = model().table.astype(np.float32) * model().scale
    assert np.abs(kept - np.column_stack((WEIGHTS, MASS))).max() <= 0.5 * 4 / 127 + 1e-6


def whole(seed: int) -> LinearModel:
    """A model over the whole table of the feature pass."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(1 << BITS, 2)).astype(np.float32)
    mass = np.ones(1 << BITS, dtype=np.float32)
    return LinearModel.quantised(("x", "y"), weights, mass, np.zeros(2, dtype=np.float32))


def test_models_side_by_side_sum_as_each_alone_and_each_segment_for_itself() -> None:
    both, one = Stack((whole(1), whole(2))), Stack((whole(2),))
    pieces = ["how do i sort", " a list, please?"]
    together = both.sums(pieces)
    assert together[:, both.slices[1]] == pytest.approx(one.sums(pieces))
    assert together == pytest.approx(np.concatenate([both.sums([piece]) for piece in pieces]))


def test_a_margin_is_the_sum_over_the_root_of_the_mass_and_the_bias() -> None:
    assert model().margins([6.0, -3.0, 9.0]) == pytest.approx([2.5, -0.5])


def test_a_text_without_known_features_scores_the_bias() -> None:
    assert model().margins([0.0, 0.0, 0.0]) == pytest.approx([0.5, 0.5])
