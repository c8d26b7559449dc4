"""JSON as no provider should send it: any at all, and good replies with one place damaged."""

from collections.abc import Iterator
from typing import Any

import orjson
from hypothesis import strategies as st

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
Path = tuple[str | int, ...]


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> Any:
    """`document`, with what stands at one place replaced by anything, or taken out."""
    copy = orjson.loads(orjson.dumps(document))
    path = draw(st.sampled_from(list(_paths(copy))))
    holder = copy
    for step in path[:-1]:
        holder = holder[step]
    if isinstance(holder, dict) and draw(st.booleans()):
        del holder[path[-1]]
    else:
        holder[path[-1]] = draw(ANY_JSON)
    return copy


def _paths(node: Any, at: Path = ()) -> Iterator[Path]:
    steps: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, inner in steps:
        yield (*at, step)
        yield from _paths(inner, (*at, step))
