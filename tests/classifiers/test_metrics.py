"""Known numbers, by hand and by scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from classifiers.metrics import accuracy, average_precision, macro_f1, recall_at, roc_auc, share_at_least


def test_ranking_numbers_agree_with_scikit_learn_ties_included() -> None:
    rng = np.random.default_rng(3)
    positive = rng.random(500) < 0.3
    scores = np.round(rng.random(500) + 0.3 * positive, 1).astype(np.float64)
    assert roc_auc(positive, scores) == pytest.approx(roc_auc_score(positive, scores))
    assert average_precision(positive, scores) == pytest.approx(average_precision_score(positive, scores))


def test_recall_at_a_rate_exceeds_no_more_negatives_than_that() -> None:
    positive = np.array([True] * 4 + [False] * 100)
    scores = np.array([0.999, 0.985, 0.5, 0.1, *np.arange(100) / 100])
    assert recall_at(positive, scores, 0.01) == 0.5
    assert recall_at(positive, scores, 0.0) == 0.25
    assert share_at_least(scores[positive], 0.5) == 0.75


def test_numbers_that_need_a_missing_class_are_not_numbers() -> None:
    scores = np.array([0.1, 0.2])
    for only in (np.array([True, True]), np.array([False, False])):
        assert np.isnan(roc_auc(only, scores))
        assert np.isnan(recall_at(only, scores, 0.05))
    assert np.isnan(average_precision(np.array([False, False]), scores))
    assert np.isnan(share_at_least(scores[:0], 0.5))


def test_label_numbers_agree_with_scikit_learn() -> None:
    truth = ["a", "a", "b", "c", "b", "a"]
    predicted = ["a", "b", "b", "d", "b", "c"]
    assert accuracy(truth, predicted) == 0.5
    expected = f1_score(truth, predicted, labels=["a", "b", "c"], average="macro", zero_division=0)
    assert macro_f1(truth, predicted) == pytest.approx(expected)
