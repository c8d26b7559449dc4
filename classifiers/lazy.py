"""A mapping that is worked out when somebody first looks at it: most calls are benign, and nobody asks for the rest."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any


class LazyShares(Mapping[str, float]):
    """What `make` returns of `given`, once."""

    __slots__ = ("_given", "_made", "_make")

    def __init__(self, make: Callable[..., Mapping[str, float]], *given: object) -> None:
        self._make = make
        self._given = given
        self._made: Mapping[str, float] | None = None

    def _shares(self) -> Mapping[str, float]:
        if self._made is None:
            self._made = self._make(*self._given)
        return self._made

    def __getitem__(self, name: str) -> float:
        return self._shares()[name]

    def get(self, name: str, default: Any = None, /) -> Any:
        """As of any mapping, without an exception for what is missing."""
        return self._shares().get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shares())

    def __len__(self) -> int:
        return len(self._shares())

    def __repr__(self) -> str:
        return repr(self._shares())
