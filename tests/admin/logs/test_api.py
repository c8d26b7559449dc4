"""The request log: its shape, its pages, its filters."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.admin.conftest import Api, People

SHAPE = [
    "id",
    "request_id",
    "at",
    "user_id",
    "token_id",
    "task_id",
    "model",
    "upstream_model",
    "provider",
    "status",
    "error_code",
    "stream",
    "intent",
    "intent_confidence",
    "deviation_score",
    "misuse_score",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cost_micros",
    "ttfb_ms",
    "total_ms",
    "overhead_ms",
    "team_id",
]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


async def put(people: People, at: datetime, **columns: Any) -> UUID:
    row = {"endpoint": "chat/completions", "status": 200, "total_ms": 12.5, "overhead_ms": 0.4, **columns}
    row_id = uuid4()
    names = ", ".join(["id", "at", "request_id", *row])
    places = ", ".join(f"${place}" for place in range(1, len(row) + 4))
    async with people.pool.acquire() as conn:
        await conn.execute(
            f"INSERT INTO request_logs ({names}) VALUES ({places})", row_id, at, f"req_{row_id.hex}", *row.values()
        )
    return row_id


async def found(api: Api, **params: str) -> list[UUID]:
    return [UUID(row["id"]) for row in (await api.get("/logs", params=params))["data"]]


async def test_a_row_has_the_documented_shape(api: Api, people: People) -> None:
    row_id = await put(people, NOON, user_id=3, model="fast", misuse_score=0.25, cost_micros=7)
    [row] = (await api.get("/logs"))["data"]
    assert list(row) == SHAPE
    assert row["id"] == str(row_id)
    assert row["at"] == "2026-11-20T12:00:00Z"
    assert (row["user_id"], row["model"], row["misuse_score"], row["cost_micros"]) == (3, "fast", 0.25, 7)
    assert row["token_id"] is None


async def test_pages_go_back_in_time_over_months_and_equal_moments(api: Api, people: People) -> None:
    moments = [NOON - timedelta(days=20 * (number // 3)) for number in range(9)]
    ids = {await put(people, at): at for at in moments}
    seen: list[UUID] = []
    cursor = None
    while True:
        page = await api.get("/logs", params={"limit": "2", **({"cursor": cursor} if cursor else {})})
        seen += [UUID(row["id"]) for row in page["data"]]
        if not page["has_more"]:
            break
        cursor = page["next_cursor"]
    assert seen == sorted(ids, key=lambda row_id: (ids[row_id], row_id), reverse=True)


async def test_each_filter_narrows(api: Api, people: People) -> None:
    other = await put(people, NOON - timedelta(hours=2), user_id=1, token_id=1, task_id=1, model="a", intent="math")
    columns = {"user_id": 2, "token_id": 22, "task_id": 222, "model": "b%", "status": 429, "intent": "coding"}
    row_id = await put(people, NOON, **columns, misuse_score=0.9)
    for name, value in columns.items():
        assert await found(api, **{name: str(value)}) == [row_id], name
    assert await found(api, request_id=f"req_{row_id.hex}") == [row_id]
    assert await found(api, min_misuse="0.9") == [row_id]
    assert await found(api, min_misuse="0.91") == []
    assert await found(api, model="%") == []
    assert await found(api, **{"from": "2026-11-20T12:00:00Z"}) == [row_id]
    assert await found(api, to="2026-11-20T12:00:00Z") == [other]
    assert await found(api, to="2026-11-20T13:00:00 01:00") == [other]  # a + that was not escaped
    assert await found(api, **{"from": "2026-11-20"}) == [row_id, other]
    assert await found(api, user_id="2", status="200") == []
    assert await found(api) == [row_id, other]


WRONG = [
    "user_id=x",
    "user_id=99999999999999999999",
    "status=99999999999",
    "min_misuse=2",
    "min_misuse=nan",
    "from=soon",
    "from=0001-01-01",
    "unknown=1",
    "order=at;drop",
    "model=%00",
]


async def test_filters_that_mean_nothing_are_refused(api: Api) -> None:
    for query in WRONG:
        await api.get(f"/logs?{query}", 422)


async def test_cursors_of_other_lists_are_refused(api: Api) -> None:
    for cursor in ("WzFd", "WyJ4IiwgInkiXQ", "WyIyMDI2LTExLTIwIiwgMV0", "W251bGwsbnVsbF0"):
        await api.get("/logs", 400, params={"cursor": cursor})
