"""Every answer of the control plane: its shape, its headers, whatever went wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from admin import http
from admin.app import AdminDeps
from gateway.db import connect_pool
from tests.admin.conftest import Api, Client, People, make_app, said

Make = Callable[..., Awaitable[Client]]


async def test_paths_and_methods_that_do_not_exist_get_the_same_json(api: Api, client: Client) -> None:
    for path in ("/nope", "/users/1/nope", "/", "", "/users/"):
        answer = await api.get(path, 404)
        assert set(answer) == {"detail", "code", "request_id"}
        assert answer["code"] == "not_found"
    response = await client.put("/api/v1/admin/users", headers=api.headers)
    answer = await said(response, 405)
    assert answer["code"] == "method_not_allowed"
    assert response.headers["Allow"] == "GET, POST"
    answer = await said(await client.get("/api/v1/auth/login"), 405)
    assert answer["code"] == "method_not_allowed"
    await said(await client.get("/api/v1/auth/nope"), 404)
    await said(await client.post("/api/v1/user/profile"), 405)


async def test_refusals_for_want_of_a_session_say_how(client: Client) -> None:
    response = await client.get("/api/v1/admin/users")
    answer = await said(response, 401)
    assert answer["code"] == "unauthorized"
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_an_api_token_is_no_session(api: Api, client: Client) -> None:
    me = (await api.get("/users"))["data"][0]["id"]
    token = (await api.post("/tokens", {"user_id": me}, 201))["api_token"]
    for headers in ({"Authorization": f"Bearer {token}"}, {"x-api-key": token}):
        await said(await client.get("/api/v1/admin/users", headers=headers), 401)


async def test_a_body_that_does_not_come_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may begin to sign in."""
    monkeypatch.setattr(http, "BODY_TIMEOUT_S", 0.05)
    never = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    answer = await said(await client.post("/api/v1/auth/login", data=body()), 408)
    assert answer["code"] == "request_timeout"


async def test_answers_are_not_cached_or_sniffed(api: Api, client: Client) -> None:
    response = await client.get("/api/v1/admin/users", headers=api.headers)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_lost_database_is_a_503_that_says_when_to_come_back(
    aiohttp_client: Make, deps: AdminDeps, people: People, postgres_url: str
) -> None:
    headers = await people.signed_in("admin")
    away = await connect_pool(postgres_url.replace("host=", "host=/nowhere"))
    client = await aiohttp_client(make_app(replace(deps, pool=away)))
    response = await client.get("/api/v1/admin/users", headers=headers)
    answer = await said(response, 503)
    assert answer["code"] == "database_unavailable"
    assert response.headers["Retry-After"] == "2"
    login = {"email": "a@example.com", "password": "x"}
    await said(await client.post("/api/v1/auth/login", json=login), 503)
    await away.close()


async def test_what_nobody_expected_is_a_500_without_its_cause(
    aiohttp_client: Make, deps: AdminDeps, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> dict[str, object]:
        raise RuntimeError("the cause, with a secret")

    headers = await people.signed_in("admin")
    client = await aiohttp_client(make_app(replace(deps, settings_view=broken)))
    response = await client.get("/api/v1/admin/settings", headers=headers)
    answer = await said(response, 500)
    assert answer["code"] == "internal_error"
    assert answer["request_id"] == response.headers["x-request-id"]
    assert answer["request_id"] in answer["detail"]
    assert "secret" not in str(answer)
    assert "the cause, with a secret" in caplog.text
    assert answer["request_id"] in caplog.text


async def test_nobody_without_the_permission_learns_what_a_body_should_be(api: Api, people: People) -> None:
    risk_officer = api.seen_by(await people.signed_in("risk_officer"))
    answer = await risk_officer.post("/users", {"nonsense": 1}, 403)
    assert answer["detail"] == "This takes the permission users:write."


async def test_the_admin_application_stands_on_a_listener_of_its_own(
    aiohttp_client: Make, deps: AdminDeps, people: People
) -> None:
    from aiohttp import web

    from admin.app import ADMIN_PREFIX, make_admin_app

    door = web.Application()
    door.add_subapp(ADMIN_PREFIX, make_admin_app(deps))
    client = await aiohttp_client(door)
    await said(await client.get("/api/v1/admin/users", headers=await people.signed_in("admin")), 200)
    await said(await client.get("/api/v1/admin/nope"), 404)
