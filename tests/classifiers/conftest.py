"""Two small models, trained once a process."""

from pathlib import Path

import pytest

from classifiers.artifacts import load
from classifiers.judge import LinearClassifier
from classifiers.train import train_intent, train_misuse
from tests.classifiers.small import ASKS, TASKS, quiet, write


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """misuse.jsonl, intent.jsonl, and `models` made of them."""
    path = tmp_path_factory.mktemp("trained")
    write(path / "misuse.jsonl", ASKS, 300)
    write(path / "intent.jsonl", TASKS, 200)
    train_misuse([path / "misuse.jsonl"], path / "models", quiet)
    train_intent([path / "intent.jsonl"], path / "models", quiet)
    return path


@pytest.fixture(scope="session")
def trained(folder: Path) -> LinearClassifier:
    return load(folder / "models")
