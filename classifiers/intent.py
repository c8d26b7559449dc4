"""What a text wants: a softmax over fourteen intents, `other` for the unsurest twentieth of held-out texts."""

from dataclasses import dataclass

from classifiers.base import Intent
from classifiers.kernel import unpacked
from classifiers.labels import OTHER
from classifiers.lazy import LazyShares
from classifiers.linear import LinearModel

NO_TEXT = Intent(OTHER, 0.0)


@dataclass(frozen=True, slots=True)
class IntentModel:
    """`temperature` calibrates the probabilities; below `floor` the answer is `other`. Both from held-out sources."""

    model: LinearModel
    temperature: float
    floor: float

    def judge(self, likeliest: int, share: float, shares: bytes) -> Intent:
        """`shares`: of the labels, packed; of them `share`, at `likeliest`, is the greatest."""
        label = self.model.columns[likeliest] if share >= self.floor else OTHER
        return Intent(label, share, LazyShares(self._probabilities, shares))

    def _probabilities(self, shares: bytes) -> dict[str, float]:
        return dict(zip(self.model.columns, unpacked(shares), strict=True))
