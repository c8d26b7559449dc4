"""What is configured elsewhere, and reading it anew."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from admin.app import AdminDeps
from gateway.config import ConfigError
from tests.admin.conftest import Api, Client, People, make_app


async def test_what_is_in_force_is_shown(api: Api) -> None:
    assert await api.get("/policies") == {"mode": "enforce"}
    assert await api.get("/providers") == {"providers": {"echo": {"type": "echo"}}}
    assert await api.get("/settings") == {"environment": "development"}


async def test_what_is_not_there_is_not_found(
    aiohttp_client: Callable[..., Awaitable[Client]], deps: AdminDeps, people: People
) -> None:
    client = await aiohttp_client(make_app(replace(deps, policies_view=None)))
    api = Api(client, await people.signed_in("admin"))
    await api.get("/policies", 404)
    await api.post("/settings/reload", expect=404)


async def test_a_reload_is_audited_and_a_bad_file_is_explained(
    aiohttp_client: Callable[..., Awaitable[Client]], deps: AdminDeps, people: People
) -> None:
    files = iter(["good", "bad"])

    async def reload() -> None:
        if next(files) == "bad":
            raise ConfigError("models.fast: no such provider")

    client = await aiohttp_client(make_app(replace(deps, reload_config=reload)))
    api = Api(client, await people.signed_in("admin"))
    await api.post("/settings/reload")
    answer = await api.post("/settings/reload", expect=422)
    assert answer["detail"] == "models.fast: no such provider"
    assert [entry["action"] for entry in (await api.get("/audit"))["data"]] == ["settings:reload"]
