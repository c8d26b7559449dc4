"""Scores from sums over table rows."""

import numpy as np
import pytest

from classifiers.linear import LinearModel, softmax

WEIGHTS = np.array([[1.0, -2.0], [0.5, 0.25], [0.0, 4.0]], dtype=np.float32)
MASS = np.array([4.0, 1.0, 0.0], dtype=np.float32)


def model(bias: float = 0.5) -> LinearModel:
    return LinearModel.quantised(("x", "y"), WEIGHTS, MASS, np.full(2, bias, dtype=np.float32))


def test_eight_bits_keep_each_weight_to_half_a_step_of_its_column() -> None:
    kept = model().table.astype(np.float32) * model().scale
    assert np.abs(kept - np.column_stack((WEIGHTS, MASS))).max() <= 0.5 * 4 / 127 + 1e-6


def test_a_margin_is_the_sum_over_the_root_of_the_mass_and_the_bias() -> None:
    assert model().margins([6.0, -3.0, 9.0]) == pytest.approx([2.5, -0.5])


def test_a_text_without_known_features_scores_the_bias() -> None:
    assert model().margins([0.0, 0.0, 0.0]) == pytest.approx([0.5, 0.5])


def test_huge_margins_do_not_overflow() -> None:
    assert softmax([1e6, 0.0, -1e6]) == [1.0, 0.0, 0.0]
