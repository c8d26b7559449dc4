"""Gemini's spellings: its API takes field names in camel case and in snake case, and its SDKs mix the two; bytes may be
base64 with either alphabet."""

import re

from gateway.dialects.fields import Fields

_SNAKE = re.compile(r"(?<=[a-zA-Z0-9])_([a-z0-9])")
_URL_SAFE = str.maketrans("-_", "+/")


def camel(given: Fields) -> Fields:
    """The object with its own names in camel case. What lies deeper may be arguments: not ours to rename."""
    return given.renamed(_camel) if any("_" in name for name in given.node) else given


def _camel(name: str) -> str:
    return _SNAKE.sub(lambda found: found[1].upper(), name)


def standard_base64(data: str) -> str:
    data = data.rstrip("=").translate(_URL_SAFE)
    return data + "=" * (-len(data) % 4)
