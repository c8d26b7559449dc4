"""Teams: their making, their members, what they share and what it came to."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from gateway.exchange import Limits
from gateway.quota.base import Ask, Scope, team_scope
from tests.admin.conftest import Api, People

TODAY = datetime.now(UTC).date()


async def a_team(api: Api, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.post("/teams", {"name": "research", **changes}, 201)
    return made


async def use(people: People, team_id: int, day: date, user_id: int, micros: int) -> None:
    await people.pool.execute(
        "INSERT INTO team_usage_daily VALUES ($1, $2, $3, 2, 1, 10, 5, 15, $4, 1)", team_id, day, user_id, micros
    )


async def test_a_team_is_made_changed_listed_and_deleted(api: Api) -> None:
    made = await a_team(api, allowed_models=["fast"], rpm=5, weekly_budget_micros=700, soft_weekly_budget_micros=500)
    path = f"/teams/{made['id']}"
    assert await api.get(path) == made
    assert (made["members"], made["weekly_budget_micros"], made["daily_quota"]) == (0, 700, None)
    changed = await api.patch(path, {"weekly_budget_micros": None, "daily_quota": 9, "allowed_models": None})
    differs = {"weekly_budget_micros": None, "daily_quota": 9, "allowed_models": None}
    assert changed == {**made, **differs, "updated_at": changed["updated_at"]}
    await a_team(api, name="sales")
    assert [team["name"] for team in (await api.get("/teams"))["data"]] == ["sales", "research"]
    assert [team["name"] for team in (await api.get("/teams?search=SEAR"))["data"]] == ["research"]
    page = await api.get("/teams?limit=1")
    assert [team["name"] for team in (await api.get(f"/teams?cursor={page['next_cursor']}"))["data"]] == ["research"]
    await api.delete(path, 204)
    await api.get(path, 404)
    actions = [entry["action"] for entry in (await api.get("/audit"))["data"]]
    assert actions == ["teams:delete", "teams:create", "teams:update", "teams:create"]


async def test_names_are_unique_and_never_null(api: Api) -> None:
    made = await a_team(api)
    await api.post("/teams", {"name": "research"}, 409)
    await a_team(api, name="sales")
    await api.patch(f"/teams/{made['id']}", {"name": "sales"}, 409)
    for body in ({"name": None}, {"description": None}, {"rpm": -1}, {"surprise": 1}):
        await api.patch(f"/teams/{made['id']}", body, 422)
    await api.post("/teams", {}, 422)


async def test_members_come_and_go_and_each_is_on_record(api: Api, people: People) -> None:
    made, ann, bob = await a_team(api), await people.add(), await people.add()
    path = f"/teams/{made['id']}/members"
    assert (await api.post(path, {"user_ids": [ann, bob]}))["members"] == 2
    assert (await api.post(path, {"user_ids": [ann]}))["members"] == 2
    first = await api.get(f"{path}?limit=1")
    assert [member["user_id"] for member in first["data"]] == [ann]
    rest = await api.get(f"{path}?cursor={first['next_cursor']}")
    assert [member["user_id"] for member in rest["data"]] == [bob]
    assert (await api.get(f"/users/{ann}"))["team_id"] == made["id"]
    assert [user["id"] for user in (await api.get(f"/users?team_id={made['id']}"))["data"]] == [bob, ann]
    await api.delete(f"/teams/{made['id']}", 409)
    assert (await api.post(f"{path}/remove", {"user_ids": [ann]}))["members"] == 1
    assert (await api.get(f"/users/{ann}"))["team_id"] is None
    [gone] = (await api.get("/audit?action=teams:remove_member"))["data"]
    assert (gone["object_id"], gone["before"]["user_id"]) == (str(made["id"]), ann)


async def test_nobody_is_in_two_teams_and_nobody_unknown_is_in_one(api: Api, people: People) -> None:
    one, other, ann = await a_team(api), await a_team(api, name="sales"), await people.add()
    await api.post(f"/teams/{one['id']}/members", {"user_ids": [ann]})
    answer = await api.post(f"/teams/{other['id']}/members", {"user_ids": [ann]}, 409)
    assert str(ann) in answer["detail"]
    answer = await api.post(f"/teams/{other['id']}/members", {"user_ids": [99_999]}, 422)
    assert answer["detail"][0]["loc"] == ["body", "user_ids"]
    await api.post(f"/teams/{other['id']}/members/remove", {"user_ids": [ann]}, 422)
    await api.post(f"/teams/{other['id']}/members", {"user_ids": []}, 422)
    assert (await api.get(f"/users/{ann}"))["team_id"] == one["id"]


async def test_what_a_team_used_is_told_by_member_the_former_too(api: Api, people: People) -> None:
    made, ann = await a_team(api), await people.add(email="ann@example.com")
    await use(people, made["id"], TODAY, ann, 70)
    await use(people, made["id"], TODAY.replace(day=1) - timedelta(days=1), ann, 1000)
    await use(people, made["id"], TODAY, 99_999, 100)
    await use(people, made["id"] + 1, TODAY, ann, 5000)
    report = await api.get(f"/teams/{made['id']}/usage")
    assert [(row["user_id"], row["email"], row["cost_micros"]) for row in report["data"]] == [
        (99_999, None, 100),
        (ann, "ann@example.com", 70),
    ]
    assert (report["totals"]["cost_micros"], report["totals"]["unpriced"], report["totals"]["requests"]) == (170, 2, 4)
    assert (report["from"], report["to"]) == (str(TODAY.replace(day=1)), str(TODAY))
    older = await api.get(f"/teams/{made['id']}/usage", params={"from": str(TODAY - timedelta(days=40))})
    assert older["totals"]["cost_micros"] == 1170
    await api.get(f"/teams/{made['id']}/usage?from=2026-02-02&to=2026-02-01", 422)


async def test_a_team_s_windows_are_seen_by_staff_and_by_its_members(api: Api, people: People) -> None:
    made = await a_team(api, daily_budget_micros=1000, rpm=5)
    user = await api.post("/users", {"email": "ann@example.com", "name": "Ann"}, 201)
    await api.post(f"/teams/{made['id']}/members", {"user_ids": [user["id"]]})
    shared = team_scope(made["id"], Limits(daily_budget_micros=1000, rpm=5))
    done = Ask("done", [Scope(user["id"], None, Limits(rpm=9)), shared], 30, 30, 400)
    await people.deps.quota.reserve(done)
    people.deps.quota.settle(done, 30, 300)
    windows = await api.get(f"/teams/{made['id']}/quota")
    budget = windows["daily_budget_micros"]
    assert (budget["limit"], budget["used"], budget["remaining"]) == (1000, 300, 700)
    me = api.seen_by({"Authorization": f"Bearer {user['api_token']}"}, "/api/v1/user")
    mine = (await me.get("/quota"))["team"]
    assert (mine["id"], mine["name"]) == (made["id"], "research")
    assert mine["daily_budget_micros"] == budget
    assert mine["requests_per_minute"]["used"] == 1


async def test_ids_that_no_team_has_are_not_found(api: Api) -> None:
    for page in ("", "/members", "/usage", "/quota"):
        await api.get(f"/teams/999{page}", 404)
    await api.patch("/teams/999", {"rpm": 1}, 404)
    await api.delete("/teams/999", 404)
    await api.post("/teams/999/members", {"user_ids": [1]}, 404)
