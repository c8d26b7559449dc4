"""Sums over table rows, and scores from sums."""

import numpy as np
import pytest

from classifiers.features import Rows
from classifiers.linear import LinearModel, Stack

WEIGHTS = np.array([[1.0, -2.0], [0.5, 0.25], [0.0, 4.0]], dtype=np.float32)
MASS = np.array([4.0, 1.0, 0.0], dtype=np.float32)


def model(bias: float = 0.5) -> LinearModel:
    return LinearModel.quantised(("x", "y"), WEIGHTS, MASS, np.full(2, bias, dtype=np.float32))


def rows(*segments: list[int]) -> Rows:
    edges = np.cumsum([0, *map(len, segments)]).tolist()
    return Rows(np.array([i for segment in segments for i in segment], dtype=np.intp), edges)


def test_eight_bits_keep_each_weight_to_half_a_step_of_its_column() -> None:
    kept = model().table.astype(np.float32) * model().scale
    assert np.abs(kept - np.column_stack((WEIGHTS, MASS))).max() <= 0.5 * 4 / 127 + 1e-6


def test_models_side_by_side_sum_as_each_alone_and_segments_add_up() -> None:
    both, one = Stack((model(), model())), Stack((model(),))
    apart = both.sums(rows([0, 1], [2]))
    assert apart[:, both.slices[1]] == pytest.approx(one.sums(rows([0, 1], [2])))
    assert apart.sum(axis=0) == pytest.approx(both.sums(rows([0, 1, 2]))[0])


def test_a_margin_is_the_sum_over_the_root_of_the_mass_and_the_bias() -> None:
    assert model().margins([6.0, -3.0, 9.0]) == pytest.approx([2.5, -0.5])


def test_a_text_without_known_features_scores_the_bias() -> None:
    assert model().margins([0.0, 0.0, 0.0]) == pytest.approx([0.5, 0.5])
