"""How good the models are on labelled texts: the numbers, and every prediction where asked."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from classifiers import metrics
from classifiers.artifacts import load_default
from classifiers.base import Author, Judgement, Turn
from classifiers.dataset import Example, read
from classifiers.judge import LinearClassifier
from classifiers.labels import BENIGN, INTENTS, KINDS, OTHER


def evaluate_intent(
    files: Sequence[Path], predictions: Path | None, classifier: LinearClassifier | None = None
) -> dict[str, object]:
    """Accuracy and macro-F1 of the likeliest intent; `other` is the share of answers below the floor."""
    examples = read(files, INTENTS)
    judged = [judgement.intent for judgement in _judge(examples, classifier)]
    predicted = [max(intent.probabilities, key=intent.probabilities.__getitem__, default=OTHER) for intent in judged]
    truth = [example.label for example in examples]
    _write(predictions, truth, predicted, [intent.confidence for intent in judged])
    return {
        "examples": len(examples),
        "accuracy": metrics.accuracy(truth, predicted),
        "macro_f1": metrics.macro_f1(truth, predicted),
        "other": sum(intent.label == OTHER for intent in judged) / len(judged),
    }


def evaluate_misuse(
    files: Sequence[Path], predictions: Path | None, classifier: LinearClassifier | None = None
) -> dict[str, object]:
    """Ranking numbers of the score, and what the recommended thresholds do; every label but benign counts as misuse."""
    classifier = classifier or load_default()
    examples = read(files, (BENIGN, *KINDS))
    judged = [judgement.misuse for judgement in _judge(examples, classifier)]
    truth = [example.label for example in examples]
    _write(predictions, truth, [m.label for m in judged], [m.score for m in judged])
    positive = np.array([label != BENIGN for label in truth])
    scores = np.array([misuse.score for misuse in judged])
    numbers: dict[str, object] = {
        "examples": len(examples),
        "roc_auc": metrics.roc_auc(positive, scores),
        "average_precision": metrics.average_precision(positive, scores),
        "tpr_at_1_fpr": metrics.recall_at(positive, scores, 0.01),
        "tpr_at_5_fpr": metrics.recall_at(positive, scores, 0.05),
    }
    for name, edge in (("flag", classifier.misuse.flag), ("block", classifier.misuse.block)):
        numbers[f"tpr_at_{name}"] = metrics.share_at_least(scores[positive], edge)
        numbers[f"fpr_at_{name}"] = metrics.share_at_least(scores[~positive], edge)
    return {name: _finite(value) for name, value in numbers.items()}


def _finite(value: object) -> object:
    """None where a number needs a class that the data lacks: JSON knows no NaN."""
    return None if isinstance(value, float) and np.isnan(value) else value


def _judge(examples: Iterable[Example], classifier: LinearClassifier | None) -> list[Judgement]:
    classifier = classifier or load_default()
    return [classifier.judge([Turn(Author.USER, example.text)]) for example in examples]


def _write(file: Path | None, truth: list[str], predicted: list[str], scores: list[float]) -> None:
    if file is None:
        return
    rows: list[dict[str, Any]] = [
        {"label": t, "predicted": p, "score": s} for t, p, s in zip(truth, predicted, scores, strict=True)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
