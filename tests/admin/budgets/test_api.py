"""The alerts of budgets, newest first."""

from tests.admin.conftest import Api, People

ADD = """
INSERT INTO budget_alerts (owner, owner_id, period, since, level, budget_micros, spent_micros)
VALUES ($1, $2, 'week', '2026-11-16', $3, 100, 120)
"""


async def test_alerts_are_listed_newest_first_and_by_whose_they_are(api: Api, people: People) -> None:
    for alert in (("user", 1, "soft"), ("user", 1, "hard"), ("team", 7, "soft"), ("task", 7, "soft")):
        await people.pool.execute(ADD, *alert)
    listed = (await api.get("/budgets/alerts"))["data"]
    assert [(alert["owner"], alert["level"]) for alert in listed] == [
        ("task", "soft"), ("team", "soft"), ("user", "hard"), ("user", "soft"),
    ]  # fmt: skip
    assert {name: listed[0][name] for name in ("owner_id", "period", "since", "budget_micros", "spent_micros")} == {
        "owner_id": 7, "period": "week", "since": "2026-11-16", "budget_micros": 100, "spent_micros": 120,
    }  # fmt: skip
    assert len((await api.get("/budgets/alerts?owner=user"))["data"]) == 2
    assert len((await api.get("/budgets/alerts?owner=user&owner_id=1&level=hard"))["data"]) == 1
    page = await api.get("/budgets/alerts?limit=2")
    assert [alert["level"] for alert in (await api.get(f"/budgets/alerts?cursor={page['next_cursor']}"))["data"]] == [
        "hard", "soft",
    ]  # fmt: skip
    await api.get("/budgets/alerts?owner=nobody", 422)
