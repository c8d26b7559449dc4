"""Discovery against a real server: what providers say, and what they had better not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.config import ProviderConfig
from guardflow import discovery
from guardflow.discovery import discover

Serve = Callable[[Callable[[web.Request], Awaitable[web.Response]]], Awaitable[str]]

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start servers that answer every request by one function; the URL of each."""
    servers: list[TestServer] = []

    async def start(answer: Callable[[web.Request], Awaitable[web.Response]]) -> str:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        servers.append(TestServer(app))
        await servers[-1].start_server()
        return str(servers[-1].make_url("")).rstrip("/")

    yield start
    for server in servers:
        await server.close()


def listing(*names: object) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": name} for name in names]})


def by_headers(path: str, headers: Mapping[str, str], *names: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The list, for who asks at `path` with `headers` alone."""

    async def answer(request: web.Request) -> web.Response:
        known = request.path == path and all(request.headers.get(name) == value for name, value in headers.items())
        return listing(*names) if known else web.Response(status=401)

    return answer


async def test_each_provider_is_asked_in_its_own_way(serve: Serve) -> None:
    openai = await serve(by_headers("/v1/models", {"authorization": "Bearer k1"}, "gpt-a", "gpt-b"))
    claude = {"x-api-key": "k2", "anthropic-version": "2023-06-01"}
    anthropic = await serve(by_headers("/v1/models", claude, "claude-a"))
    ollama = await serve(by_headers("/v1/models", {}, "llama"))
    gemini = await serve(by_headers("/v1beta/openai/models", {"authorization": "Bearer k3"}, "models/gemini-a"))
    providers = {
        "openai": ProviderConfig(type="openai", base_url=openai + "/v1", api_key="k1"),
        "anthropic": ProviderConfig(type="anthropic", base_url=anthropic, api_key="k2"),
        "ollama": ProviderConfig(type="ollama", base_url=ollama),
        "gemini": ProviderConfig(type="gemini", base_url=gemini, api_key="k3"),
        "echo": ProviderConfig(type="echo"),
    }
    assert await discover(providers, {}) == {
        "openai": ("gpt-a", "gpt-b"),
        "anthropic": ("claude-a",),
        "ollama": ("llama",),
        "gemini": ("gemini-a",),
        "echo": ("echo",),
    }


async def test_where_access_is_granted_one_by_one_nothing_is_listed() -> None:
    keys: dict[str, Any] = {"region": "eu-west-1", "access_key": "a", "secret_key": "s", "key_file": "/none"}
    providers = {
        "azure": ProviderConfig(type="azure", base_url=NOBODY),
        "bedrock": ProviderConfig(type="bedrock", **keys),
        "vertex": ProviderConfig(type="vertex", **keys),
    }
    assert await discover(providers, {"azure": ("old",)}) == {"azure": (), "bedrock": (), "vertex": ()}


async def test_a_provider_that_is_down_keeps_what_was_known_of_it_and_of_nobody_else(serve: Serve) -> None:
    up = await serve(by_headers("/models", {}, "new"))
    providers = {
        "down": ProviderConfig(type="openai", base_url=NOBODY),
        "up": ProviderConfig(type="openai", base_url=up),
        "never": ProviderConfig(type="anthropic", base_url=NOBODY),
    }
    before = {"down": ("kept",), "up": ("old",), "removed": ("gone",)}
    assert await discover(providers, before) == {"down": ("kept",), "up": ("new",), "never": ()}


async def test_a_provider_that_does_not_answer_in_time_holds_nobody_up(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "TIMEOUT_S", 0.1)

    async def hang(request: web.Request) -> web.Response:
        transport = request.transport
        while transport is not None and not transport.is_closing():
            await asyncio.sleep(0.01)
        return listing("late")

    providers = {
        "slow": ProviderConfig(type="openai", base_url=await serve(hang)),
        "echo": ProviderConfig(type="echo"),
    }
    assert await discover(providers, {"slow": ("kept",)}) == {"slow": ("kept",), "echo": ("echo",)}


@pytest.mark.parametrize(
    "garbage",
    ["", "<html>", "[]", "null", "7", '"data"', "{}", '{"data": null}', '{"data": 5}', '{"data": "abc"}',
     '{"data": {"id": "a"}}', "[" * 100_000],
)  # fmt: skip
async def test_an_answer_that_is_no_list_of_models_changes_nothing(serve: Serve, garbage: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=garbage, content_type="application/json")

    providers = {"odd": ProviderConfig(type="openai", base_url=await serve(answer))}
    assert await discover(providers, {"odd": ("kept",)}) == {"odd": ("kept",)}


async def test_of_a_list_only_what_names_a_model_is_taken_and_not_without_end(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "MAX_MODELS", 3)
    data: list[Any] = [{"id": "a"}, {"id": 1}, None, "b", {}, {"id": "c"}, {"id": "d"}, {"id": "e"}]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=json.dumps({"data": data}), content_type="application/json")

    providers = {"odd": ProviderConfig(type="openai", base_url=await serve(answer))}
    assert await discover(providers, {}) == {"odd": ("a", "c", "d")}


async def test_a_redirect_is_not_followed_so_no_key_goes_elsewhere(serve: Serve) -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return listing("foreign")

    target = await serve(elsewhere)

    async def redirect(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(target + "/v1/models")

    providers = {"moved": ProviderConfig(type="anthropic", base_url=await serve(redirect), api_key="k")}
    assert await discover(providers, {"moved": ("kept",)}) == {"moved": ("kept",)}
    assert asked == []
