"""How good scores and labels are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def roc_auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The chance that a positive outscores a negative, ties counting half; NaN without both."""
    values, at = np.unique(scores, return_inverse=True)
    counts = np.bincount(at, minlength=len(values))
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[at]
    n, m = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m)) if n and m else float("nan")


def average_precision(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The area under precision over recall, tied scores taken together; NaN without positives."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(positive[order])[last]
    if not positive.any():
        return float("nan")
    recall = hits / positive.sum()
    return float((np.diff(recall, prepend=0.0) * hits / (last + 1)).sum())


def recall_at(positive: NDArray[np.bool_], scores: NDArray[np.float64], false_positives: float) -> float:
    """The share of positives above the score that at most a share of `false_positives` of the negatives exceeds."""
    negatives = np.sort(scores[~positive])[::-1]
    if not len(negatives) or not positive.any():
        return float("nan")
    edge = negatives[min(int(false_positives * len(negatives)), len(negatives) - 1)]
    return float((scores[positive] > edge).mean())


def accuracy(truth: Sequence[str], predicted: Sequence[str]) -> float:
    return sum(t == p for t, p in zip(truth, predicted, strict=True)) / len(truth)


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """F1 averaged over the labels that occur in `truth`."""
    pairs = list(zip(truth, predicted, strict=True))
    return float(np.mean([_f1(pairs, label) for label in sorted(set(truth))]))


def _f1(pairs: Sequence[tuple[str, str]], label: str) -> float:
    hits = sum(t == label == p for t, p in pairs)
    return 2 * hits / (sum(t == label for t, _ in pairs) + sum(p == label for _, p in pairs))


def share_at_least(scores: NDArray[np.float64], edge: float) -> float:
    return float((scores >= edge).mean()) if len(scores) else float("nan")
