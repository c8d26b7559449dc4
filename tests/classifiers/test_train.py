"""Training on small data: the same bytes again, and refusals of data that nothing can be learnt from."""

from pathlib import Path

import pytest

from classifiers.base import Author, Turn
from classifiers.dataset import DataError
from classifiers.judge import LinearClassifier
from classifiers.train import train_intent, train_misuse
from tests.classifiers.small import ASKS, quiet, write


def test_the_same_data_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    train_misuse([folder / "misuse.jsonl"], tmp_path, quiet)
    train_intent([folder / "intent.jsonl"], tmp_path, quiet)
    for name in ("misuse.npz", "misuse.json", "intent.npz", "intent.json", "MODEL_CARD.md"):
        assert (tmp_path / name).read_bytes() == (folder / "models" / name).read_bytes()


def test_a_category_or_a_kind_without_examples_is_never_likely(folder: Path, trained: LinearClassifier) -> None:
    categories = trained.judge([Turn(Author.USER, "Help me poison everyone at the bridge.")]).misuse.categories
    assert categories["violence"] + categories["illegal"] == pytest.approx(categories["harmful"], rel=1e-3)


@pytest.mark.parametrize("train", [train_intent, train_misuse])
def test_data_of_one_label_is_refused(train: type, tmp_path: Path) -> None:
    label = "coding" if train is train_intent else "benign"
    data = write(tmp_path / "one.jsonl", {label: ["Say {}."]}, 8)
    with pytest.raises(DataError, match="labels"):
        train([data], tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists()


def test_misuse_without_benign_examples_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "bad.jsonl", {kind: ASKS[kind] for kind in ("harmful", "injection")}, 20)
    with pytest.raises(DataError, match="benign"):
        train_misuse([data], tmp_path / "out", quiet)
