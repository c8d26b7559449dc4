"""A limit of 100 is 100: however many ask at once, whatever dialect they speak, over any number of workers."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.e2e.conftest import PLENTY, MakeGateway
from tests.e2e.ledger import LedgerReader
from tests.e2e.raw_client import Connection, Heard
from tests.e2e.staff import Caller, Staff, quota_of

ASKED, ALLOWED = 1_000, 100
DIALECTS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello."}]}),
    ("/api/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello."}], "stream": True}),
    ("/v1/messages", {"messages": [{"role": "user", "content": "Hello."}], "max_tokens": 8}),
    ("/v1/responses", {"input": "Hello."}),
]


async def all_at_once(base_url: str, callers: list[Caller]) -> list[Heard]:
    """Everybody is connected before anybody asks."""
    connections = [await Connection.open(base_url) for _ in range(ASKED)]

    async def one(number: int, connection: Connection) -> Heard:
        path, body = DIALECTS[number % len(DIALECTS)]
        return await connection.ask(callers[number % len(callers)].token, {"model": "echo", **body}, path=path)

    return await asyncio.gather(*(one(number, connection) for number, connection in enumerate(connections)))


@pytest.mark.parametrize("workers", [1, 2])
async def test_of_a_thousand_at_once_just_a_hundred_pass(gateway: MakeGateway, workers: int) -> None:
    config = {"providers": {"echo": {"type": "echo"}}, "limits": PLENTY}
    process = gateway(config, workers=workers)
    staff = Staff(process.base_url)
    user = staff.caller(rpm=ALLOWED)
    callers = [user, staff.token(user)]

    heard = await all_at_once(process.base_url, callers)

    assert Counter(one.status for one in heard) == {200: ALLOWED, 429: ASKED - ALLOWED}
    refused = [one for one in heard if one.status == 429]
    assert all(1 <= int(one.headers["retry-after"]) <= 60 for one in refused)
    assert {one.headers["x-guardflow-limit"] for one in refused} == {"rpm"}
    rows = LedgerReader(process.database_url).rows(user.user_id, at_least=ASKED)
    assert Counter((row["status"], row["error_code"]) for row in rows) == {
        (200, None): ALLOWED, (429, "rate_limit_exceeded"): ASKED - ALLOWED,
    }  # fmt: skip
    assert {row["total_tokens"] for row in rows if row["status"] == 429} == {0}
    quota = quota_of(process.base_url, user)
    assert quota["requests_per_minute"]["used"] == ALLOWED
    assert quota["daily"]["used"] == sum(row["total_tokens"] for row in rows)
    assert quota["concurrent"]["used"] == 0


async def test_tokens_that_are_reserved_are_nobody_elses(gateway: MakeGateway) -> None:
    """A quota of 1,000 tokens, asked for by 50 at once who want 100 each: nobody is promised what another may use."""
    config = {"providers": {"echo": {"type": "echo"}}, "limits": PLENTY}
    process = gateway(config, workers=2)
    user = Staff(process.base_url).caller(daily_quota=1_000)
    body = {"model": "echo", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello " * 60}]}
    connections = [await Connection.open(process.base_url) for _ in range(50)]
    heard = await asyncio.gather(*(connection.ask(user.token, body) for connection in connections))
    assert {one.status for one in heard} == {200, 429}
    rows = LedgerReader(process.database_url).rows(user.user_id, at_least=50)
    used = sum(row["total_tokens"] for row in rows)
    assert used <= 1_000
    quota = quota_of(process.base_url, user)
    assert (quota["daily"]["used"], quota["daily"]["reserved"]) == (used, 0)


async def test_a_team_s_money_is_spent_once_whoever_of_its_members_asks(gateway: MakeGateway) -> None:
    """A week's 2,000 micro-dollars, asked for by 60 at once, of two users on two workers, who want up to 260 each."""
    config = {
        "providers": {"echo": {"type": "echo"}}, "limits": PLENTY, "prices": {"echo/*": {"input": 1, "output": 2}},
    }  # fmt: skip
    process = gateway(config, workers=2)
    staff = Staff(process.base_url)
    users = [staff.caller(), staff.caller()]
    team = staff.do("POST", "/teams", {"name": "research", "weekly_budget_micros": 2_000})
    staff.do("POST", f"/teams/{team['id']}/members", {"user_ids": [user.user_id for user in users]})
    body = {"model": "echo", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello " * 60}]}
    connections = [await Connection.open(process.base_url) for _ in range(60)]
    heard = await asyncio.gather(
        *(connection.ask(users[number % 2].token, body) for number, connection in enumerate(connections))
    )
    assert {one.status for one in heard} == {200, 429}
    assert {one.headers["x-guardflow-limit"] for one in heard if one.status == 429} == {"weekly_budget_micros"}
    rows = [row for user in users for row in LedgerReader(process.database_url).rows(user.user_id, at_least=30)]
    assert {row["team_id"] for row in rows} == {team["id"]}
    cost = sum(row["cost_micros"] or 0 for row in rows)
    assert cost == sum(row["prompt_tokens"] + 2 * row["completion_tokens"] for row in rows)
    assert 0 < cost <= 2_000
    budget = quota_of(process.base_url, users[0])["team"]["weekly_budget_micros"]
    assert (budget["used"], budget["reserved"]) == (cost, 0)
    assert staff.do("GET", f"/teams/{team['id']}/usage")["totals"]["cost_micros"] == cost
