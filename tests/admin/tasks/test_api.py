"""Tasks: their making, their change, and why some can't be deleted."""

from tests.admin.conftest import Api, People


async def test_a_task_is_made_changed_listed_and_deleted(api: Api) -> None:
    made = await api.post("/tasks", {"name": "tutor", "description": "maths", "allowed_intents": ["math"]}, 201)
    path = f"/tasks/{made['id']}"
    assert await api.get(path) == made
    changed = await api.patch(path, {"allowed_intents": ["math", "coding"], "is_active": False})
    assert changed == {**made, "allowed_intents": ["math", "coding"], "is_active": False}
    assert [task["name"] for task in (await api.get("/tasks"))["data"]] == ["tutor", "general"]
    assert [task["name"] for task in (await api.get("/tasks?is_active=true"))["data"]] == ["general"]
    await api.delete(path, 204)
    await api.get(path, 404)
    actions = [entry["action"] for entry in (await api.get("/audit"))["data"]]
    assert actions == ["tasks:delete", "tasks:update", "tasks:create"]


async def test_a_task_may_have_a_budget(api: Api) -> None:
    made = await api.post("/tasks", {"name": "tutor", "weekly_budget_micros": 70, "soft_weekly_budget_micros": 50}, 201)
    assert (made["weekly_budget_micros"], made["daily_budget_micros"]) == (70, None)
    changed = await api.patch(f"/tasks/{made['id']}", {"weekly_budget_micros": None, "monthly_budget_micros": 9})
    assert changed == {**made, "weekly_budget_micros": None, "monthly_budget_micros": 9}
    await api.patch(f"/tasks/{made['id']}", {"daily_budget_micros": -1}, 422)
    await api.patch(f"/tasks/{made['id']}", {"rpm": 1}, 422)


async def test_intents_are_the_classifier_s(api: Api) -> None:
    answer = await api.post("/tasks", {"name": "x", "allowed_intents": ["math", "maths"]}, 422)
    assert answer["detail"][0]["loc"] == ["body", "allowed_intents"]
    assert "maths" in answer["detail"][0]["msg"]
    assert "coding" in answer["detail"][0]["msg"]
    await api.patch("/tasks/1", {"allowed_intents": ["nonsense"]}, 422)


async def test_names_are_unique_and_never_null(api: Api) -> None:
    made = await api.post("/tasks", {"name": "tutor"}, 201)
    await api.post("/tasks", {"name": "tutor"}, 409)
    await api.patch(f"/tasks/{made['id']}", {"name": "general"}, 409)
    await api.patch(f"/tasks/{made['id']}", {"name": None}, 422)
    await api.post("/tasks", {"name": ""}, 422)
    await api.post("/tasks", {}, 422)


async def test_a_task_that_somebody_has_is_not_deleted_from_under_them(api: Api, people: People) -> None:
    made = await api.post("/tasks", {"name": "tutor"}, 201)
    user_id = await people.add()
    await api.patch(f"/users/{user_id}", {"task_ids": [made["id"]]})
    await api.delete(f"/tasks/{made['id']}", 409)
    await api.patch(f"/users/{user_id}", {"task_ids": []})
    await api.delete(f"/tasks/{made['id']}", 204)
    await api.delete("/tasks/1", 409)


async def test_ids_that_no_task_has_are_not_found(api: Api) -> None:
    for task_id in ("0", "999", "9" * 30):
        await api.get(f"/tasks/{task_id}", 404)
        await api.patch(f"/tasks/{task_id}", {}, 404)
        await api.delete(f"/tasks/{task_id}", 404)
