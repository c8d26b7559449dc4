"""The calls that the project's first document shows, as it shows them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from admin.app import AdminDeps
from tests.admin.conftest import PASSWORD, Client, People, make_app, said


async def test_an_administrator_signs_in_by_form_and_makes_a_user(client: Client, people: People) -> None:
    await people.add("admin", "admin@yourcompany.com", password=True)
    response = await client.post(
        "/api/v1/auth/login",
        data=f"username=admin@yourcompany.com&password={PASSWORD.replace(' ', '+')}",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    session = await said(response, 200)
    assert session["token_type"] == "bearer"
    assert session["expires_in"] == 1800
    assert session["user"]["role"] == "admin"

    response = await client.post(
        "/api/v1/admin/users",
        headers={"Authorization": f"Bearer {session['access_token']}", "Content-Type": "application/json"},
        data=b"""{
    "email": "user@example.com",
    "name": "John Doe",
    "daily_quota": 10000,
    "monthly_quota": 300000
  }""",
    )
    user = await said(response, 201)
    assert user["email"] == "user@example.com"
    assert user["name"] == "John Doe"
    assert (user["daily_quota"], user["monthly_quota"]) == (10000, 300000)
    assert user["api_token"].startswith("gf_")

    for page in ("profile", "usage", "quota"):
        response = await client.get(f"/api/v1/user/{page}", headers={"Authorization": f"Bearer {user['api_token']}"})
        await said(response, 200)


async def test_every_listed_page_of_the_administrator_answers(client: Client, people: People) -> None:
    headers = await people.signed_in("admin")
    for path in ("users", "logs", "analytics/usage"):
        await said(await client.get(f"/api/v1/admin/{path}", headers=headers), 200)


async def test_the_documented_password_of_development_signs_in(
    aiohttp_client: Callable[..., Awaitable[Client]], deps: AdminDeps, people: People
) -> None:
    client = await aiohttp_client(make_app(replace(deps, password_min_length=6)))
    user_id = await people.add("admin", "admin@yourcompany.com")
    async with people.pool.acquire() as conn:
        hashed = await deps.passwords.hash("admin123")
        await conn.execute("UPDATE users SET hashed_password = $1 WHERE id = $2", hashed, user_id)
    login = {"username": "admin@yourcompany.com", "password": "admin123"}
    await said(await client.post("/api/v1/auth/login", data=login), 200)
