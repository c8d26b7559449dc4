"""The documentation pages load from here alone."""

import re

import orjson

from tests.admin.conftest import Client


async def test_every_page_and_all_that_it_loads_is_served_here(client: Client) -> None:
    for path in ("/docs", "/api/v1/docs", "/redoc"):
        response = await client.get(path)
        assert response.status == 200
        assert response.content_type == "text/html"
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        page = await response.text()
        loaded = re.findall(r'(?:src|href|spec-url)="(?!data:)([^"]+)"', page)
        assert len(loaded) >= 2
        for asset in loaded:
            assert asset.startswith("/")
            found = await client.get(asset)
            assert found.status == 200, asset
            assert len(await found.read()) > 100


async def test_the_document_is_the_same_at_both_paths(client: Client) -> None:
    first = await (await client.get("/openapi.json")).read()
    assert first == await (await client.get("/api/v1/openapi.json")).read()
    assert orjson.loads(first)["info"] == {
        "title": "Guardflow",
        "version": "1.2.3",
        "description": "One door for every model call. Staff sign in; programs send an API token.",
    }


async def test_the_start_script_asks_for_our_document(client: Client) -> None:
    response = await client.get("/docs/assets/start.js")
    assert response.content_type == "text/javascript"
    assert 'url: "/openapi.json"' in await response.text()


async def test_only_the_assets_are_served(client: Client) -> None:
    for name in ("nothing.js", "../__init__.py", "%2e%2e/__init__.py"):
        assert (await client.get(f"/docs/assets/{name}")).status == 404
