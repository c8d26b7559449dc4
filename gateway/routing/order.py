"""In which order a route's targets are tried: the first is the choice, the others stand in for it. Pure.

Every strategy begins with a draw by weight, so that whatever it finds equal stays evenly spread; a weight of 0 is
never the choice while there is another. Ask only for what is chosen: the log row tells the reason in a word or two.
"""

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from math import inf
from operator import attrgetter
from typing import NamedTuple

from gateway.config import Strategy
from gateway.exchange import ModelCall
from gateway.prices import most_micros
from gateway.routing.chance import conversation_of, drawn, seed_of
from gateway.routing.load import Load
from gateway.routing.types import Canary, Option, Terms

_rank = attrgetter("rank")


class Asked(NamedTuple):
    """What of a call decides: whose it is and when, what it is for, and what it may cost in tokens."""

    call: ModelCall
    at: datetime
    user_id: int
    intent: str | None
    task: str | None
    output_tokens: int


def in_order(name: str, terms: Terms, asked: Asked, load: Load, rng: random.Random) -> tuple[Sequence[Option], str]:
    """The options that fit the call, best first, and why: empty where there was nothing to choose."""
    general, special, strategy, sticky, canary, _ = terms
    if not special and canary is None and len(general) == 1:
        return general, ""
    order = _ordered(general, terms, asked, load, rng)
    reason = f"{strategy}+sticky" if sticky else strategy
    if special:
        fitting = [one for one in special if one.when is not None and one.when.fits(asked.intent, asked.task)]
        if fitting:
            order = [*_ordered(fitting, terms, asked, load, rng), *order]
            when = order[0].when
            reason = f"{when.what}+{reason}" if when is not None else reason
    if canary is not None and is_in_canary(name, canary, asked):
        return [canary.option, *order], "canary"
    return order, reason


def is_in_canary(name: str, canary: Canary, asked: Asked) -> bool:
    """Always the same for the same caller, and another for each name; a greater share only adds callers."""
    who = conversation_of(asked.call) if canary.by_conversation else asked.user_id
    return drawn(who, (seed_of(name),))[0] < canary.share


def _ordered(options: Sequence[Option], terms: Terms, asked: Asked, load: Load, rng: random.Random) -> Sequence[Option]:
    if len(options) == 1:
        return options
    if terms.sticky:
        draws = drawn(conversation_of(asked.call), [one.seed for one in options])
        if not terms.even:
            draws = [draw**one.inverse_weight for draw, one in zip(draws, options, strict=True)]
        found = _by_draw(options, draws)
    elif terms.even:
        found = _two_at_random(options, rng.random)
    else:
        chance = rng.random
        found = _by_draw(options, [chance() ** one.inverse_weight for one in options])
    return found if terms.strategy == "weighted" else _STRATEGIES[terms.strategy](found, load, asked)


def _by_draw(options: Sequence[Option], draws: Sequence[float]) -> list[Option]:
    """The highest number first: with u^(1/w) it is a draw by weight (Efraimidis and Spirakis)."""
    return [options[i] for i in sorted(range(len(options)), key=draws.__getitem__, reverse=True)]


def _two_at_random(options: Sequence[Option], chance: Callable[[], float]) -> list[Option]:
    """The same for even weights, at a third of the cost: a choice and its stand-in at random, the others in a row."""
    most = len(options) - 1
    first = int(chance() * (most + 1))
    found = [*options[first:], *options[:first]]
    second = 1 + int(chance() * most)
    found[1], found[second] = found[second], found[1]
    return found


def _by_priority(found: list[Option], load: Load, asked: Asked) -> list[Option]:
    """The lowest number first."""
    found.sort(key=_rank)
    return found


def _by_in_flight(found: list[Option], load: Load, asked: Asked) -> list[Option]:
    """The fewest calls under way, for its weight."""
    calls = load.calls.get
    found.sort(key=lambda one: (calls(one.key, 0) + 1) * one.inverse_weight)
    return found


def _by_latency(found: list[Option], load: Load, asked: Asked) -> list[Option]:
    """The less loaded of the first two (the power of two choices): the very best of all would have every worker's next
    call at once."""
    first, second = found[0], found[1]
    if second.weight and load.is_less(second.key, first.key):
        found[0], found[1] = second, first
    return found


def _by_price(found: list[Option], load: Load, asked: Asked) -> list[Option]:
    """The lowest price of this call, at its estimated input and its most output. An unknown price comes last."""
    prompt, output, at = asked.call.input_tokens_estimate, asked.output_tokens, asked.at

    def price(one: Option) -> float:
        micros = most_micros(one.target.prices, prompt, output, at) if one.weight else None
        return inf if micros is None else micros

    found.sort(key=price)
    return found


_STRATEGIES: dict[Strategy, Callable[[list[Option], Load, Asked], list[Option]]] = {
    "priority": _by_priority,
    "least_in_flight": _by_in_flight,
    "latency": _by_latency,
    "cheapest": _by_price,
}
