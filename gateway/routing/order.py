"""In which order a route's targets are tried: the first is the choice, the others stand in for it. Pure.

Every strategy begins with a draw by weight, so that whatever it finds equal stays evenly spread; a weight of 0 is
never the choice while there is another. Ask only for what is chosen: the log row tells the reason in a word or two.
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf
from typing import NamedTuple

from gateway.config import Strategy
from gateway.exchange import ModelCall, Target
from gateway.prices import most_micros
from gateway.routing.chance import Chance, conversation_of, mixed, seed_of
from gateway.routing.load import Load
from gateway.routing.types import Canary, Option, Terms


class Asked(NamedTuple):
    """What of a call decides: whose it is, what it is for, and what it may cost in tokens."""

    call: ModelCall
    user_id: int
    intent: str | None
    task: str | None
    output_tokens: int


def in_order(name: str, terms: Terms, asked: Asked, load: Load, rng: random.Random) -> tuple[list[Option], str]:
    """The options that fit the call, best first, and why: empty where there was nothing to choose."""
    general, special, strategy, sticky, canary = terms
    if not special and canary is None and len(general) == 1:
        return [general[0]], ""
    chance: Chance = _sticky_chance(asked.call) if sticky else lambda _: rng.random()
    reason = f"{strategy}+sticky" if sticky else strategy
    order = ordered(general, strategy, chance, load, asked)
    if special:
        fitting = [one for one in special if one.when is not None and one.when.fits(asked.intent, asked.task)]
        if fitting:
            first = ordered(fitting, strategy, chance, load, asked)
            when = first[0].when
            order, reason = first + order, f"{when.what}+{reason}" if when is not None else reason
    if canary is not None and is_in_canary(name, canary, asked):
        return [canary.option, *order], "canary"
    return order, reason


def ordered(options: Sequence[Option], strategy: Strategy, chance: Chance, load: Load, asked: Asked) -> list[Option]:
    drawn = by_weight(options, chance)
    if len(drawn) > 1 and strategy != "weighted":
        return _STRATEGIES[strategy](drawn, load, asked)
    return drawn


def by_weight(options: Sequence[Option], chance: Chance) -> list[Option]:
    """A draw without putting back (Efraimidis and Spirakis: sort by u^(1/w))."""
    if len(options) == 1:
        return list(options)
    keyed = [(chance(one.seed) ** (1 / one.weight) if one.weight else -1.0, -i) for i, one in enumerate(options)]
    keyed.sort(reverse=True)
    return [options[-i] for _, i in keyed]


def is_in_canary(name: str, canary: Canary, asked: Asked) -> bool:
    """Always the same for the same caller, and another for each name; a greater share only adds callers."""
    who = conversation_of(asked.call) if canary.by_conversation else asked.user_id
    return mixed(who, seed_of(name)) < canary.share


def _sticky_chance(call: ModelCall) -> Chance:
    conversation = conversation_of(call)
    return lambda seed: mixed(conversation, seed)


def _by_priority(drawn: list[Option], load: Load, asked: Asked) -> list[Option]:
    """The lowest number first."""
    return sorted(drawn, key=lambda one: (not one.weight, one.priority))


def _by_in_flight(drawn: list[Option], load: Load, asked: Asked) -> list[Option]:
    """The fewest calls under way, for its weight."""
    return sorted(drawn, key=lambda one: (load.in_flight(one.key) + 1) / one.weight if one.weight else inf)


def _by_latency(drawn: list[Option], load: Load, asked: Asked) -> list[Option]:
    """The less loaded of two that were drawn (the power of two choices): the very best of all would have every worker's
    next call at once. The others follow by load."""
    cost = load.cost
    first, second = drawn[0], drawn[1]
    if second.weight and cost(second.key) < cost(first.key):
        first, second = second, first
    rest = [one for one in drawn if one is not first]
    if len(rest) > 1:
        rest.sort(key=lambda one: (not one.weight, cost(one.key)))
    return [first, *rest]


def _by_price(drawn: list[Option], load: Load, asked: Asked) -> list[Option]:
    """The lowest price of this call, at its estimated input and its most output. An unknown price comes last."""
    prompt, output = asked.call.input_tokens_estimate, asked.output_tokens
    return sorted(drawn, key=lambda one: (not one.weight, _price(one.target, prompt, output)))


def _price(target: Target, prompt: int, output: int) -> float:
    micros = most_micros(target.prices, prompt, output, datetime.now(UTC))
    return inf if micros is None else micros


_STRATEGIES: dict[Strategy, Callable[[list[Option], Load, Asked], list[Option]]] = {
    "priority": _by_priority,
    "least_in_flight": _by_in_flight,
    "latency": _by_latency,
    "cheapest": _by_price,
}
