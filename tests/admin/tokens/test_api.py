"""Tokens: made, seen by their owners, turned and revoked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientResponse

from tests.admin.conftest import Api, Client, People, said


async def use(client: Client, token: str) -> ClientResponse:
    return await client.get("/api/v1/user/profile", headers={"x-api-key": token})


async def test_a_token_is_shown_once_works_and_is_listed_without_itself(
    api: Api, client: Client, people: People
) -> None:
    user_id = await people.add()
    made = await api.post("/tokens", {"user_id": user_id, "name": "ci", "rpm": 5, "allowed_models": ["fast"]}, 201)
    secret = made.pop("api_token")
    await said(await use(client, secret), 200)
    listed = (await api.get(f"/tokens?user_id={user_id}"))["data"]
    assert listed == [made]
    assert await api.get(f"/tokens/{made['id']}") == made
    assert (made["prefix"], made["last4"], made["rpm"]) == (secret[:7], secret[-4:], 5)
    assert made["revoked_at"] is None


async def test_a_revoked_token_stops_for_good(api: Api, client: Client, people: People) -> None:
    made = await api.post("/tokens", {"user_id": await people.add()}, 201)
    for _ in range(2):
        assert (await api.delete(f"/tokens/{made['id']}"))["revoked_at"]
    await said(await use(client, made["api_token"]), 401)
    await api.post(f"/tokens/{made['id']}/rotate", {}, 409)
    assert (await api.get("/tokens?active=true"))["data"] == []
    assert len((await api.get("/tokens?active=false"))["data"]) == 1


async def test_rotation_gives_the_same_rights_and_lets_both_work_for_a_while(
    api: Api, client: Client, people: People
) -> None:
    body = {"user_id": await people.add(), "name": "ci", "tpm": 9, "allowed_models": ["fast"]}
    old = await api.post("/tokens", body, 201)
    new = await api.post(f"/tokens/{old['id']}/rotate", {"overlap_minutes": 5}, 201)
    assert (new["name"], new["tpm"], new["allowed_models"]) == ("ci", 9, ["fast"])
    assert new["expires_at"] is None
    ends = datetime.fromisoformat(new["replaces"]["expires_at"])
    assert timedelta(minutes=4) < ends - datetime.now(UTC) <= timedelta(minutes=5)
    await said(await use(client, old["api_token"]), 200)
    await said(await use(client, new["api_token"]), 200)

    newest = await api.post(f"/tokens/{new['id']}/rotate", {"overlap_minutes": 0}, 201)
    await said(await use(client, new["api_token"]), 401)
    await said(await use(client, newest["api_token"]), 200)
    await api.post(f"/tokens/{newest['id']}/rotate", None, 201)  # without a body: an hour


async def test_rotation_never_makes_a_token_live_longer(api: Api, people: People) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    old = await api.post("/tokens", {"user_id": await people.add(), "expires_at": soon}, 201)
    new = await api.post(f"/tokens/{old['id']}/rotate", {"overlap_minutes": 60}, 201)
    assert new["replaces"]["expires_at"] == old["expires_at"] == new["expires_at"]


async def test_an_expired_token_is_refused(api: Api, client: Client, people: People) -> None:
    made = await api.post("/tokens", {"user_id": await people.add()}, 201)
    await api.patch(f"/tokens/{made['id']}", {"expires_at": "2020-01-01T00:00:00Z"})
    await said(await use(client, made["api_token"]), 401)
    await api.patch(f"/tokens/{made['id']}", {"expires_at": None, "name": "again"})
    await said(await use(client, made["api_token"]), 200)


@pytest.mark.parametrize("role", ["ml_engineer", "risk_officer"])
async def test_staff_see_and_turn_their_own_tokens_and_nobody_else_s(api: Api, people: People, role: str) -> None:
    me = await people.add(role)
    mine, other = api.seen_by(await people.session(me)), await people.add()
    foreign = await api.post("/tokens", {"user_id": other}, 201)
    made = await mine.post("/tokens", {"name": "mine"}, 201)
    assert made["user_id"] == me
    assert [token["id"] for token in (await mine.get("/tokens"))["data"]] == [made["id"]]
    await mine.get(f"/tokens/{made['id']}")
    rotated = await mine.post(f"/tokens/{made['id']}/rotate", {}, 201)
    await mine.delete(f"/tokens/{rotated['id']}")

    await mine.get(f"/tokens?user_id={other}", 403)
    await mine.post("/tokens", {"user_id": other}, 403)
    await mine.get(f"/tokens/{foreign['id']}", 404)
    await mine.delete(f"/tokens/{foreign['id']}", 404)
    await mine.post(f"/tokens/{foreign['id']}/rotate", {}, 404)
    await mine.patch(f"/tokens/{made['id']}", {"rpm": None}, 403)
    assert (await api.get(f"/tokens/{foreign['id']}"))["revoked_at"] is None


WRONG: list[dict[str, Any]] = [
    {"user_id": 999},
    {"user_id": "1"},
    {"user_id": 10**30},
    {"expires_at": "2020-01-01T00:00:00Z"},
    {"expires_at": "tomorrow"},
    {"expires_at": 1700000000},
    {"expires_at": "0001-01-01T00:00:00+14:00"},
    {"expires_at": "9999-12-31T23:59:59-14:00"},
    {"name": "x" * 201},
    {"scopes": ["chat"]},
]


async def test_wrong_bodies_make_no_token(api: Api) -> None:
    for body in WRONG:
        await api.post("/tokens", body, 422)
    assert (await api.get("/tokens"))["data"] == []


async def test_nobody_who_is_deactivated_gets_a_token(api: Api, people: People) -> None:
    user_id = await people.add()
    await api.delete(f"/users/{user_id}")
    await api.post("/tokens", {"user_id": user_id}, 409)


async def test_every_write_is_in_the_audit_log(api: Api, people: People) -> None:
    made = await api.post("/tokens", {"user_id": await people.add()}, 201)
    await api.patch(f"/tokens/{made['id']}", {"rpm": 3})
    await api.post(f"/tokens/{made['id']}/rotate", {}, 201)
    await api.delete(f"/tokens/{made['id']}")
    entries = (await api.get("/audit?object_type=tokens"))["data"]
    actions = [entry["action"] for entry in entries]
    assert actions == ["tokens:revoke", "tokens:create", "tokens:rotate", "tokens:update", "tokens:create"]
    assert entries[3]["before"] == {"rpm": None}
    assert entries[3]["after"] == {"rpm": 3}
    assert made["api_token"] not in str(entries)
