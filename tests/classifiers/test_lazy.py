"""Shares that are worked out on demand."""

from collections.abc import Mapping

from classifiers.lazy import LazyShares


def test_shares_are_made_once_and_only_when_looked_at() -> None:
    made: list[Mapping[str, float]] = []

    def make() -> Mapping[str, float]:
        made.append({"a": 0.25, "b": 0.75})
        return made[-1]

    shares = LazyShares(make)
    assert made == []
    assert shares["b"] == 0.75
    assert dict(shares) == {"a": 0.25, "b": 0.75}
    assert len(shares) == 2
    assert repr(shares) == "{'a': 0.25, 'b': 0.75}"
    assert len(made) == 1
