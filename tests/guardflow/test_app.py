"""The wired parts in this process, on real servers: one call, one reload, one orderly end."""

import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import unused_port
from pydantic import SecretStr

from gateway.config import ConfigError
from guardflow.app import Gateway
from guardflow.bootstrap import Administrator, ensure_people
from guardflow.settings import Settings, load

Client = ClientSession

PASSWORD, KEY, SESSIONS = "a-password-canary", "sk-key-canary", "sessions-canary-" + "x" * 32
ECHO = {"providers": {"echo": {"type": "echo"}}}


def configure(settings: Settings, config: object) -> None:
    assert settings.guardflow_config is not None
    settings.guardflow_config.write_text(json.dumps(config))


@pytest.fixture
def settings(postgres_url: str, redis_url: str, tmp_path: Path) -> Settings:
    made = load(
        {
            "DATABASE_URL": postgres_url,
            "REDIS_URL": redis_url,
            "DATA_DIR": str(tmp_path),
            "GUARDFLOW_CONFIG": str(tmp_path / "guardflow.yaml"),
            "JWT_SECRET_KEY": SESSIONS,
            "ADMIN_PASSWORD": PASSWORD,
            "OPENAI_API_KEY": KEY,
        }
    )
    configure(made, ECHO)
    return made


@pytest.fixture
async def gateway(settings: Settings) -> AsyncIterator[Gateway]:
    made = Gateway(settings)
    try:
        await made.start()
        await made.discover()
        yield made
    finally:
        await made.close()


@contextlib.asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[Client]:
    """The gateway as a worker serves it: the data plane in front of the rest."""
    runner = web.AppRunner(gateway.main_app(), handler_cancellation=True)
    await runner.setup()
    assert runner.server is not None
    port = unused_port()
    await gateway.make_edge(runner.server).listen("127.0.0.1", port, 16)
    try:
        async with ClientSession(f"http://127.0.0.1:{port}") as running:
            yield running
    finally:
        await gateway.edge.close()
        await runner.cleanup()


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[Client]:
    async with serving(gateway) as running:
        yield running


@pytest.fixture
async def token(postgres_url: str) -> str:
    made = await ensure_people(postgres_url, Administrator("admin@example.com", PASSWORD, enforced=False), demo=True)
    assert made.demo_token is not None
    return made.demo_token


async def chat(client: Client, token: str, model: str = "echo") -> tuple[int, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    response = await client.post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {token}"})
    return response.status, await response.json()


async def exposed(client: Client) -> dict[str, float]:
    """The gauges and counters without labels, by name."""
    text = await (await client.get("/metrics")).text()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#" and "{" not in line]
    return {name: float(value) for name, value in lines}


async def test_a_call_is_answered_and_counted_and_nothing_is_degraded(client: Client, token: str) -> None:
    status, answer = await chat(client, token)
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "Hello")
    numbers = await exposed(client)
    assert numbers["guardflow_log_rows_accepted"] == 1
    assert numbers["guardflow_in_flight"] == 0
    assert [numbers[f"guardflow_degraded_{part}"] for part in ("postgres", "redis", "push")] == [0, 0, 0]


async def test_what_was_served_is_in_the_database_after_the_close_and_nobody_is_connected_to_it(
    settings: Settings, token: str, postgres_url: str
) -> None:
    gateway = Gateway(settings)
    try:
        await gateway.start()
        async with serving(gateway) as client:
            assert (await chat(client, token))[0] == 200
    finally:
        await gateway.close()
    connection = await asyncpg.connect(postgres_url)
    try:
        assert await connection.fetchval("SELECT array_agg(status) FROM request_logs") == [200]
        assert await connection.fetchval("SELECT count(*) FROM api_tokens WHERE last_used_at IS NOT NULL") == 1
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        end = time.monotonic() + 5
        while await connection.fetchval(others):  # a backend ends a moment after its client has gone
            assert time.monotonic() < end
    finally:
        await connection.close()


async def test_what_is_not_the_data_planes_reaches_the_rest_and_without_a_token_there_is_nothing(
    client: Client,
) -> None:
    assert (await client.get("/health")).status == 200
    assert (await client.get("/api/v1/admin/users")).status == 401
    assert (await chat(client, "gf_nobody"))[0] == 401
    assert (await client.get("/nope")).status == 404


async def test_a_changed_file_takes_effect_for_the_next_call(
    gateway: Gateway, client: Client, token: str, settings: Settings
) -> None:
    assert (await chat(client, token, "anything"))[0] == 200
    models = {"fast": {"targets": [{"provider": "echo", "model": "echo"}]}}
    configure(settings, {**ECHO, "models": models})
    await gateway.reload()
    assert (await chat(client, token, "fast"))[0] == 200
    assert (await chat(client, token, "anything"))[0] == 404
    configure(settings, {**ECHO, "limits": {"rpm": 0}})
    await gateway.reload()
    status, refused = await chat(client, token)
    assert (status, refused["error"]["code"]) == (429, "rate_limit_exceeded")


async def test_a_bad_file_is_refused_and_leaves_everything_as_it_was(
    gateway: Gateway, client: Client, token: str, settings: Settings
) -> None:
    config, routing = gateway.config, gateway.services.routing
    configure(settings, {"providers": {"other": {"type": "openia"}}, "limits": {"rpm": 0}})
    with pytest.raises(ConfigError, match=r"providers\.other\.type"):
        await gateway.reload()
    assert gateway.config is config
    assert gateway.services.routing is routing
    assert (await chat(client, token))[0] == 200


async def test_a_reload_through_the_admin_api_reaches_the_others_but_a_bad_file_does_not(settings: Settings) -> None:
    told: list[str] = []
    gateway = Gateway(settings, reload_others=lambda: told.append("reload"))
    try:
        await gateway.start()
        reload = gateway._admin_deps().reload_config
        assert reload is not None
        await reload()
        assert told == ["reload"]
        configure(settings, {"limits": 1})
        with pytest.raises(ConfigError):
            await reload()
        assert told == ["reload"]
    finally:
        await gateway.close()


async def test_no_view_of_the_control_plane_shows_a_secret(
    gateway: Gateway, settings: Settings, postgres_url: str
) -> None:
    configure(settings, {"providers": {"openai": {"type": "openai", "base_url": "http://127.0.0.1:1", "api_key": KEY}}})
    await gateway.reload()
    deps = gateway._admin_deps()
    views = [view() for view in (deps.settings_view, deps.providers_view, deps.policies_view) if view is not None]
    assert len(views) == 3
    shown = json.dumps(views, default=str)
    for secret in (PASSWORD, KEY, SESSIONS, postgres_url):
        assert secret not in shown
    assert views[0]["jwt_secret_key"] == "***"
    assert views[0]["anthropic_api_key"] is None
    assert views[1]["openai"]["has_key"] is True


@pytest.mark.slow  # two seconds for the connection that isn't there
async def test_without_redis_it_serves_degraded_and_says_so(settings: Settings, token: str, tmp_path: Path) -> None:
    away = settings.model_copy(update={"redis_url": SecretStr(f"unix://{tmp_path}/nobody.sock")})
    gateway = Gateway(away)
    try:
        await gateway.start()
        async with serving(gateway) as client:
            assert (await chat(client, token))[0] == 200
            assert (await exposed(client))["guardflow_degraded_redis"] == 1
            assert "redis: degraded" in await (await client.get("/ready")).text()
    finally:
        await gateway.close()
