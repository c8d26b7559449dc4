"""Labelled texts on disk: JSON lines with `text` and `label`, maybe `category` and `source`. A bad line is named."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


class DataError(ValueError):
    """The data cannot be used as it is; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Example:
    text: str
    label: str
    category: str
    source: str


def read(files: Sequence[Path], labels: Collection[str]) -> list[Example]:
    """All examples of `files`, in order; `labels` are the ones allowed."""
    examples = [example for file in files for example in _read_one(file, labels)]
    if not examples:
        raise DataError(f"no examples in {', '.join(map(str, files)) or 'no file'}")
    return examples


def _read_one(file: Path, labels: Collection[str]) -> Iterator[Example]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _example(line, labels, f"{file}:{number}", file.stem)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error


def _example(line: str, labels: Collection[str], where: str, stem: str) -> Example:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error}") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: not a JSON object")
    for name in ("text", "label"):
        if not isinstance(row.get(name), str):
            raise DataError(f'{where}: "{name}" is missing or not a string')
    if row["label"] not in labels:
        raise DataError(f"{where}: unknown label {row['label']!r}; known: {', '.join(labels)}")
    return Example(row["text"], row["label"], str(row.get("category") or ""), str(row.get("source") or stem))
