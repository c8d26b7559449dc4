"""Functions and files are short."""

import pytest

from tests.house.shape import FILE_MAX, FUNCTION_MAX, FUNCTION_P90_MAX, file_lengths, function_lengths, p90
from tests.house.tree import PACKAGES


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_short(package: str) -> None:
    lengths = function_lengths(package)
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_MAX} == {}
    assert p90(list(lengths.values())) <= FUNCTION_P90_MAX


def test_files_are_short() -> None:
    assert {name: lines for name, lines in file_lengths().items() if lines > FILE_MAX} == {}
