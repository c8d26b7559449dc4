"""Every module has its test file, at the mirrored place; what has none says why."""

from fnmatch import fnmatch
from pathlib import Path

from tests.house.tree import ROOT, sources

WITHOUT = {
    "*/__init__.py": "a docstring",
    "*/__main__.py": "one call",
    "*/base.py": "a seam: its contract suite runs over every implementation",
    "*/memory.py": "an honest fake: the contract suites run over it, and half the tests use it",
    "*/types.py": "nouns: every test of their section uses them",
    "admin/*/store.py": "SQL: tested on a real database, through the section's api.py",
    "admin/deps.py": "types",
    "gateway/downstream.py": "types",
    "gateway/exchange.py": "types",
    "gateway/services.py": "types",
    "guardflow/failure.py": "a type",
}


def test_every_module_has_its_tests() -> None:
    missing = [
        str(path)
        for path in sources()
        if not mirrored(path).exists() and not any(fnmatch(str(path), pattern) for pattern in WITHOUT)
    ]
    assert missing == []


def test_no_exception_is_out_of_date() -> None:
    paths = [str(path) for path in sources()]
    assert [pattern for pattern in WITHOUT if not any(fnmatch(path, pattern) for path in paths)] == []


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").glob("**/test_*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def mirrored(path: Path) -> Path:
    return ROOT / "tests" / path.parent / f"test_{path.name}"
