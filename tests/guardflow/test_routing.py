"""Connections over reloads, with a real server at the other end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.config import Config, ConfigError, ProviderConfig, parse_config
from gateway.exchange import Action, Target
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.azure import AzureOpenAIProvider
from gateway.providers.base import UpstreamReply, UpstreamRequest
from gateway.providers.bedrock import BedrockProvider
from gateway.providers.compatible import CompatibleProvider
from gateway.providers.echo import EchoProvider, EchoUpstream
from gateway.providers.gemini import GeminiProvider
from gateway.providers.ollama import OllamaProvider
from gateway.providers.openai import OpenAIProvider
from gateway.providers.vertex import AuthorizedUpstream, VertexProvider
from gateway.services import Connection
from gateway.wire.upstream import UpstreamPool
from guardflow.routing import Connections, make_routing
from tests.gateway.providers.test_google_auth import key_file as key_file_of_an_account
from tests.gateway.scripted import make_call, make_generate, make_inbound

MODELS = """
providers: {a: {type: echo}, b: {type: openai, base_url: "http://127.0.0.1:1/v1"}}
models: {fast: {targets: [{provider: a, model: echo}]}}
defaults: {retries: 7}
policies: {mode: enforce}
"""


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"whole")

    app = web.Application()
    app.router.add_post("/", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    made = Connections()
    yield made
    await made.close()


async def ask(connection: Connection) -> UpstreamReply:
    return await connection.upstream.send(UpstreamRequest("/", (), b"{}"), 5)


def sockets(connection: Connection) -> int:
    assert isinstance(connection.upstream, UpstreamPool)
    return connection.upstream.active + connection.upstream.idle


async def whole(reply: UpstreamReply) -> bytes:
    return await reply.read(1000, 5)


@pytest.mark.parametrize(
    ("kind", "provider", "upstream"),
    [
        ("openai", OpenAIProvider, UpstreamPool),
        ("gemini", GeminiProvider, UpstreamPool),
        ("ollama", OllamaProvider, UpstreamPool),
        ("groq", CompatibleProvider, UpstreamPool),
        ("anthropic", AnthropicProvider, UpstreamPool),
        ("echo", EchoProvider, EchoUpstream),
    ],
)
async def test_each_type_of_provider_is_spoken_to_in_its_dialect(
    connections: Connections, kind: str, provider: type, upstream: type
) -> None:
    made = connections.update({"p": ProviderConfig(type=kind, api_key="k")})["p"]
    assert type(made.provider) is provider
    assert type(made.upstream) is upstream


async def test_what_needs_more_than_a_key_has_it(connections: Connections, tmp_path: Path) -> None:
    key_file = tmp_path / "account.json"
    key_file.write_bytes(key_file_of_an_account())
    made = connections.update(
        {
            "azure": ProviderConfig(type="azure", base_url="http://a.example", api_version="2024-10-21"),
            "aws": ProviderConfig(type="bedrock", region="eu-west-1", access_key="a", secret_key="s"),
            "google": ProviderConfig(type="vertex", region="europe-west1", key_file=key_file),
            "groq": ProviderConfig(type="groq", api_key="k"),
        }
    )
    assert [(type(one.provider), type(one.upstream)) for one in made.values()] == [
        (AzureOpenAIProvider, UpstreamPool), (BedrockProvider, UpstreamPool), (VertexProvider, AuthorizedUpstream),
        (CompatibleProvider, UpstreamPool),
    ]  # fmt: skip
    call, inbound = make_call(), make_inbound()
    asked = made["google"].provider.request(make_generate(), Target("google", "gemini-x"), inbound)
    assert asked.path.startswith("/v1/projects/project/locations/europe-west1/publishers/google/models/gemini-x:")
    asked = made["azure"].provider.request(call, Target("azure", "deployed"), inbound)
    assert asked.path == "/openai/deployments/deployed/chat/completions?api-version=2024-10-21"


async def test_a_key_file_that_is_none_changes_nothing(connections: Connections, url: str, tmp_path: Path) -> None:
    old = ProviderConfig(type="openai", base_url=url)
    before = connections.update({"p": old, "gone": ProviderConfig(type="openai", base_url=url, api_key="x")})
    await whole(await ask(before["gone"]))
    vertex = ProviderConfig(type="vertex", region="europe-west1", key_file=tmp_path / "none.json")
    with pytest.raises(ConfigError, match=r"none\.json"):
        connections.update({"p": old, "v": vertex})
    assert connections.open == 1, "what is still in use was not retired"
    assert connections.update({"p": old})["p"] is before["p"]


async def test_a_reload_keeps_the_warm_sockets_of_what_did_not_change(connections: Connections, url: str) -> None:
    before = connections.update({"p": ProviderConfig(type="openai", base_url=url)})
    assert await whole(await ask(before["p"])) == b"whole"
    assert connections.open == 1
    after = connections.update({"p": ProviderConfig(type="openai", base_url=url), "e": ProviderConfig(type="echo")})
    assert after["p"] is before["p"]
    assert set(after) == {"p", "e"}
    assert await whole(await ask(after["p"])) == b"whole"
    assert connections.open == 1


async def test_what_changed_is_made_anew_and_its_idle_sockets_go(connections: Connections, url: str) -> None:
    old = connections.update({"p": ProviderConfig(type="openai", base_url=url, api_key="old")})["p"]
    await whole(await ask(old))
    new = connections.update({"p": ProviderConfig(type="openai", base_url=url, api_key="new")})["p"]
    assert new is not old
    assert sockets(old) == 0
    assert connections.open == 0


async def test_a_call_under_way_over_a_removed_provider_ends_whole(connections: Connections, url: str) -> None:
    old = connections.update({"p": ProviderConfig(type="openai", base_url=url)})["p"]
    reply = await ask(old)
    assert connections.update({}) == {}
    assert await whole(reply) == b"whole"
    assert sockets(old) == 0


async def test_a_routing_is_what_the_file_and_the_classifier_say(connections: Connections) -> None:
    config = parse_config(MODELS, {})
    made = connections.update(config.providers)
    routing = make_routing(config, {}, made, {"flag": 0.5, "block": 0.9})
    assert list(routing.catalog.names()) == [("fast", "a")]
    assert routing.connections == made
    assert routing.defaults.retries == 7
    assert {rule.action: rule.threshold for rule in routing.policy.misuse_rules} == {
        Action.BLOCK: 0.9,
        Action.FLAG: 0.5,
    }


async def test_without_models_in_the_file_those_that_are_known_are_served(connections: Connections) -> None:
    config = Config(providers={"e": ProviderConfig(type="echo")})
    routing = make_routing(config, {"e": ("echo",)}, connections.update(config.providers), {})
    assert list(routing.catalog.names()) == [("echo", "e")]
    assert routing.policy.misuse_rules == ()


async def test_each_key_of_a_provider_has_its_turn_over_the_same_sockets(connections: Connections) -> None:
    made = connections.update({"p": ProviderConfig(type="openai", api_keys=("k1", "k2"), max_concurrent=3)})["p"]
    assert made.keys is not None
    sent = [dict(made.keys.take().request(make_call(), Target("p", "m"), make_inbound()).headers) for _ in range(3)]
    assert [headers["authorization"] for headers in sent] == ["Bearer k1", "Bearer k2", "Bearer k1"]
    assert made.bulkhead.limit == 3
    assert connections.update({"p": ProviderConfig(type="openai", api_key="k1")})["p"].keys is None
