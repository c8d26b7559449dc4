"""From configuration to connections: which class speaks to which provider. A reload keeps the connections that did not
change and lets the others finish what they carry."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.catalog import Catalog
from gateway.config import Config, ProviderConfig
from gateway.policy import make_policy
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.azure import AzureOpenAIProvider
from gateway.providers.base import Provider, Upstream
from gateway.providers.bedrock import BedrockProvider
from gateway.providers.compatible import CompatibleProvider
from gateway.providers.echo import EchoProvider, EchoUpstream
from gateway.providers.gemini import GeminiProvider
from gateway.providers.google_auth import GoogleTokens
from gateway.providers.ollama import OllamaProvider
from gateway.providers.openai import OpenAIProvider
from gateway.providers.presets import PRESETS
from gateway.providers.sigv4 import AwsCredentials, Signer
from gateway.providers.vertex import AuthorizedUpstream, VertexProvider, post
from gateway.routing.bulkhead import Bulkhead
from gateway.routing.keys import KeyRing
from gateway.services import Connection, Routing
from gateway.wire.request import RequestWriter
from gateway.wire.upstream import UpstreamPool
from guardflow.key_files import read_key_file


class Connections:
    """The providers' connections, by name."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[ProviderConfig, Connection]] = {}

    def update(self, providers: Mapping[str, ProviderConfig]) -> dict[str, Connection]:
        """Connections for just these providers; what is no longer wanted is retired. Raises ConfigError, and then
        nothing has changed."""
        before, made = self._made, {}
        for name, config in providers.items():
            kept = before.get(name)
            made[name] = kept if kept is not None and kept[0] == config else (config, _connect(config))
        self._made = made
        for name, old in before.items():
            if made.get(name) is not old and (pool := _pool(old[1].upstream)) is not None:
                pool.retire()
        return {name: connection for name, (_, connection) in self._made.items()}

    @property
    def open(self) -> int:
        """Upstream connections, in use and idle."""
        pools = [_pool(connection.upstream) for _, connection in self._made.values()]
        return sum(pool.active + pool.idle for pool in pools if pool is not None)

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
        learns_load=any(m.strategy in ("latency", "least_in_flight") or m.hedge for m in config.models.values()),
    )


def _connect(config: ProviderConfig) -> Connection:
    if config.type == "echo":
        return Connection(EchoProvider(), EchoUpstream(), None, Bulkhead(config.max_concurrent))
    pool = UpstreamPool(config.url, connect_timeout_s=config.connect_timeout_s)
    bulkhead = Bulkhead(config.max_concurrent)
    if config.type == "vertex":
        return _vertex(config, pool, bulkhead)
    providers = [_provider(config, key) for key in config.keys]
    return Connection(providers[0], pool, KeyRing(providers) if len(providers) > 1 else None, bulkhead)


def _provider(config: ProviderConfig, key: str) -> Provider:
    match config.type:
        case "openai":
            return OpenAIProvider(key)
        case "anthropic":
            return AnthropicProvider(key)
        case "gemini":
            return GeminiProvider(key)
        case "ollama":
            return OllamaProvider(key)
        case "azure":
            return AzureOpenAIProvider(key, config.api_version)
        case "bedrock":
            credentials = AwsCredentials(config.access_key, config.secret_key, config.session_token or None)
            signer, prefix = Signer(credentials, config.region), urlsplit(config.url).path
            return BedrockProvider(signer, RequestWriter(config.url).origin, prefix)
    return CompatibleProvider(key, PRESETS[config.type])


def _vertex(config: ProviderConfig, pool: UpstreamPool, bulkhead: Bulkhead) -> Connection:
    assert config.key_file is not None, "checked with the configuration"
    account = read_key_file(config.key_file)
    upstream = AuthorizedUpstream(pool, GoogleTokens(account, post))
    return Connection(VertexProvider(account.project, config.region), upstream, None, bulkhead)


def _pool(upstream: Upstream) -> UpstreamPool | None:
    """The sockets below `upstream`, where it has any."""
    inner = upstream.inner if isinstance(upstream, AuthorizedUpstream) else upstream
    return inner if isinstance(inner, UpstreamPool) else None
