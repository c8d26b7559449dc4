"""From configuration to connections: which class speaks to which provider. A reload keeps the connections that did not
change and lets the others finish what they carry."""

from collections.abc import Mapping

from gateway.catalog import Catalog
from gateway.config import Config, ProviderConfig
from gateway.policy import make_policy
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.base import Provider
from gateway.providers.echo import EchoProvider, EchoUpstream
from gateway.providers.openai import OpenAIProvider
from gateway.services import Connection, Routing
from gateway.wire.upstream import UpstreamPool


class Connections:
    """The providers' connections, by name."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[ProviderConfig, Connection]] = {}

    def update(self, providers: Mapping[str, ProviderConfig]) -> dict[str, Connection]:
        """Connections for just these providers; what is no longer wanted is retired."""
        before, self._made = self._made, {}
        for name, config in providers.items():
            kept = before.get(name)
            if kept is not None and kept[0] == config:
                self._made[name] = before.pop(name)
            else:
                self._made[name] = (config, _connect(config))
        for _, connection in before.values():
            if isinstance(connection.upstream, UpstreamPool):
                connection.upstream.retire()
        return {name: connection for name, (_, connection) in self._made.items()}

    @property
    def open(self) -> int:
        """Upstream connections, in use and idle."""
        upstreams = [connection.upstream for _, connection in self._made.values()]
        return sum(u.active + u.idle for u in upstreams if isinstance(u, UpstreamPool))

    async def close(self) -> None:
        for _, connection in self._made.values():
            await connection.upstream.close()


def make_routing(
    config: Config,
    known: Mapping[str, tuple[str, ...]],
    connections: Mapping[str, Connection],
    thresholds: Mapping[str, float],
) -> Routing:
    """`known`: the models that providers list; `thresholds`: what the classifier recommends."""
    return Routing(
        catalog=Catalog(config, known),
        connections=dict(connections),
        policy=make_policy(config.policies, dict(thresholds)),
        defaults=config.defaults,
    )


def _connect(config: ProviderConfig) -> Connection:
    if config.type == "echo":
        return Connection(EchoProvider(), EchoUpstream())
    provider: Provider = (
        AnthropicProvider(config.api_key) if config.type == "anthropic" else OpenAIProvider(config.api_key)
    )
    return Connection(provider, UpstreamPool(config.url, connect_timeout_s=config.connect_timeout_s))
