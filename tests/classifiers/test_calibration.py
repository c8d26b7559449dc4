"""Probabilities mean what they say, thresholds let through what they promise."""

import numpy as np
import pytest

from classifiers.calibration import platt, shares, temperature, threshold


def test_platt_finds_the_curve_the_data_came_from() -> None:
    rng = np.random.default_rng(5)
    margins = rng.normal(0, 2, 40_000)
    positive = rng.random(40_000) < 1 / (1 + np.exp(-(1.7 * margins - 0.8)))
    slope, offset = platt(margins, positive)
    assert slope == pytest.approx(1.7, abs=0.1)
    assert offset == pytest.approx(-0.8, abs=0.1)


def test_margins_that_rank_the_wrong_way_still_give_a_rising_curve() -> None:
    slope, offset = platt(np.array([1.0, 2.0, -1.0, -2.0]), np.array([False, False, True, True]))
    assert slope > 0
    assert np.isfinite(offset)


def test_separable_margins_give_a_finite_curve() -> None:
    assert np.isfinite(platt(np.array([-1.0, -2.0, 1.0, 2.0]), np.array([False, False, True, True]))).all()


def test_temperature_undoes_a_scaling() -> None:
    rng = np.random.default_rng(6)
    margins = rng.normal(0, 1.5, (20_000, 4))
    truth = np.array([rng.choice(4, p=p) for p in shares(margins)])
    assert temperature(3 * margins, truth) == pytest.approx(3, rel=0.1)


def test_a_threshold_is_reached_by_the_share_it_promises() -> None:
    scores = np.random.default_rng(8).random(10_000)
    assert (scores >= threshold(scores, 0.01)).mean() == pytest.approx(0.01, abs=0.001)
