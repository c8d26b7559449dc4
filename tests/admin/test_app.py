"""What is mounted where, and who says no where nothing is."""

from collections.abc import Awaitable, Callable
from itertools import chain

from aiohttp import web

from admin.app import ADMIN_PREFIX, ADMIN_ROUTES, MAIN_ROUTES, AdminDeps, add_routes, make_admin_app
from tests.admin.conftest import Api, Client, said

Make = Callable[..., Awaitable[Client]]


def test_no_two_routes_stand_at_one_door() -> None:
    doors = [(route.method, route.path) for route in chain(MAIN_ROUTES, ADMIN_ROUTES)]
    assert len(doors) > 30
    assert sorted(set(doors)) == sorted(doors)


async def test_an_id_is_a_number_or_the_path_does_not_exist(api: Api) -> None:
    for path in ("/users/ann", "/users/-1", "/users/" + "9" * 31):
        assert (await api.get(path, 404))["detail"] == "No such page."
    assert (await api.get("/users/" + "9" * 30, 404))["detail"] == "No such object."


async def test_other_paths_of_the_main_application_are_left_to_it(client: Client) -> None:
    for path in ("/v1/nope", "/api/v1/users", "/"):
        response = await client.get(path)
        assert (response.status, response.content_type) == (404, "text/plain"), path


async def test_staff_routes_are_not_in_the_main_application(aiohttp_client: Make, deps: AdminDeps) -> None:
    app = web.Application()
    add_routes(app, deps)
    client = await aiohttp_client(app)
    for route in ADMIN_ROUTES:
        path = ADMIN_PREFIX + route.path.replace("{id}", "1")
        assert (await client.request(route.method, path)).status == 404, path
    await said(await client.post("/api/v1/auth/login", json={}), 422)


async def test_nobody_signs_in_on_the_staffs_own_listener(aiohttp_client: Make, deps: AdminDeps) -> None:
    client = await aiohttp_client(make_admin_app(deps))
    for route in MAIN_ROUTES:
        answer = await said(await client.request(route.method, route.path), 404)
        assert answer["code"] == "not_found", route.path
    await said(await client.get("/users"), 401)
