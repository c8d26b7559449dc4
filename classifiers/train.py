"""Fits the models: `train_intent` and `train_misuse`, each from JSON lines to an artifact with its honest numbers.

Calibration, thresholds and the numbers come from folds that hold out whole sources; the model that is written is fitted
on everything. No randomness: the same files give the same bytes. The only file that imports scikit-learn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from classifiers import calibration, card, metrics
from classifiers.artifacts import save
from classifiers.dataset import DataError, Example, read
from classifiers.design import Design, design, fold, frequencies, margins, scaled
from classifiers.folds import folds
from classifiers.labels import BENIGN, CATEGORIES, CATEGORY_OF, HARMFUL, INTENTS, KINDS
from classifiers.linear import Floats, LinearModel
from classifiers.misuse import COLUMNS

Progress = Callable[[str], None]

_SEED = 0
_MISUSE_STRENGTH, _LABEL_STRENGTH = 10.0, 0.2
"""Inverse regularisation, chosen on sources left out of training."""
_SHARPNESS = 3.0
"""Makes a margin of a side of the fence (1) odds of twenty to one, for labels without a temperature of their own."""
_NEVER = -20.0
"""The bias of a label without examples."""
_UNSURE = 0.05
"""The share of held-out texts whose intent is too unsure to name."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Margins of texts scored by a model that had not seen their sources: rows of `index`."""

    index: NDArray[np.intp]
    margins: Floats


def train_intent(files: Sequence[Path], out: Path, progress: Progress) -> dict[str, object]:
    """Writes intent.npz, intent.json and the card into `out`; returns the metrics."""
    examples = _distinct(read(files, INTENTS), 2)
    texts = design([example.text for example in examples], progress)
    truth = np.array([INTENTS.index(example.label) for example in examples])
    held = _hold_out(examples, progress, lambda rows: _fit_intent(texts, truth, rows), texts)
    temperature = calibration.temperature(held.margins.astype(np.float64), truth[held.index])
    shares = calibration.shares(held.margins.astype(np.float64) / temperature)
    floor = float(np.quantile(shares.max(axis=1), _UNSURE))
    unsure = shares.max(axis=1) <= floor
    names = [[INTENTS[i] for i in labels] for labels in (truth[held.index], shares.argmax(axis=1))]
    numbers: dict[str, object] = {
        "examples": len(examples),
        "held_out_accuracy": round(metrics.accuracy(*names), 4),
        "held_out_macro_f1": round(metrics.macro_f1(*names), 4),
        "held_out_accuracy_below_floor": round(float((shares.argmax(axis=1) == truth[held.index])[unsure].mean()), 4),
    }
    progress("fitting on everything")
    model = _fit_intent(texts, truth, np.arange(len(examples)))
    save(out, "intent", model, {"temperature": temperature, "floor": floor}, numbers)
    card.write(out)
    return numbers


def train_misuse(files: Sequence[Path], out: Path, progress: Progress) -> dict[str, object]:
    """Writes misuse.npz, misuse.json and the card into `out`; returns the metrics."""
    examples = _distinct(read(files, (BENIGN, *KINDS)), 2)
    texts = design([example.text for example in examples], progress)
    bad = np.array([example.label != BENIGN for example in examples])
    if bad.all() or not bad.any():
        raise DataError("both benign and misuse examples are needed")
    held = _hold_out(examples, progress, lambda rows: _fit_binary(texts, bad, rows), texts)
    worst, truth = held.margins[:, 0].astype(np.float64), bad[held.index]
    slope, offset = calibration.platt(worst, truth)
    scores = 1 / (1 + np.exp(-(slope * worst + offset)))
    flag, block = (calibration.threshold(scores[~truth], rate) for rate in (0.01, 0.001))
    numbers: dict[str, object] = {
        "examples": len(examples),
        "held_out_roc_auc": round(metrics.roc_auc(truth, scores), 4),
        "held_out_average_precision": round(metrics.average_precision(truth, scores), 4),
        "held_out_recall_at_flag": round(float((scores[truth] >= flag).mean()), 4),
        "held_out_recall_at_block": round(float((scores[truth] >= block).mean()), 4),
    }
    progress("fitting on everything")
    model = _fit_misuse(texts, examples, bad)
    settings = {"slope": slope, "offset": offset, "flag": flag, "block": block}
    save(out, "misuse", model, settings, numbers)
    card.write(out)
    return numbers


def _distinct(examples: list[Example], least: int) -> list[Example]:
    if len({example.label for example in examples}) < least:
        raise DataError(f"at least {least} different labels are needed")
    return examples


def _hold_out(
    examples: Sequence[Example], progress: Progress, fit: Callable[[NDArray[np.intp]], LinearModel], texts: Design
) -> HeldOut:
    index, found = [], []
    for number, (seen, unseen) in enumerate(folds([example.source for example in examples]), 1):
        progress(f"held-out sources: fold {number}")
        index.append(unseen)
        found.append(_worst(fit(seen), texts, unseen))
    return HeldOut(np.concatenate(index), np.concatenate(found))


def _worst(model: LinearModel, texts: Design, rows: NDArray[np.intp]) -> Floats:
    """Margins as serving takes them: of the whole text, for a lone column the worst of text and pieces."""
    whole = margins(model, texts.texts[rows])
    if len(model.columns) > 1:
        return whole
    worst = np.full(texts.texts.shape[0], -np.inf, dtype=np.float32)
    np.maximum.at(worst, texts.owner, margins(model, texts.pieces)[:, 0])
    return np.maximum(whole, worst[rows, None])


def _fit_intent(texts: Design, truth: NDArray[np.intp], rows: NDArray[np.intp]) -> LinearModel:
    idf = frequencies(texts.texts[rows])
    weights, bias = _fit_labels(scaled(texts.texts[rows], idf), truth[rows], len(INTENTS))
    return fold(INTENTS, weights, bias, idf)


def _fit_binary(texts: Design, bad: NDArray[np.bool_], rows: NDArray[np.intp]) -> LinearModel:
    idf = frequencies(texts.texts[rows])
    weights, bias = _fit_one(scaled(texts.texts[rows], idf), bad[rows])
    return fold(COLUMNS[:1], weights, bias, idf)


def _fit_misuse(texts: Design, examples: Sequence[Example], bad: NDArray[np.bool_]) -> LinearModel:
    """The binary column on everything, kinds on what is misuse, categories on what is harmful and has one."""
    idf = frequencies(texts.texts)
    matrix = scaled(texts.texts, idf)
    kind = np.array([KINDS.index(e.label) if e.label in KINDS else -1 for e in examples])
    about = np.array([_category(example) for example in examples])
    heads = [
        _fit_one(matrix, bad),
        _fit_labels(matrix[kind >= 0], kind[kind >= 0], len(KINDS)),
        _fit_labels(matrix[about >= 0], about[about >= 0], len(CATEGORIES)),
    ]
    weights, bias = (np.concatenate(parts) for parts in zip(*heads, strict=True))
    return fold(COLUMNS, weights, bias, idf)


def _category(example: Example) -> int:
    name = CATEGORY_OF.get(example.category, example.category)
    return CATEGORIES.index(name) if example.label == HARMFUL and name in CATEGORIES else -1


def _fit_one(matrix: Any, truth: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Weights and bias of yes against no."""
    fitted = LogisticRegression(
        C=_MISUSE_STRENGTH, solver="liblinear", dual=True, tol=1e-2, max_iter=5000, random_state=_SEED
    ).fit(matrix, truth)
    return fitted.coef_.astype(np.float32), fitted.intercept_.astype(np.float32)


def _fit_labels(matrix: Any, truth: NDArray[np.intp], labels: int) -> tuple[Floats, Floats]:
    """Weights and biases of each label against the rest, those without examples included."""
    weights = np.zeros((labels, matrix.shape[1]), dtype=np.float32)
    bias = np.full(labels, _NEVER, dtype=np.float32)
    present = np.unique(truth)
    if len(present) < 2:
        bias[present] = 0
        return weights, bias
    fitted = LinearSVC(C=_LABEL_STRENGTH, tol=1e-3, max_iter=5000, random_state=_SEED).fit(matrix, truth)
    coef, intercept = fitted.coef_, fitted.intercept_
    if len(present) == 2:
        coef, intercept = np.concatenate((-coef, coef)), np.concatenate((-intercept, intercept))
    weights[present], bias[present] = coef * _SHARPNESS, intercept * _SHARPNESS
    return weights, bias
