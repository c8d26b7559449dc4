"""Pages of other origins."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from admin.cors import install_cors
from tests.admin.conftest import Client

Make = Callable[..., Awaitable[Client]]
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


def app_for(*origins: str) -> web.Application:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"data")
        return response

    app = web.Application()
    install_cors(app, origins)
    app.router.add_post("/v1/chat/completions", stream)
    return app


async def test_a_listed_origin_may_call_and_read_streams_too(aiohttp_client: Make) -> None:
    client = await aiohttp_client(app_for("https://app.example"))
    origin = {"Origin": "https://app.example"}
    response = await client.options("/v1/chat/completions", headers={**origin, **PREFLIGHT})
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "authorization" in response.headers["Access-Control-Allow-Headers"]
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    response = await client.post("/v1/chat/completions", headers=origin)
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origins", [(), ("https://app.example",)])
async def test_others_get_no_leave(aiohttp_client: Make, origins: tuple[str, ...]) -> None:
    client = await aiohttp_client(app_for(*origins))
    origin = {"Origin": "https://evil.example"}
    response = await client.options("/v1/chat/completions", headers={**origin, **PREFLIGHT})
    assert response.status == 405
    response = await client.post("/v1/chat/completions", headers=origin)
    assert not [name for name in response.headers if name.startswith("Access-Control")]


async def test_a_star_is_everyone_without_cookies(aiohttp_client: Make) -> None:
    client = await aiohttp_client(app_for("*"))
    response = await client.post("/v1/chat/completions", headers={"Origin": "null"})
    assert response.headers["Access-Control-Allow-Origin"] == "null"
    assert "Access-Control-Allow-Credentials" not in response.headers
