"""Folds that hold out whole sources: a random split of this kind of data is some twenty points too optimistic."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def folds(sources: Sequence[str], count: int = 5) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows to fit on and rows to score, whole families of sources held out in turn.

    A family is what the names before the first `-`, `_` or `(` share. Sources named `guardflow-*` were written, not
    met: they are never scored, and not fitted on while a source named in their brackets is held out. With fewer
    families than folds rows are dealt out in turn instead.
    """
    names = np.array(sources)
    known = sorted(set(sources))
    families = sorted({_family(name) for name in known if not _written(name)})
    if len(families) < count:
        turn = np.arange(len(names)) % count
        yield from ((np.flatnonzero(turn != k), np.flatnonzero(turn == k)) for k in range(count))
        return
    size = {family: sum(_family(name) == family for name in sources) for family in families}
    groups: list[set[str]] = [set() for _ in range(count)]
    for family in sorted(families, key=lambda f: (-size[f], f)):
        min(groups, key=lambda group: sum(size[f] for f in group)).add(family)
    for group in groups:
        held = {name for name in known if not _written(name) and _family(name) in group}
        unfit = held | {name for name in known if _written(name) and any(h in name for h in held)}
        yield np.flatnonzero(~np.isin(names, list(unfit))), np.flatnonzero(np.isin(names, list(held)))


def _family(source: str) -> str:
    return source.replace("_", "-").replace("(", "-").split("-")[0]


def _written(source: str) -> bool:
    return source.startswith("guardflow-")
