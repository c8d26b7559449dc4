"""From margins to probabilities and thresholds, learnt on texts of sources the model had not seen."""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
_STEPS = 60


def platt(margins: Doubles, positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of the logistic curve that fits best (Newton's method on the log loss)."""
    x = np.column_stack((margins, np.ones_like(margins)))
    count = int(positive.sum())
    target = np.where(positive, (count + 1) / (count + 2), 1 / (len(positive) - count + 2))
    theta = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ theta, -30, 30)))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, x.T @ (p - target))
        theta -= np.clip(step, -1, 1)
    return max(float(theta[0]), 1e-3), float(theta[1])


def temperature(margins: Doubles, truth: NDArray[np.intp]) -> float:
    """The divisor of the margins under which the softmax loses least."""
    candidates = np.geomspace(0.1, 10, 81)
    return float(min(candidates, key=lambda t: _cross_entropy(margins / t, truth)))


def _cross_entropy(margins: Doubles, truth: NDArray[np.intp]) -> float:
    shifted = margins - margins.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -float(logs[np.arange(len(truth)), truth].mean())


def threshold(benign: Doubles, rate: float) -> float:
    """The score that a share `rate` of the benign scores reaches."""
    return float(np.quantile(benign, 1 - rate))


def shares(margins: Doubles) -> Doubles:
    """The softmax of each row."""
    powers = np.exp(margins - margins.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
