"""What a route is made of: its targets, and on what terms each of them is chosen. Made once, when the file is read."""

from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

from gateway.config import ILLNESSES, Strategy, Trouble
from gateway.exchange import Target
from gateway.routing.chance import seed_of

ON_ILLNESS: frozenset[Trouble] = frozenset(ILLNESSES)


class When(NamedTuple):
    """The calls a target is for. None is any; a call without an intent or a task fits only that."""

    intents: frozenset[str] | None = None
    tasks: frozenset[str] | None = None

    def fits(self, intent: str | None, task: str | None) -> bool:
        return (self.intents is None or intent in self.intents) and (self.tasks is None or task in self.tasks)

    @property
    def what(self) -> str:
        return "+".join(name for name, given in (("intent", self.intents), ("task", self.tasks)) if given is not None)


class Plan(NamedTuple):
    """The targets to try, best first. `on` says of each which troubles of an attempt before lead to it; `reason` is a
    flag of the log row, None where there was nothing to choose; `hedged`: a second one may be asked before the first
    has answered."""

    targets: Sequence[Target]
    on: Sequence[frozenset[Trouble]]
    reason: str | None = None
    hedged: bool = False


class Option(NamedTuple):
    """One target of a route. What the target and its weight come to is worked out once: a choice has microseconds.
    `rank` is its priority, and behind all others without a weight."""

    target: Target
    key: str
    seed: int
    weight: float
    inverse_weight: float
    rank: float
    when: When | None


class Canary(NamedTuple):
    """`share` in [0, 1] of the users, or of the conversations, try this target first."""

    option: Option
    share: float
    by_conversation: bool = False


class Shadow(NamedTuple):
    """`share` in [0, 1] of the calls are sent to this target as well, for nobody to see."""

    target: Target
    share: float


class Fallback(NamedTuple):
    """A name whose targets are tried after a route's own, when the trouble is one of `on`."""

    name: str
    on: frozenset[Trouble] = ON_ILLNESS


class Terms(NamedTuple):
    """How a route orders its targets. `special` are those with a condition, `general` are for every call; `even` where
    all weigh the same."""

    general: tuple[Option, ...]
    special: tuple[Option, ...]
    strategy: Strategy
    sticky: bool
    canary: Canary | None
    even: bool


def option(target: Target, weight: float = 1.0, priority: int = 0, when: When | None = None) -> Option:
    inverse, rank = (1 / weight, float(priority)) if weight else (inf, inf)
    return Option(target, target.key, seed_of(target.key), weight, inverse, rank, when)


def make_terms(
    options: Iterable[Option], strategy: Strategy = "weighted", *, sticky: bool = False, canary: Canary | None = None
) -> Terms:
    given = tuple(options)
    general, special = (tuple(one for one in given if (one.when is None) is wanted) for wanted in (True, False))
    return Terms(general, special, strategy, sticky, canary, len({one.weight for one in given}) == 1)
