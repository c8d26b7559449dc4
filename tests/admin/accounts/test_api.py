"""Users, from their making to their deactivation."""

from typing import Any

from aiohttp import ClientResponse

from tests.admin.conftest import Api, Client, People, said

NEW = {"email": "ada@example.com", "name": "Ada"}


async def of_user(client: Client, token: str, page: str = "profile") -> ClientResponse:
    return await client.get(f"/api/v1/user/{page}", headers={"Authorization": f"Bearer {token}"})


async def test_a_new_user_has_what_was_said_and_a_token_that_works(api: Api, client: Client) -> None:
    user = await api.post(
        "/users",
        {
            **NEW,
            "daily_quota": 10,
            "monthly_quota": 20,
            "rpm": 30,
            "tpm": 40,
            "concurrent": 5,
            "role": "ml_engineer",
            "allowed_models": ["fast"],
            "task_ids": [1],
            "password": "a pulse every 3 hours",
        },
        201,
    )
    token = user.pop("api_token")
    assert len(token) == 41
    assert user["role"] == "ml_engineer"
    assert user["allowed_models"] == ["fast"]
    assert user["task_ids"] == [1]
    assert user["created_at"].endswith("Z")
    limits = {name: user[name] for name in ("daily_quota", "monthly_quota", "rpm", "tpm", "concurrent")}
    assert limits == {"daily_quota": 10, "monthly_quota": 20, "rpm": 30, "tpm": 40, "concurrent": 5}
    del user["token_id"]
    assert await api.get(f"/users/{user['id']}") == user
    await said(await of_user(client, token), 200)
    quota = await said(await of_user(client, token, "quota"), 200)
    assert quota["daily"]["limit"] == 10


async def test_a_second_user_of_an_address_or_user_name_is_a_conflict(api: Api) -> None:
    await api.post("/users", {**NEW, "username": "ada"}, 201)
    again = await api.post("/users", {**NEW, "email": "ADA@example.com"}, 409)
    assert again["detail"] == "There is already a user with this e-mail address."
    again = await api.post("/users", {**NEW, "email": "other@example.com", "username": "Ada"}, 409)
    assert again["detail"] == "There is already a user with this user name."
    other = await api.post("/users", {**NEW, "email": "other@example.com"}, 201)
    await api.patch(f"/users/{other['id']}", {"email": NEW["email"]}, 409)
    assert len((await api.get("/audit"))["data"]) == 4  # what was refused left no row


WRONG: list[dict[str, Any]] = [
    {},
    {"email": "no-name@example.com"},
    {**NEW, "emial": "x"},
    {**NEW, "email": "nobody"},
    {**NEW, "email": "a b@example.com"},
    {**NEW, "email": 7},
    {**NEW, "email": None},
    {**NEW, "email": "a" * 300 + "@example.com"},
    {**NEW, "name": "nul \x00"},
    {**NEW, "daily_quota": -1},
    {**NEW, "daily_quota": "10"},
    {**NEW, "daily_quota": 1.5},
    {**NEW, "daily_quota": True},
    {**NEW, "rpm": 10**30},
    {**NEW, "role": "owner"},
    {**NEW, "allowed_models": "fast"},
    {**NEW, "allowed_models": [""]},
    {**NEW, "task_ids": [99]},
    {**NEW, "task_ids": [10**30]},
    {**NEW, "password": "short"},
    {**NEW, "password": "passwordpassword"},
    {**NEW, "session_version": 3},
    {**NEW, "id": 1},
]


async def test_what_is_wrong_with_a_body_is_said_field_by_field_and_nothing_is_made(api: Api) -> None:
    for body in WRONG:
        answer = await api.post("/users", body, 422)
        assert answer["code"] == "validation_error"
        assert answer["detail"][0]["loc"][0] == "body"
        assert answer["detail"][0]["msg"]
    assert len((await api.get("/users"))["data"]) == 1


async def test_bodies_that_are_no_json_object_are_refused(api: Api) -> None:
    json_type = {"Content-Type": "application/json"}
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"email": NaN}', b"{" * 100_000):
        response = await api.client.post("/api/v1/admin/users", data=body, headers={**api.headers, **json_type})
        await said(response, 422)
    for content_type in ("text/html", "multipart/form-data; boundary=x"):
        response = await api.client.post(
            "/api/v1/admin/users", data=b"a=1", headers={**api.headers, "Content-Type": content_type}
        )
        await said(response, 415)
    response = await api.client.post(
        "/api/v1/admin/users", data=b"{}", headers={**api.headers, **json_type, "Content-Encoding": "br"}
    )
    assert response.status in (400, 415)


async def test_a_patch_changes_what_it_names_and_null_takes_a_limit_away(api: Api) -> None:
    user = await api.post("/users", {**NEW, "daily_quota": 10, "rpm": 5, "allowed_models": ["fast"]}, 201)
    path = f"/users/{user['id']}"
    changed = await api.patch(path, {"name": "Ada L.", "daily_quota": 20, "task_ids": [1], "username": "ada"})
    assert (changed["name"], changed["daily_quota"], changed["rpm"]) == ("Ada L.", 20, 5)
    assert (changed["task_ids"], changed["username"]) == ([1], "ada")
    changed = await api.patch(path, {"rpm": None, "allowed_models": None, "task_ids": [], "username": None})
    assert (changed["rpm"], changed["allowed_models"], changed["task_ids"]) == (None, None, [])
    assert (changed["daily_quota"], changed["username"]) == (20, None)
    assert (await api.patch(path, {}))["name"] == "Ada L."
    for field in ("email", "name", "role", "is_active", "task_ids", "password"):
        await api.patch(path, {field: None}, 422)


async def test_limits_can_be_given_to_a_user_that_has_no_row_of_them(api: Api, people: People) -> None:
    user_id = await people.add()
    assert (await api.patch(f"/users/{user_id}", {"tpm": 7}))["tpm"] == 7


async def test_deactivation_stops_tokens_and_can_be_taken_back(api: Api, client: Client) -> None:
    user = await api.post("/users", NEW, 201)
    path = f"/users/{user['id']}"
    for _ in range(2):
        assert (await api.delete(path))["is_active"] is False
    await said(await of_user(client, user["api_token"]), 403)
    assert (await api.patch(path, {"is_active": True}))["is_active"] is True
    await said(await of_user(client, user["api_token"]), 200)


async def test_the_last_administrator_can_neither_leave_nor_step_down(api: Api, people: People) -> None:
    me = (await api.get("/users"))["data"][0]["id"]
    await api.delete(f"/users/{me}", 409)
    await api.patch(f"/users/{me}", {"role": "user"}, 409)
    await api.patch(f"/users/{me}", {"is_active": False}, 409)
    await api.patch(f"/users/{me}", {"role": "admin", "is_active": True, "name": "still here"}, 200)
    api = api.seen_by(await people.signed_in("admin"))
    await api.delete(f"/users/{me}")


async def test_a_block_is_explained_expires_and_can_be_ended(api: Api, client: Client, people: People) -> None:
    user = await api.post("/users", NEW, 201)
    path = f"/users/{user['id']}"
    blocked = await api.post(path + "/block", {"reason": "prompt injection", "minutes": 15})
    assert blocked["block_reason"] == "prompt injection"
    refused = await said(await of_user(client, user["api_token"]), 403)
    assert refused["code"] == "user_blocked"
    assert "prompt injection" in refused["detail"]

    async with people.pool.acquire() as conn:
        await conn.execute("UPDATE users SET blocked_until = now() - interval '1 second' WHERE id = $1", user["id"])
    assert (await api.get(path))["blocked_until"] is None
    await said(await of_user(client, user["api_token"]), 200)

    blocked = await api.post(path + "/block", {"reason": "until somebody has looked"})
    assert blocked["blocked_until"].startswith("9999")
    assert [row["id"] for row in (await api.get("/users?blocked=true"))["data"]] == [user["id"]]
    unblocked = await api.post(path + "/unblock", {"reason": "looked"})
    assert (unblocked["blocked_until"], unblocked["block_reason"]) == (None, None)
    await said(await of_user(client, user["api_token"]), 200)
    for body in ({}, {"reason": ""}, {"reason": "x", "minutes": 0}, {"reason": "x", "minutes": 10**12}):
        await api.post(path + "/block", body, 422)
    await api.post(path + "/unblock", {}, 422)


async def test_ids_that_nobody_has_are_not_found(api: Api) -> None:
    for user_id in (
        "0",
        "999999",
        "9223372036854775807",
        "9223372036854775808",
        "9" * 30,
        "9" * 31,
        "-1",
        "abc",
        "1.5",
    ):
        for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
            answer = await api.call(method, f"/users/{user_id}", 404, json=body)
            assert answer["code"] == "not_found"
        await api.post(f"/users/{user_id}/block", {"reason": "x"}, 404)
        await api.post(f"/users/{user_id}/unblock", {"reason": "x"}, 404)


async def test_pages_show_every_user_once_whatever_is_added_meanwhile(api: Api, people: People) -> None:
    for _ in range(7):
        await people.add()
    seen, cursor = [], None
    while True:
        params = {"limit": "3", **({"cursor": cursor} if cursor else {})}
        page = await api.get("/users", params=params)
        seen += [user["id"] for user in page["data"]]
        await people.add()
        cursor = page["next_cursor"]
        assert page["has_more"] == (cursor is not None)
        if cursor is None:
            break
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 8


async def test_filters_narrow_and_wildcards_are_just_letters(api: Api, people: People) -> None:
    await people.add("user", "per%cent@example.com")
    await people.add("user", "under_score@example.com")
    await people.add("risk_officer", "back\\slash@example.com")

    async def found(**params: str) -> list[str]:
        return [user["email"] for user in (await api.get("/users", params=params))["data"]]

    assert await found(search="%") == ["per%cent@example.com"]
    assert await found(search="_S") == ["under_score@example.com"]
    assert await found(search="\\") == ["back\\slash@example.com"]
    assert await found(search="R%C") == ["per%cent@example.com"]
    assert await found(search="' OR 1=1 --") == []
    assert await found(email="PER%cent@example.com") == ["per%cent@example.com"]
    assert await found(email="%") == []
    assert await found(role="risk_officer") == ["back\\slash@example.com"]
    assert await found(is_active="false") == []
    for wrong in (
        {"rolle": "user"},
        {"role": "owner"},
        {"limit": "many"},
        {"is_active": "perhaps"},
        {"search": "\x00"},
    ):
        await api.get("/users", 422, params=wrong)


async def test_cursors_of_our_own_making_alone_are_taken(api: Api) -> None:
    for cursor in ("", "garbage", "W10", "WyJ4Il0", "WzEsMl0", "Wy0xXQ", "WzFlMzBd", "ÿ", "A" * 5000):
        answer = await api.get("/users", 400, params={"cursor": cursor})
        assert answer["code"] == "invalid_cursor"


async def test_limits_of_pages_are_clamped(api: Api, people: People) -> None:
    await people.add()
    assert len((await api.get("/users?limit=0"))["data"]) == 1
    assert len((await api.get("/users?limit=-5"))["data"]) == 1
    assert len((await api.get("/users?limit=100000"))["data"]) == 2


async def test_every_write_leaves_one_audit_row_that_says_who_what_and_why(api: Api) -> None:
    user = await api.post("/users", {**NEW, "password": "a pulse every 3 hours"}, 201)
    path = f"/users/{user['id']}"
    await api.patch(path, {"name": "Ada L.", "password": "a pulse every 4 hours"})
    await api.post(path + "/block", {"reason": "why not"})
    await api.post(path + "/unblock", {"reason": "why"})
    await api.delete(path)
    entries = (await api.get("/audit", params={"object_type": "users", "object_id": str(user["id"])}))["data"]
    actions = ["users:deactivate", "users:unblock", "users:block", "users:update", "users:create"]
    assert [entry["action"] for entry in entries] == actions
    assert {(entry["actor_kind"], entry["ip"]) for entry in entries} == {("user", "127.0.0.1")}
    assert {entry["actor_id"] for entry in entries} == {user["id"] - 1}
    assert [entry["reason"] for entry in entries] == [None, "why", "why not", "password changed", None]
    assert entries[3]["before"]["name"] == "Ada"
    assert entries[3]["after"]["name"] == "Ada L."
    assert entries[4]["before"] is None
    assert "3 hours" not in str(entries)
    assert "argon2" not in str(entries)
    assert user["api_token"] not in str(await api.get("/audit"))


async def test_no_reply_holds_a_hash_or_another_token(api: Api) -> None:
    user = await api.post("/users", {**NEW, "password": "a pulse every 3 hours"}, 201)
    for path in ("/users", f"/users/{user['id']}", "/tokens", f"/tokens/{user['token_id']}", "/audit"):
        text = str(await api.get(path))
        assert "argon2" not in text
        assert "hash" not in text
        assert user["api_token"] not in text
