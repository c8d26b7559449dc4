"""A call that passed the door: what it may be asked, and what it says where nobody is known."""

from dataclasses import replace
from uuid import UUID

import pytest

from admin.audit.types import Actor
from admin.deps import AdminDeps
from admin.errors import NotFound, Unauthorized
from admin.rbac import Permission, Role
from admin.routing import Call, Route, Staff
from admin.schema import BIGINT_MAX


@pytest.fixture
def officer(deps: AdminDeps) -> Call:
    staff = Staff(7, "officer@example.com", Role.RISK_OFFICER, UUID(int=1))
    return Call(deps, staff, caller_id=7, path_id=BIGINT_MAX, ip="192.0.2.1", bearer="a.b.c")


@pytest.fixture
def stranger(deps: AdminDeps) -> Call:
    return Call(deps, staff=None, caller_id=None, path_id=None, ip="192.0.2.1", bearer=None)


def test_a_route_that_names_no_permission_cannot_be_written() -> None:
    async def handler(call: Call) -> None: ...

    with pytest.raises(TypeError, match="permission"):
        Route("GET", "/open", handler, summary="For all")  # type: ignore[call-arg]


async def test_who_calls_answers_for_what_is_written(officer: Call) -> None:
    assert officer.actor == Actor(user_id=7, kind="user", ip="192.0.2.1")
    assert officer.role is Role.RISK_OFFICER


async def test_a_stranger_has_no_number_no_role_and_cannot_act(stranger: Call) -> None:
    for what in ("user_id", "actor", "role"):
        with pytest.raises(Unauthorized):
            getattr(stranger, what)
    assert not any(stranger.may(permission) for permission in Permission)


async def test_an_api_token_gives_a_number_but_no_role(stranger: Call) -> None:
    with_token = replace(stranger, caller_id=9)
    assert with_token.user_id == 9
    with pytest.raises(Unauthorized):
        _ = with_token.role
    assert not with_token.may(Permission.TOKENS_OWN)


async def test_staff_may_what_their_role_is_granted_and_no_more(officer: Call) -> None:
    assert officer.may(Permission.LOGS_READ)
    assert not officer.may(Permission.USERS_WRITE)


async def test_an_id_no_row_can_have_is_not_found(officer: Call, stranger: Call) -> None:
    assert officer.id == BIGINT_MAX
    for call in (replace(officer, path_id=BIGINT_MAX + 1), stranger):
        with pytest.raises(NotFound):
            _ = call.id
