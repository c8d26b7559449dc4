"""Signing in and out, by people and by those who guess."""

import asyncio
import io
import itertools
import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest

from tests.admin.conftest import PASSWORD, SECRET, Api, Client, People, said

LOGIN = "/api/v1/auth/login"
EMAIL = "ada@example.com"


async def sign_in(client: Client, password: str = PASSWORD, expect: int = 200, email: str = EMAIL) -> Any:
    return await said(await client.post(LOGIN, json={"email": email, "password": password}), expect)


async def age_attempts(people: People, seconds: int) -> None:
    async with people.pool.acquire() as conn:
        await conn.execute("UPDATE login_attempts SET last_at = last_at - make_interval(secs => $1)", seconds)


def bearer(session: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {session['access_token']}"}


def told(kind: str, name: str) -> dict[str, Any]:
    """The options of a request that signs in with `name` in a body of this kind."""
    fields = {name: "ADA@example.com", "password": PASSWORD, "grant_type": "password"}
    part = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    multipart = "".join(part.format(key, value) for key, value in fields.items()) + "--x--\r\n"
    bodies: dict[str, dict[str, Any]] = {
        "form": {"data": fields},
        "json": {"json": fields},
        "multipart": {"data": multipart, "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        "untyped": {"data": json.dumps(fields).encode(), "skip_auto_headers": ["Content-Type"]},
    }
    return bodies[kind]


@pytest.mark.slow
async def test_form_json_and_multipart_sign_in_by_either_name_at_either_path(client: Client, people: People) -> None:
    user_id = await people.add("risk_officer", EMAIL, password=True)
    for kind, name, path in itertools.product(
        ("form", "json", "multipart", "untyped"), ("username", "email"), (LOGIN, "/auth/login")
    ):
        session = await said(await client.post(path, **told(kind, name)), 200)
        assert session["user"] == {"id": user_id, "email": EMAIL, "name": "risk_officer 1", "role": "risk_officer"}
        me = await said(await client.get(path.replace("login", "me"), headers=bearer(session)), 200)
        assert me["id"] == user_id
        assert "logs:read" in me["permissions"]
        assert me["last_login_at"].endswith("Z")


async def test_a_wrong_password_an_unknown_and_a_deactivated_user_get_the_same_answer(
    client: Client, people: People
) -> None:
    await people.add("admin", EMAIL, password=True)
    gone = await people.add("admin", "gone@example.com", password=True)
    await people.add("user", "nopassword@example.com")
    async with people.pool.acquire() as conn:
        await conn.execute("UPDATE users SET is_active = false WHERE id = $1", gone)
    answers = [
        await sign_in(client, "wrong", 401),
        await sign_in(client, email="gone@example.com", expect=401),
        await sign_in(client, email="nopassword@example.com", expect=401),
        await sign_in(client, email="nobody@example.com", expect=401),
    ]
    assert {(answer["detail"], answer["code"]) for answer in answers} == {
        ("Incorrect email or password", "bad_credentials")
    }


async def test_five_wrong_tries_bring_delays_that_grow_and_end(client: Client, people: People) -> None:
    await people.add("admin", EMAIL, password=True)
    for _ in range(5):
        await sign_in(client, "wrong", 401)
    response = await client.post(LOGIN, json={"email": EMAIL, "password": PASSWORD})
    refused = await said(response, 429)
    assert refused["code"] == "too_many_attempts"
    assert response.headers["Retry-After"] == "2"
    await age_attempts(people, 2)
    await sign_in(client, "wrong", 401)
    response = await client.post(LOGIN, json={"email": EMAIL, "password": PASSWORD})
    assert response.headers["Retry-After"] == "4"
    await age_attempts(people, 4)
    await sign_in(client)
    await sign_in(client, "wrong", 401)


async def test_the_delay_is_never_longer_than_a_quarter_of_an_hour(client: Client, people: People) -> None:
    await people.add("admin", EMAIL, password=True)
    await sign_in(client, "wrong", 401)
    async with people.pool.acquire() as conn:
        await conn.execute("UPDATE login_attempts SET failures = 1000000000")
    response = await client.post(LOGIN, json={"email": EMAIL, "password": PASSWORD})
    assert 890 < int(response.headers["Retry-After"]) <= 900
    await age_attempts(people, 900)
    await sign_in(client)


async def test_a_stranger_s_guesses_do_not_keep_out_an_owner_at_a_known_address(client: Client, people: People) -> None:
    await people.add("admin", EMAIL, password=True)
    await sign_in(client)
    async with people.pool.acquire() as conn:
        await conn.execute("UPDATE login_attempts SET failures = 1000, last_at = now() WHERE subject LIKE 'account:%'")
    await sign_in(client)
    async with people.pool.acquire() as conn:
        await conn.execute(
            "UPDATE login_attempts SET succeeded_at = now() - interval '31 days' WHERE subject LIKE 'pair:%'"
        )
        await conn.execute("UPDATE login_attempts SET failures = 1000, last_at = now() WHERE subject LIKE 'account:%'")
    await sign_in(client, expect=429)


async def test_one_address_can_t_try_many_accounts(client: Client, people: People) -> None:
    await sign_in(client, "wrong", 401)
    async with people.pool.acquire() as conn:
        await conn.execute("UPDATE login_attempts SET failures = 60 WHERE subject LIKE 'address:%'")
    await sign_in(client, "wrong", 429, email="somebody-else@example.com")


async def test_tries_at_the_same_time_are_all_counted(client: Client, people: People) -> None:
    await people.add("admin", EMAIL, password=True)
    tries = [client.post(LOGIN, json={"email": EMAIL, "password": "wrong"}) for _ in range(20)]
    statuses = [response.status for response in await asyncio.gather(*tries)]
    assert sorted(statuses) == [401] * 5 + [429] * 15


async def test_a_refresh_token_works_once_and_its_return_ends_the_session(client: Client, people: People) -> None:
    await people.add("admin", EMAIL, password=True)
    first = await sign_in(client)
    second = await said(await client.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]}), 200)
    assert second["refresh_token"] != first["refresh_token"]
    await said(await client.get("/auth/me", headers=bearer(second)), 200)

    stolen = await client.post("/auth/refresh", data={"refresh_token": first["refresh_token"]})
    await said(stolen, 401)
    await said(await client.post("/auth/refresh", json={"refresh_token": second["refresh_token"]}), 401)
    await said(await client.get("/auth/me", headers=bearer(second)), 401)
    await said(await client.get("/auth/me", headers=bearer(first)), 401)


async def test_of_two_refreshes_at_once_one_wins(client: Client, people: People) -> None:
    await people.add("admin", EMAIL, password=True)
    token = {"refresh_token": (await sign_in(client))["refresh_token"]}
    responses = await asyncio.gather(*(client.post("/auth/refresh", json=token) for _ in range(4)))
    assert sorted(response.status for response in responses) == [200, 401, 401, 401]


async def test_an_expired_or_made_up_refresh_token_is_refused(client: Client, people: People) -> None:
    await people.add("admin", EMAIL, password=True)
    session = await sign_in(client)
    async with people.pool.acquire() as conn:
        await conn.execute("UPDATE refresh_tokens SET expires_at = now() - interval '1 second'")
    for token in (session["refresh_token"], "gfr_nonsense", ""):
        await said(await client.post("/auth/refresh", json={"refresh_token": token}), 401)


async def test_signing_out_ends_the_access_token_too(client: Client, people: People) -> None:
    await people.add("admin", EMAIL, password=True)
    for by_bearer in (True, False):
        session, other = await sign_in(client), await sign_in(client)
        if by_bearer:
            response = await client.post("/api/v1/auth/logout", headers=bearer(session))
        else:
            response = await client.post("/auth/logout", json={"refresh_token": session["refresh_token"]})
        await said(response, 204)
        await said(await client.get("/auth/me", headers=bearer(session)), 401)
        await said(await client.post("/auth/refresh", json={"refresh_token": session["refresh_token"]}), 401)
        await said(await client.get("/auth/me", headers=bearer(other)), 200)


async def test_signing_out_as_nobody_is_refused(client: Client) -> None:
    await said(await client.post("/auth/logout"), 401)


@pytest.mark.parametrize(
    "change", [{"role": "ml_engineer"}, {"password": "another good password"}, {"is_active": False}, None]
)
async def test_a_new_role_password_or_deactivation_ends_the_sessions_at_once(
    api: Api, client: Client, people: People, change: dict[str, Any] | None
) -> None:
    user_id = await people.add("risk_officer", EMAIL, password=True)
    session = await sign_in(client)
    await said(await client.get("/auth/me", headers=bearer(session)), 200)
    if change is None:
        await api.delete(f"/users/{user_id}")
    else:
        await api.patch(f"/users/{user_id}", change)
    await said(await client.get("/auth/me", headers=bearer(session)), 401)
    await said(await client.post("/auth/refresh", json={"refresh_token": session["refresh_token"]}), 401)


def forged(user_id: int, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"sub": str(user_id), "sid": str(uuid4()), "ver": 0, "iss": "guardflow", "aud": "guardflow", "jti": "x"}
    return {**claims, "iat": now, "exp": now + 60, **changes}


FORGERIES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),  # right in everything, but no such session
    ({"exp": int(time.time()) - 60}, {}),
    ({"iss": "somebody"}, {}),
    ({"aud": "somebody"}, {}),
    ({"sub": "x"}, {}),
    ({"sub": "99999999999999999999999"}, {}),
    ({"ver": 2**40}, {}),
    ({"sid": 7}, {}),
    ({"sid": None}, {}),
    ({}, {"key": "another secret, of more than thirty-two bytes"}),
    ({}, {"algorithm": "HS512"}),
    ({}, {"key": None, "algorithm": "none"}),
    ({}, {"headers": {"kid": "../../dev/null"}}),
    ({}, {"headers": {"jku": "http://attacker.example"}}),
]


async def test_forged_tokens_are_refused(client: Client, people: People) -> None:
    user_id = await people.add("admin")
    for claims, options in FORGERIES:
        token = jwt.encode(forged(user_id, **claims), **{"key": SECRET, "algorithm": "HS256", **options})
        await said(await client.get("/api/v1/admin/users", headers={"Authorization": f"Bearer {token}"}), 401)


async def test_a_token_without_one_of_its_claims_is_refused(client: Client, people: People) -> None:
    whole = forged(await people.add("admin"))
    for missing in ("exp", "iat", "iss", "aud", "jti", "sub", "sid", "ver"):
        claims = {name: claim for name, claim in whole.items() if name != missing}
        token = jwt.encode(claims, SECRET, "HS256")
        await said(await client.get("/auth/me", headers={"Authorization": f"Bearer {token}"}), 401)


NO_SIGN_INS: list[tuple[dict[str, Any], int]] = [
    ({"json": {"email": EMAIL}}, 422),
    ({"json": {"password": "x"}}, 422),
    ({"json": {"email": 5, "password": "x"}}, 422),
    ({"json": ["a"]}, 422),
    ({"json": {"email": "a\x00b@example.com", "password": "x"}}, 422),
    ({"json": {"email": EMAIL, "password": "x" * 1025}}, 422),
    ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 422),
    ({"data": b"<xml/>", "headers": {"Content-Type": "application/xml"}}, 415),
    ({"data": b"username=%ff&password=x", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415),
    ({"data": io.BytesIO(b"x" * (1024 * 1024 + 1))}, 413),
]


async def test_what_is_no_sign_in_is_refused_without_repeating_the_password(client: Client) -> None:
    for options, status in NO_SIGN_INS:
        answer = await said(await client.post(LOGIN, **options), status)
        assert "xxxx" not in str(answer)
        assert answer["detail"]


async def test_passwords_and_tokens_are_in_no_log_and_no_audit_row(
    api: Api, client: Client, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await people.add("admin", EMAIL, password=True)
    session = await sign_in(client)
    await sign_in(client, "hunter2-hunter2", 401)
    entries = await api.get("/audit")
    actions = [entry["action"] for entry in entries["data"]]
    assert actions == ["users:login_failed", "users:login"]
    for secret in (PASSWORD, "hunter2-hunter2", session["refresh_token"], session["access_token"]):
        assert secret not in caplog.text
        assert secret not in str(entries)
