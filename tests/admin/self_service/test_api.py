"""What users see of themselves, and of nobody else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.exchange import Limits
from gateway.quota.base import Ask, Scope
from gateway.tokens.base import new_token
from tests.admin.analytics.test_api import TODAY, spend
from tests.admin.conftest import Api, Client, People, said


async def own(api: Api, people: People) -> tuple[int, Api]:
    made = await api.post("/users", {"email": "ada@example.com", "name": "Ada", "daily_quota": 1000}, 201)
    return made["id"], api.seen_by({"Authorization": f"Bearer {made['api_token']}"}, "/api/v1/user")


async def test_the_profile_tells_who_with_what_and_how_much(api: Api, people: People) -> None:
    user_id, me = await own(api, people)
    await spend(people, TODAY, 0, 5, user_id=user_id)
    await spend(people, TODAY - timedelta(days=400), 0, 50, user_id=user_id)
    await spend(people, TODAY, 0, 500, user_id=user_id + 1)
    profile = await me.get("/profile")
    assert (profile["id"], profile["email"], profile["name"], profile["role"]) == (
        user_id,
        "ada@example.com",
        "Ada",
        "user",
    )
    assert profile["tasks"] == [{"id": 1, "name": "general", "allowed_intents": []}]
    stats = profile["stats"]
    assert stats["today"] == {"requests": 2, "total_tokens": 10, "cost_micros": 50}
    assert stats["month"]["total_tokens"] == 10
    assert stats["total"] == {"requests": 4, "total_tokens": 110, "cost_micros": 550}
    assert stats["active_tokens"] == 1


async def test_usage_is_by_day_with_totals_and_one_s_own(api: Api, people: People) -> None:
    user_id, me = await own(api, people)
    assert await me.get("/usage") == {
        "data": [],
        "totals": {
            "requests": 0,
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "total_tokens": 0,
            "cost_micros": 0,
            "unpriced": 0,
        },
    }
    await spend(people, TODAY, 0, 5, user_id=user_id, model="a")
    await spend(people, TODAY, 0, 6, user_id=user_id, model="b")
    await spend(people, TODAY - timedelta(days=60), 0, 50, user_id=user_id)
    await spend(people, TODAY, 0, 500, user_id=user_id + 1)
    sums = {
        "requests": 4, "prompt_tokens": 11, "completion_tokens": 11, "total_tokens": 22, "cost_micros": 110,
        "unpriced": 2,
    }  # fmt: skip
    assert await me.get("/usage") == {"data": [{"day": str(TODAY), **sums}], "totals": sums}
    older = await me.get("/usage", params={"from": str(TODAY - timedelta(days=61)), "to": str(TODAY)})
    assert older["totals"]["total_tokens"] == 100
    for query in ("from=2026-02-01&to=2026-01-01", "from=1990-01-01", "user_id=1", "from=x"):
        await me.get(f"/usage?{query}", 422)


async def test_the_quota_tells_limits_what_is_used_and_what_is_reserved(api: Api, people: People) -> None:
    user_id, me = await own(api, people)
    store = people.deps.quota
    scope = Scope(user_id, None, Limits(rpm=600, daily_tokens=1000))
    done = Ask("done", [scope], tokens=300, min_tokens=100)
    await store.reserve(done)
    store.settle(done, 250, 0)
    await store.reserve(Ask("open", [scope], tokens=300, min_tokens=100))
    said_quota = await me.get("/quota")
    daily = said_quota["daily"]
    assert (daily["limit"], daily["used"], daily["reserved"], daily["remaining"]) == (1000, 250, 300, 450)
    tomorrow = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), datetime.min.time(), UTC)
    assert datetime.fromisoformat(daily["resets_at"]) == tomorrow
    assert said_quota["requests_per_minute"]["limit"] == 600  # everyone's, having none of one's own
    assert said_quota["monthly"]["limit"] is None
    assert said_quota["monthly"]["remaining"] is None
    assert set(said_quota) == {
        "daily",
        "monthly",
        "requests_per_minute",
        "tokens_per_minute",
        "concurrent",
        "monthly_budget_micros",
        "weekly_budget_micros",
        "daily_budget_micros",
        "team",
    }
    assert said_quota["team"] is None


async def test_a_session_sees_itself_as_a_token_does(api: Api, people: People) -> None:
    user_id = await people.add("risk_officer")
    me = replace(api, headers=await people.session(user_id), prefix="/api/v1/user")
    assert (await me.get("/profile"))["id"] == user_id
    assert (await me.get("/quota"))["daily"]["limit"] == 1_000_000
    await me.get("/usage")


async def test_nobody_sees_anything_without_a_token_that_counts(client: Client) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"x-api-key": new_token()}, {"Authorization": "Basic x"}):
        for page in ("profile", "usage", "quota"):
            answer = await said(await client.get(f"/api/v1/user/{page}", headers=headers), 401)
            assert answer["code"] == "invalid_api_key"
