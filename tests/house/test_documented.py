"""What is written about the code keeps step with it."""

import ast

from guardflow.reference import pages
from tests.house.tree import ROOT, parsed, sources

OPENING_LINES_MAX = 8
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}


def test_the_printed_pages_are_up_to_date() -> None:
    for path, text in pages().items():
        assert path.read_text("utf-8") == text, f"{path.name} is old: run `make docs`"


def test_every_module_opens_with_what_it_is() -> None:
    wrong = []
    for path in sources():
        opening = ast.get_docstring(parsed(path))
        if (opening is None and (ROOT / path).read_text().strip()) or (opening or "").count("\n") >= OPENING_LINES_MAX:
            wrong.append(str(path))
    assert wrong == []


def test_every_module_is_named_for_a_concept() -> None:
    assert [str(path) for path in sources() if EMPTY_NAMES & {*path.parts, path.stem}] == []


def test_the_repository_names_no_machine_path_and_no_registry() -> None:
    shown = [ROOT / "Makefile", ROOT / "pyproject.toml", *ROOT.glob("requirements*.txt"), *ROOT.glob("docs/**/*.md")]
    wrong = ("--index-url", "--extra-index-url", "--find-links", "/root/", "/home/")
    assert [path.name for path in shown if any(part in path.read_text("utf-8") for part in wrong)] == []
