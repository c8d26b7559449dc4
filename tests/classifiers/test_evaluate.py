"""Evaluation: the numbers of a model that learnt, predictions in order, and nothing where nothing can be said."""

import json
from pathlib import Path

import pytest

from classifiers.evaluate import evaluate_intent, evaluate_misuse
from classifiers.judge import LinearClassifier
from tests.classifiers.small import ASKS, write


def test_the_models_learnt_what_the_data_shows(folder: Path, trained: LinearClassifier) -> None:
    misuse = evaluate_misuse([folder / "misuse.jsonl"], None, trained)
    intent = evaluate_intent([folder / "intent.jsonl"], None, trained)
    assert misuse["roc_auc"] == pytest.approx(1.0)
    assert intent["accuracy"] == pytest.approx(1.0)


def test_predictions_are_written_in_the_order_of_the_data(
    folder: Path, trained: LinearClassifier, tmp_path: Path
) -> None:
    for evaluate, name in ((evaluate_misuse, "misuse"), (evaluate_intent, "intent")):
        data, out = folder / f"{name}.jsonl", tmp_path / f"{name}.jsonl"
        evaluate([data], out, trained)
        wanted = [json.loads(line)["label"] for line in data.read_text().splitlines()]
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert [row["label"] for row in rows] == wanted
        assert all(set(row) == {"label", "predicted", "score"} and 0 <= row["score"] <= 1 for row in rows)


def test_a_number_that_needs_a_missing_class_is_none(trained: LinearClassifier, tmp_path: Path) -> None:
    only = write(tmp_path / "only.jsonl", {"benign": ASKS["benign"]}, 5)
    numbers = evaluate_misuse([only], None, trained)
    assert numbers["roc_auc"] is None
    assert numbers["fpr_at_flag"] is not None
