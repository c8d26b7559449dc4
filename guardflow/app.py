"""The composition root: the only file that names concrete classes, mounts the planes and says in which order a
worker's parts start and stop."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Protocol

from aiohttp import web
from pydantic import SecretStr

from admin.app import add_routes, make_admin_app
from admin.cors import install_cors
from admin.deps import AdminDeps
from admin.login.sessions import JwtSettings
from classifiers.artifacts import load_default
from classifiers.labels import INTENTS
from gateway.breaker import Breakers
from gateway.budgets.postgres import BudgetAlerts
from gateway.cache.memory import MemoryCache
from gateway.cache.near import NearCache
from gateway.cache.redis import RedisCache
from gateway.db import connect_pool
from gateway.downstream import Downstream
from gateway.exchange import Exchange, Inbound, Json, Principal
from gateway.health import Health
from gateway.ledger.postgres import PostgresLedger
from gateway.lifecycle import serve
from gateway.logsink.base import LogRow
from gateway.logsink.postgres import PostgresRows
from gateway.logsink.spool import Spool
from gateway.logsink.spooled import SpooledLogSink
from gateway.metrics import Metrics, MetricsFiles
from gateway.phases.authenticate import authenticate
from gateway.quota.failover import FailoverQuotaStore
from gateway.quota.memory import MemoryQuotaStore
from gateway.quota.redis import RedisQuotaStore
from gateway.recovery import what_is_left
from gateway.retention.postgres import Retention
from gateway.services import Routing, Services
from gateway.tokens.cached import CachedTokenStore
from gateway.tokens.postgres import PostgresTokenStore, PrincipalPush, TokenUse
from gateway.wire.http import HttpEdge
from gateway.wire.redis import RedisPipe
from guardflow.configuration import configured
from guardflow.discovery import discover
from guardflow.ops import add_health, add_metrics, end_connection, json_errors, sign
from guardflow.routing import Connections, make_routing
from guardflow.settings import Settings, process_environ

logger = logging.getLogger("guardflow.app")


class _Part(Protocol):
    async def start(self) -> None: ...

    async def close(self) -> None: ...


class Gateway:
    """One worker's parts, wired. `start` brings them up in order, `close` takes them down in the reverse."""

    def __init__(self, settings: Settings, reload_others: Callable[[], None] = lambda: None) -> None:
        """`reload_others` has the other workers take up a changed configuration."""
        self.settings = settings
        self._reload_others = reload_others
        self.config = configured(settings, process_environ())
        self.health = Health()
        self.metrics = Metrics()
        self.metrics_files = MetricsFiles(settings.data_dir / "metrics", settings.worker_index, self.metrics)
        self._connections = Connections()
        self._known: dict[str, tuple[str, ...]] = {}
        self._stops: list[Callable[[], Awaitable[None]]] = []

    async def start(self) -> None:
        url = _shown(self.settings.database_url)
        self.metrics_files.resume()
        self.pool = await connect_pool(url)
        self._stops.append(self.pool.close)
        self._token_store = PostgresTokenStore(self.pool, self.config.limits.limits())
        self.tokens = CachedTokenStore(self._token_store)
        self.quotas = await self._start_quotas(PostgresLedger(self.pool))
        self.cache = await self._start_cache()
        spool = Spool(self.settings.data_dir / "spool")
        self.log = SpooledLogSink(spool, PostgresRows(url), on_recovered=self._recover)
        await self._started(
            self.log,
            PrincipalPush(url, on_change=self.tokens.invalidate, on_connected=self.tokens.set_pushed),
            Retention(self.pool, self.settings.retention_days),
            BudgetAlerts(self.pool, lambda: self.config.limits.limits(), self.metrics.budget_alert),
        )
        self._token_use = TokenUse(self.pool)
        await self._started(self._token_use)
        self._stops.append(self._connections.close)
        self.classifier = load_default()
        self.services = self._services()
        self.health.parts = {
            "postgres": lambda: not self._postgres_is_away(),
            "redis": lambda: not self._redis_is_away(),
            "push": lambda: self.tokens.is_pushed,
        }

    async def close(self) -> None:
        for stop in reversed(self._stops):
            await stop()
        self.metrics_files.save()

    @property
    def in_flight(self) -> int:
        return self.edge.in_flight

    async def discover(self) -> None:
        """Learn the providers' models, where clients may name them freely."""
        if not self.config.models:
            self._known = await discover(self.config.providers, self._known)
            self.services.routing = self._routing()

    async def reload(self) -> None:
        """Take up the changed configuration file. Raises ConfigError and leaves everything as it was."""
        self.config = configured(self.settings, process_environ())
        self._token_store.set_defaults(self.config.limits.limits())
        self.tokens.invalidate()
        self.services.routing = self._routing()
        await self.discover()
        logger.info("the configuration was read again")

    async def _reload_everywhere(self) -> None:
        """What is wrong with the file comes out here, where somebody hears of it."""
        await self.reload()
        self._reload_others()

    def refresh(self) -> None:
        """Bring the gauges up to date, and let the other workers see this one's numbers."""
        counts = self.log.counts
        self.metrics.gauges |= {
            "in_flight": self.in_flight,
            "spool_rows": counts.depth,
            "log_rows_accepted": counts.accepted,
            "log_rows_written": counts.written,
            "log_rows_dropped": counts.dropped,
            "pending_settles": self.quotas.pending_settles if isinstance(self.quotas, FailoverQuotaStore) else 0,
            "upstream_connections": self._connections.open,
            "degraded_redis": self._redis_is_away(),
            "degraded_postgres": self._postgres_is_away(),
            "degraded_push": not self.tokens.is_pushed,
            "ejected_targets": len(self.services.breakers.open_keys()),
        }
        self.metrics_files.save()

    def make_edge(self, elsewhere: Callable[[], asyncio.Protocol]) -> HttpEdge:
        """The data plane's listener. `elsewhere` makes the protocols for whatever is not for the data plane."""
        self.edge = HttpEdge(self._serve, elsewhere, lambda: self.config.defaults.max_body_bytes)
        return self.edge

    def main_app(self) -> web.Application:
        """Everything on the main port but the data plane; the admin app too, unless it has a port of its own."""
        app = web.Application(middlewares=[json_errors])
        app.on_response_prepare.extend((sign, end_connection))
        deps = self._admin_deps()
        add_health(app, self.health)
        if self.settings.metrics_port is None:
            add_metrics(app, self.metrics_files, self.refresh)
        add_routes(app, deps)
        install_cors(app, self.settings.cors_origins)
        if self.settings.admin_port is None:
            app.add_subapp("/api/v1/admin", make_admin_app(deps))
        return app

    def admin_app(self) -> web.Application:
        app = web.Application(middlewares=[json_errors])
        app.on_response_prepare.append(sign)
        deps = self._admin_deps()
        add_routes(app, deps)
        install_cors(app, self.settings.cors_origins)
        app.add_subapp("/api/v1/admin", make_admin_app(deps))
        return app

    def metrics_app(self) -> web.Application:
        app = web.Application()
        add_metrics(app, self.metrics_files, self.refresh)
        return app

    async def _started(self, *parts: _Part) -> None:
        for part in parts:
            await part.start()
            self._stops.append(part.close)

    async def _start_quotas(self, ledger: PostgresLedger) -> FailoverQuotaStore | MemoryQuotaStore:
        url = _shown(self.settings.redis_url)
        if url.startswith("memory://"):
            return MemoryQuotaStore(ledger)
        pipe = RedisPipe(url)
        redis = RedisQuotaStore(pipe, ledger)
        store = FailoverQuotaStore(redis, self.settings.workers, ledger)
        await self._started(pipe, store)
        return store

    async def _start_cache(self) -> NearCache | MemoryCache:
        def most_bytes() -> int:
            return self.config.cache.max_total_bytes // self.settings.workers

        url = _shown(self.settings.redis_url)
        if url.startswith("memory://"):
            return MemoryCache(most_bytes)
        cache = RedisCache(RedisPipe(url), most_bytes)
        await self._started(cache)
        return NearCache(cache, most_bytes)

    def _services(self) -> Services:
        return Services(
            tokens=self.tokens,
            classifier=self.classifier,
            quotas=self.quotas,
            log=self.log,
            metrics=self.metrics,
            routing=self._routing(),
            breakers=Breakers(time.monotonic),
            cache=self.cache,
        )

    def _routing(self) -> Routing:
        thresholds = {"flag": self.classifier.misuse.flag, "block": self.classifier.misuse.block}
        connections = self._connections.update(self.config.providers)
        return make_routing(self.config, self._known, connections, thresholds)

    async def _serve(self, inbound: Inbound, down: Downstream) -> Exchange:
        exchange = await serve(inbound, down, self.services)
        if exchange.principal is not None:
            self._token_use.note(exchange.principal.token_id)
        return exchange

    async def _authenticate(self, headers: Mapping[str, str]) -> Principal:
        return await authenticate(headers, self.tokens, datetime.now(UTC))

    def _admin_deps(self) -> AdminDeps:
        settings = self.settings
        return AdminDeps(
            pool=self.pool,
            jwt=JwtSettings(
                secret=_shown(settings.jwt_secret_key),
                algorithm=settings.jwt_algorithm,
                lifetime_s=settings.access_token_expire_minutes * 60,
                refresh_lifetime_s=settings.refresh_token_expire_days * 86_400,
            ),
            authenticate=self._authenticate,
            quota=self.quotas,
            intents=frozenset(INTENTS),
            version=version("guardflow"),
            default_limits=lambda: self.config.limits.limits(),
            password_min_length=12 if settings.environment == "production" else 6,
            providers_view=self._providers_view,
            policies_view=lambda: self.config.policies.model_dump(),
            settings_view=self._settings_view,
            reload_config=self._reload_everywhere,
        )

    def _providers_view(self) -> Json:
        return {
            name: {"type": p.type, "base_url": p.url, "has_key": any(p.keys), "models": self._known.get(name, ())}
            for name, p in self.config.providers.items()
        }

    def _settings_view(self) -> Json:
        return {
            name: ("***" if value else None) if isinstance(value, SecretStr) else value
            for name, value in self.settings.model_dump(mode="python").items()
        }

    def _redis_is_away(self) -> bool:
        return isinstance(self.quotas, FailoverQuotaStore) and self.quotas.degraded

    def _postgres_is_away(self) -> bool:
        return self.tokens.is_down or self.log.trouble is not None

    def _recover(self, rows: list[LogRow]) -> None:
        """A worker died: what it had charged may be missing in the counters, but never in the log."""
        for left in what_is_left(rows, datetime.now(UTC)):
            self.quotas.recover(left)


def _shown(secret: SecretStr | None) -> str:
    """The value of a setting that the supervisor has filled in."""
    return secret.get_secret_value() if secret is not None else ""
