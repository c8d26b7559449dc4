"""What a request may use: the seams, never the classes behind them. `Routing` is swapped whole on a reload."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from classifiers.base import Classifier
from gateway.breaker import Breakers
from gateway.cache.base import CacheStore
from gateway.cache.flights import Flights
from gateway.cache.memory import MemoryCache
from gateway.catalog import Catalog
from gateway.config import DefaultsConfig
from gateway.exchange import CONVERSATIONS, Endpoint
from gateway.logsink.base import LogSink
from gateway.metrics import Metrics
from gateway.policy import Policy
from gateway.providers.base import Provider, Upstream
from gateway.quota.base import QuotaStore
from gateway.retry import RetryBudget
from gateway.routing.bulkhead import Bulkhead
from gateway.routing.keys import KeyRing
from gateway.routing.load import Load
from gateway.routing.types import Plan
from gateway.tokens.cached import CachedTokenStore

MIRRORED_AT_ONCE = 32
"""Copies of calls under way to targets on trial, in each worker."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One configured provider: how to speak to it, and the way there. With several keys `keys` holds a provider for
    each, and `provider` is one of them."""

    provider: Provider
    upstream: Upstream
    keys: KeyRing[Provider] | None = None
    bulkhead: Bulkhead = field(default_factory=Bulkhead)

    def serves(self, endpoint: Endpoint) -> bool:
        """Can a call of `endpoint` be put to it, as it is or carried over?"""
        provider = self.provider
        return endpoint in provider.endpoints or (provider.conversations is not None and endpoint in CONVERSATIONS)


@dataclass(frozen=True, slots=True)
class Routing:
    """Everything that `guardflow.yaml` decides about a call."""

    catalog: Catalog
    connections: dict[str, Connection]
    policy: Policy
    defaults: DefaultsConfig
    learns_load: bool = True
    """Does anything choose by what targets carry, or how long they take? Else nobody need remember it."""
    plain: dict[tuple[str, Endpoint], Plan] = field(default_factory=dict)
    """The plans of routes that leave nothing to choose."""


@dataclass(slots=True)
class Services:
    tokens: CachedTokenStore
    classifier: Classifier
    quotas: QuotaStore
    log: LogSink
    metrics: Metrics
    routing: Routing
    breakers: Breakers
    load: Load = field(default_factory=Load)
    mirrored: Bulkhead = field(default_factory=lambda: Bulkhead(MIRRORED_AT_ONCE))
    cache: CacheStore = field(default_factory=MemoryCache)
    flights: Flights = field(default_factory=Flights)
    retry_budget: RetryBudget = field(default_factory=RetryBudget)
    rng: random.Random = field(default_factory=random.Random)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
