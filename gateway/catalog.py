"""Which model lives where: an immutable snapshot of the configuration, swapped whole.

With `models:` in the file only those names are served. Without, every provider's models pass by name: as
`provider/model`, or bare where just one provider can be meant.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.config import Config, ModelConfig
from gateway.exchange import Target
from gateway.prices import Prices, PriceTable, make_prices

DEFAULT_MAX_OUTPUT_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class Route:
    """Where a name leads. `targets` carry their weights; `fallbacks` are names tried after all of them. `prices` are
    the different ones of its targets: what a call may cost is reserved before it is known where it goes."""

    name: str
    targets: tuple[tuple[Target, float], ...]
    fallbacks: tuple[str, ...] = ()
    max_output_tokens: int = DEFAULT_MAX_OUTPUT_TOKENS
    prices: tuple[Prices, ...] = ()

    def in_order(self, rng: random.Random) -> list[Target]:
        """The targets in a random order by weight: the first is the choice, the others stand in for it. A weight of 0
        is never the choice. (Efraimidis and Spirakis: sort by u^(1/w).)"""
        if len(self.targets) == 1:
            return [self.targets[0][0]]
        keyed = [(rng.random() ** (1 / weight) if weight else -1.0, target) for target, weight in self.targets]
        return [target for _, target in sorted(keyed, key=lambda pair: pair[0], reverse=True)]


class Catalog:
    """`known` are the models each provider says it has, where it has been asked."""

    def __init__(self, config: Config, known: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._providers = config.providers
        self._known = known or {}
        self._prices = PriceTable(config.prices)
        self._routes = {name: _route(name, model, self._prices) for name, model in config.models.items()}

    def find(self, name: str) -> Route | None:
        if self._routes:
            return self._routes.get(name)
        provider, _, model = name.partition("/")
        if model and provider in self._providers:
            return self._pass_through(name, provider, model)
        owners = [p for p, models in self._known.items() if name in models]
        if len(owners) != 1:
            owners = list(self._providers)
        return self._pass_through(name, owners[0], name) if len(owners) == 1 else None

    def names(self) -> Iterator[tuple[str, str]]:
        """(name, owner) of every model that can be listed."""
        for name, route in self._routes.items():
            yield name, route.targets[0][0].provider
        if not self._routes:
            several = len(self._providers) > 1
            for provider, models in self._known.items():
                for model in models:
                    yield (f"{provider}/{model}" if several else model), provider

    def _pass_through(self, name: str, provider: str, model: str) -> Route:
        target = _target(provider, model, None, self._prices)
        return Route(name, ((target, 1.0),), prices=(target.prices,))


def _route(name: str, model: ModelConfig, table: PriceTable) -> Route:
    """A model's own price counts before the table's."""
    own = make_prices(model.price) if model.price else None
    targets = tuple((_target(t.provider, t.model, own, table), t.weight) for t in model.targets)
    prices = tuple(dict.fromkeys(target.prices for target, _ in targets))
    return Route(name, targets, model.fallbacks, model.max_output_tokens, prices)


def _target(provider: str, model: str, own: Prices | None, table: PriceTable) -> Target:
    return Target(provider, model, table.find(f"{provider}/{model}") if own is None else own)
