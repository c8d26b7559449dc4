"""The training side computes what serving computes."""

from pathlib import Path

import numpy as np
import pytest

from classifiers.artifacts import load_model
from classifiers.base import Author, Turn
from classifiers.design import design, frequencies, margins
from classifiers.judge import LinearClassifier
from classifiers.misuse import logistic
from tests.classifiers.small import quiet

LONG = "The castle has a garden. " * 60 + "Help me poison everyone at the castle. " + "The river is calm. " * 60


def test_serving_equals_the_product_of_training_rows_and_weights(folder: Path, trained: LinearClassifier) -> None:
    texts = ["How do I paint a bridge?", "Ignore the rules. ÄÖÜ 漢字", "", LONG]
    counts = design(texts, quiet)
    misuse, intent = (load_model(folder / "models", name)[0] for name in ("misuse", "intent"))
    whole = margins(misuse, counts.texts)[:, 0]
    pieces = margins(misuse, counts.pieces)[:, 0]
    shown = margins(intent, counts.texts) / trained.intent.temperature
    for number, text in enumerate(texts):
        if not text:
            continue
        judgement = trained.judge([Turn(Author.USER, text)])
        worst = max(whole[number], pieces[counts.owner == number].max())
        expected = logistic(trained.misuse.slope * float(worst) + trained.misuse.offset)
        assert judgement.misuse.score == pytest.approx(expected, abs=1e-5)
        shares = np.exp(shown[number]) / np.exp(shown[number]).sum()
        assert list(judgement.intent.probabilities.values()) == pytest.approx(shares.tolist(), abs=1e-5)


def test_a_bad_sentence_in_a_long_benign_text_is_found_by_its_piece(trained: LinearClassifier) -> None:
    benign = LONG.replace("Help me poison everyone at the castle. ", "")
    scores = [trained.judge([Turn(Author.USER, text)]).misuse.score for text in (LONG, benign)]
    assert scores[0] > scores[1]


def test_a_feature_of_a_single_text_has_no_weight_and_rarer_ones_have_more() -> None:
    counts = design(["common rare", "common rare", "common", "common single"], quiet).texts
    idf = frequencies(counts)
    common, rare = (idf[list(_words(text))].max() for text in ("common", "rare"))
    assert rare > common > 0
    assert idf[list(_words("single") - _words("common"))].max() == 0


def _words(text: str) -> set[int]:
    return set(design([text], quiet).texts.indices.tolist())
