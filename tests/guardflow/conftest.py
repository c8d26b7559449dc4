"""What the tests of this package share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder with a short path, below one that nobody else may enter."""
    with tempfile.TemporaryDirectory(prefix="gf-") as folder:
        yield Path(folder) / "data"
