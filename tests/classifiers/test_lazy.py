"""Shares that are worked out on demand."""

from collections.abc import Mapping

from classifiers.lazy import LazyShares


def test_shares_are_made_once_and_only_when_looked_at() -> None:
    made: list[Mapping[str, float]] = []

    def make(a: float, b: float) -> Mapping[str, float]:
        made.append({"a": a, "b": b})
        return made[-1]

    shares = LazyShares(make, 0.25, 0.75)
    assert made == []
    assert shares["b"] == 0.75
    assert (shares.get("a"), shares.get("c"), shares.get("c", 0.0)) == (0.25, None, 0.0)
    assert dict(shares) == {"a": 0.25, "b": 0.75}
    assert len(shares) == 2
    assert repr(shares) == "{'a': 0.25, 'b': 0.75}"
    assert len(made) == 1
