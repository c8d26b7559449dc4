"""Which model lives where: an immutable snapshot of the configuration, swapped whole.

With `models:` in the file only those names are served. Without, every provider's models pass by name: as
`provider/model`, or bare where just one provider can be meant.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from gateway.cache.rule import CacheConfig
from gateway.config import Config, ModelConfig, UpstreamModelConfig
from gateway.exchange import Target
from gateway.prices import Prices, PriceTable, make_prices
from gateway.routing.types import Canary, Fallback, Option, Shadow, Terms, When, make_terms, option

DEFAULT_MAX_OUTPUT_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class Route:
    """Where a name leads, and on what terms; `fallbacks` are names tried after its own targets. `prices` are the
    different ones of its targets: what a call may cost is reserved before it is known where it goes."""

    name: str
    terms: Terms
    fallbacks: tuple[Fallback, ...] = ()
    max_output_tokens: int = DEFAULT_MAX_OUTPUT_TOKENS
    prices: tuple[Prices, ...] = ()
    cache: CacheConfig | None = None
    admits_unpriced: bool = True
    hedge: bool = False
    shadow: Shadow | None = None
    is_plain: bool = False
    """One target and nothing to weigh, as most names have it: then what is chosen is always the same."""

    @property
    def owner(self) -> str:
        return (self.terms.general or self.terms.special)[0].target.provider


class Catalog:
    """`known` are the models each provider says it has, where it has been asked."""

    def __init__(self, config: Config, known: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._providers = config.providers
        self._known = known or {}
        self._prices = PriceTable(config.prices)
        self._cache = config.cache.if_on
        self._admits_unpriced = config.defaults.unpriced == "admit"
        self._routes = {
            name: replace(
                _route(name, model, self._prices, config.cache.of(model.cache).if_on),
                admits_unpriced=self._admits_unpriced,
            )
            for name, model in config.models.items()
        }

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
            yield name, route.owner
        if not self._routes:
            several = len(self._providers) > 1
            for provider, models in self._known.items():
                for model in models:
                    yield (f"{provider}/{model}" if several else model), provider

    def _pass_through(self, name: str, provider: str, model: str) -> Route:
        target = Target(provider, model, self._prices.find(f"{provider}/{model}"))
        return Route(
            name,
            make_terms((option(target),)),
            prices=(target.prices,),
            cache=self._cache,
            admits_unpriced=self._admits_unpriced,
            is_plain=True,
        )


def _route(name: str, model: ModelConfig, table: PriceTable, cache: CacheConfig | None) -> Route:
    options, canary = _options(model, table), None
    if model.canary:
        target = option(_target(model.canary.target, model, table))
        canary = Canary(target, model.canary.percent / 100, model.canary.by == "conversation")
    prices = [one.target.prices for one in options] + ([canary.option.target.prices] if canary else [])
    return Route(
        name,
        make_terms(options, model.strategy, sticky=model.sticky is not None, canary=canary),
        tuple(Fallback(fallback.model, frozenset(fallback.on)) for fallback in model.fallbacks),
        model.max_output_tokens,
        tuple(dict.fromkeys(prices)),
        cache,
        hedge=model.hedge,
        shadow=Shadow(_target(model.shadow.target, model, table), model.shadow.percent / 100) if model.shadow else None,
        is_plain=len(options) == 1 and options[0].when is None and canary is None and not model.fallbacks,
    )


def _options(model: ModelConfig, table: PriceTable) -> list[Option]:
    """Without a number of its own a target's priority is its place in the file."""
    by_place = all(target.priority is None for target in model.targets)
    return [
        option(
            _target(target, model, table),
            target.weight,
            place if by_place else target.priority or 0,
            When(frozenset(target.when.intents) or None, frozenset(target.when.tasks) or None) if target.when else None,
        )
        for place, target in enumerate(model.targets)
    ]


def _target(config: UpstreamModelConfig, model: ModelConfig, table: PriceTable) -> Target:
    """Its own price counts before that of the name it serves, and this before the table's."""
    price = config.price or model.price
    return Target(
        config.provider, config.model, make_prices(price) if price else table.find(f"{config.provider}/{config.model}")
    )
