"""Vertex: Gemini below a project's paths, with a token that is fetched once for many requests."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.errors import UpstreamDenied
from gateway.exchange import Endpoint, Target
from gateway.providers import vertex
from gateway.providers.base import ConnectFailed, ReplyTooLarge, UpstreamRequest
from gateway.providers.google_auth import GoogleTokens, read_service_account
from gateway.providers.vertex import AuthorizedUpstream, VertexProvider, post
from gateway.wire.upstream import UpstreamPool
from tests.gateway.providers.test_google_auth import key_file
from tests.gateway.scripted import make_call, make_generate, make_inbound

TARGET = Target("vertex", "gemini-x")


class Google:
    """A token endpoint and a model, in one server."""

    def __init__(self) -> None:
        self.url = ""
        self.exchanges = 0
        self.refuses = False
        self.bearers: list[str] = []

    async def token(self, request: web.Request) -> web.Response:
        self.exchanges += 1
        if self.refuses:
            return web.Response(status=401)
        return web.json_response({"access_token": f"ya29.{self.exchanges}", "expires_in": 3600})

    async def model(self, request: web.Request) -> web.Response:
        self.bearers.append(request.headers["authorization"])
        return web.Response(body=await request.read())


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    one = Google()
    app = web.Application()
    app.router.add_post("/token", one.token)
    app.router.add_post("/v1/{rest:.*}", one.model)
    async with TestServer(app) as running:
        one.url = str(running.make_url("")).rstrip("/")
        yield one


@pytest.fixture
async def upstream(google: Google) -> AsyncIterator[AuthorizedUpstream]:
    account = read_service_account(key_file(token_uri=f"{google.url}/token"))
    made = AuthorizedUpstream(UpstreamPool(google.url), GoogleTokens(account, post))
    yield made
    await made.close()


def test_the_project_and_the_place_are_in_the_path() -> None:
    provider = VertexProvider("my-project", "europe-west1")
    request = provider.request(make_generate(stream=True), TARGET, make_inbound()._replace(query="alt=sse"))
    assert request.path == (
        "/v1/projects/my-project/locations/europe-west1/publishers/google/models/gemini-x:streamGenerateContent?alt=sse"
    )
    assert "x-goog-api-key" not in dict(request.headers)
    conversations = provider.conversations
    assert conversations is not None
    carried = conversations.request({}, TARGET, make_call(), make_inbound())
    assert carried.path == request.path.replace("streamGenerateContent?alt=sse", "generateContent")
    assert provider.endpoints == {Endpoint.GENERATE}


async def test_every_request_carries_the_token_of_the_moment(google: Google, upstream: AuthorizedUpstream) -> None:
    for body in (b"one", b"two"):
        reply = await upstream.send(UpstreamRequest("/v1/x", (), body), 5)
        assert await reply.read(1000, 5) == body
    assert google.bearers == ["Bearer ya29.1", "Bearer ya29.1"]
    assert google.exchanges == 1


async def test_without_a_token_nothing_is_sent(google: Google, upstream: AuthorizedUpstream) -> None:
    google.refuses = True
    with pytest.raises(UpstreamDenied):
        await upstream.send(UpstreamRequest("/v1/x", (), b"{}"), 5)
    assert google.bearers == []


async def test_a_token_endpoint_that_is_away_or_says_too_much_is_an_upstream_that_failed(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConnectFailed):
        await post("http://127.0.0.1:1/token", (), b"")
    monkeypatch.setattr(vertex, "MAX_TOKEN_BYTES", 10)
    with pytest.raises(ReplyTooLarge):
        await post(f"{google.url}/token", (), b"")
