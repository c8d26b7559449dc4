"""Reading the audit log."""

from tests.admin.conftest import Api


async def test_filters_and_pages(api: Api) -> None:
    for name in ("a", "b", "c"):
        await api.post("/tasks", {"name": name}, 201)
    await api.patch("/tasks/2", {"description": "new"})
    page = await api.get("/audit?limit=3")
    assert page["has_more"] is True
    assert [entry["object_id"] for entry in page["data"]] == ["2", "4", "3"]
    rest = await api.get("/audit", params={"limit": "3", "cursor": page["next_cursor"]})
    assert [entry["object_id"] for entry in rest["data"]] == ["2"]
    assert rest["next_cursor"] is None

    assert len((await api.get("/audit?action=tasks:create"))["data"]) == 3
    assert len((await api.get("/audit?object_type=tasks&object_id=2"))["data"]) == 2
    assert (await api.get("/audit?actor_id=999"))["data"] == []
    assert (await api.get("/audit?to=2020-01-01"))["data"] == []
    assert len((await api.get("/audit?from=2020-01-01"))["data"]) == 4
    for query in ("actor_id=x", "who=1", "from=x"):
        await api.get(f"/audit?{query}", 422)


async def test_only_what_changed_is_kept(api: Api) -> None:
    await api.post("/tasks", {"name": "a"}, 201)
    await api.patch("/tasks/2", {"description": "new", "name": "a"})
    entry = (await api.get("/audit"))["data"][0]
    assert (entry["before"], entry["after"]) == ({"description": ""}, {"description": "new"})
    assert entry["at"].endswith("Z")


async def test_nothing_changes_the_log(api: Api) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = await api.call(method, "/audit", 405)
        assert answer["code"] == "method_not_allowed"
