"""Every route against every role: what the table grants is open, everything else is shut."""

import pytest

from admin.app import ADMIN_PREFIX, ADMIN_ROUTES, MAIN_ROUTES
from admin.rbac import GRANTS, Access, Permission, Role, may, may_act_on
from admin.routing import Route
from tests.admin.conftest import Client, Headers, People


async def status_of(client: Client, route: Route, headers: Headers) -> int:
    path = route.path.replace("{id}", "999999")
    prefix = "" if route in MAIN_ROUTES else ADMIN_PREFIX
    body = None if route.takes is None else {"nonsense": True}
    async with client.request(route.method, prefix + path, headers=headers, json=body) as response:
        return response.status


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_enters_where_the_table_says_and_nowhere_else(
    client: Client, people: People, role: Role
) -> None:
    headers = await people.signed_in(role)
    for route in ADMIN_ROUTES:
        status = await status_of(client, route, headers)
        granted = isinstance(route.permission, Permission) and route.permission in GRANTS[role]
        assert (status != 403) == granted, f"{route.method} {route.path}: {status}"
        assert status not in (401, 500)


async def test_nobody_enters_without_a_session(client: Client, people: People) -> None:
    for route in (*ADMIN_ROUTES, *MAIN_ROUTES):
        if route.permission is not Access.PUBLIC:
            assert await status_of(client, route, {}) == 401, route.path
            assert await status_of(client, route, {"Authorization": "Bearer a.b.c"}) == 401, route.path
            assert await status_of(client, route, {"Authorization": "Basic YTpi"}) == 401, route.path


async def test_every_admin_route_asks_for_a_permission() -> None:
    assert all(isinstance(route.permission, Permission) for route in ADMIN_ROUTES)


def test_public_routes_are_those_of_signing_in_and_out() -> None:
    public = {route.path.rpartition("/")[2] for route in MAIN_ROUTES if route.permission is Access.PUBLIC}
    assert public == {"login", "refresh", "logout"}


def test_every_role_stands_in_the_table_and_the_least_have_nothing() -> None:
    assert set(GRANTS) == set(Role)
    assert GRANTS[Role.ADMIN] == frozenset(Permission)
    assert not GRANTS[Role.USER] | GRANTS[Role.SERVICE]
    assert not may(Role.RISK_OFFICER, Permission.USERS_WRITE)


def test_nobody_but_an_administrator_acts_on_equals_or_betters() -> None:
    assert may_act_on(Role.ADMIN, Role.ADMIN)
    assert may_act_on(Role.RISK_OFFICER, Role.USER)
    assert not may_act_on(Role.RISK_OFFICER, Role.RISK_OFFICER)
    assert not may_act_on(Role.ML_ENGINEER, Role.RISK_OFFICER)
    assert not may_act_on(Role.ML_ENGINEER, Role.ADMIN)
    assert not may_act_on(Role.USER, Role.SERVICE)
