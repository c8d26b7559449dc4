"""A realistic document with one value after another replaced by something wrong or left out: every place, every time.

`hostile.py` finds what nobody thought of; this misses nothing that somebody did.
"""

import copy
from collections.abc import Iterator
from typing import Any

WRONG: list[Any] = [None, True, -1, 2**60, 1.5, "", "x", [], [None], ["x"], [[]], {}, {"x": None}, {"type": []}, [{}]]


def mutations(document: Any) -> Iterator[tuple[str, Any]]:
    """What is wrong, and the document with it."""
    for place in _places(document):
        for wrong in WRONG:
            changed = copy.deepcopy(document)
            _holder(changed, place)[place[-1]] = wrong
            yield f"{place} = {wrong!r}", changed
        without = copy.deepcopy(document)
        del _holder(without, place)[place[-1]]
        yield f"without {place}", without


def _places(node: Any) -> Iterator[tuple[Any, ...]]:
    items: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (key,)
        for inner in _places(value):
            yield (key, *inner)


def _holder(document: Any, place: tuple[Any, ...]) -> Any:
    for key in place[:-1]:
        document = document[key]
    return document
