"""What a classifier is given and what it answers. No HTTP, no database, no gateway.

Values are named tuples here and on the whole request's way: frozen, and made at a fifth of a frozen dataclass's cost.
The labels are the vocabulary of policies, logs and analytics: a new model may add none without a migration of those.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Protocol


class Author(StrEnum):
    """Who wrote a text: the less they are trusted, the more their words weigh in the misuse score."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Turn(NamedTuple):
    """One text of a call, with its author, in the order of the conversation."""

    author: Author
    text: str


class Intent(NamedTuple):
    """What the latest user turn wants. `confidence` and `probabilities` are in [0, 1]; the latter sum to 1."""

    label: str
    confidence: float
    probabilities: Mapping[str, float] = MappingProxyType({})


class Misuse(NamedTuple):
    """`score` is the probability in [0, 1] that any untrusted turn is misuse; `label` the likeliest kind
    (`benign`, `harmful`, `jailbreak`, `injection`); `categories` a probability for each kind but benign."""

    score: float
    label: str
    categories: Mapping[str, float] = MappingProxyType({})


class Judgement(NamedTuple):
    intent: Intent
    misuse: Misuse


class Classifier(Protocol):
    """Judges one call.

    `judge` MUST be synchronous, MUST bound its cost whatever the length of the turns, MUST NOT raise for any text,
    and MUST give the same answer for the same turns. With no user turn the intent is `other` with confidence 0.
    """

    def judge(self, turns: Sequence[Turn]) -> Judgement: ...
