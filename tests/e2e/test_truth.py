"""Everybody's books agree: the client's, the provider's, the request log, the rollups and the quotas, to the token."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.e2e.conftest import PLENTY, MakeGateway
from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.mixed_load import Booked, Books, Plan, booked, config, draw
from tests.e2e.raw_client import Heard, ask
from tests.e2e.scripted_upstream import ScriptedUpstream
from tests.e2e.staff import Caller, Staff, quota_of

CALLS, AT_ONCE, SEED = 10_000, 48, 20261122
SETTLED_WITHIN_S = 30.0

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A call, who made it, and what they heard."""

    plan: Plan
    caller: Caller
    heard: Heard


async def drive(base_url: str, callers: Sequence[Caller], hasty: Caller, plans: Sequence[Plan]) -> list[Told]:
    waiting, told = iter(plans), []

    async def client() -> None:
        for plan in waiting:
            caller = hasty if plan.leave_after == -1 else callers[plan.number % len(callers)]
            heard = await ask(base_url, caller.token, plan.body, leave_after=plan.leave_after)
            told.append(Told(plan, caller, heard))

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return told


async def test_ten_thousand_calls_of_every_fate_are_counted_alike_by_everyone(gateway: MakeGateway) -> None:
    books = Books()
    with ScriptedUpstream().running() as upstream:
        upstream.otherwise(books.script)
        process = gateway(config(upstream, PLENTY), workers=2)
        staff = Staff(process.base_url)
        users = [staff.caller() for _ in range(4)]
        callers, hasty = [*users, *(staff.token(user) for user in users)], staff.caller()

        told = await drive(process.base_url, callers, hasty, draw(CALLS, SEED))

        ledger = LedgerReader(process.database_url)
        patient = [one for one in told if one.caller is not hasty]
        await settled(process, users, ledger, len(patient))
        rows = {row["request_id"]: row for user in users for row in ledger.rows(user.user_id)}
        assert len(rows) == len(patient)
        books_of = booked(upstream.entries)
        for one in patient:
            agree(one, rows[str(one.heard.request_id)], books_of[one.plan.number])
        the_mix_was_a_mix(patient, rows)
        for user in [*users, hasty]:
            sums_agree(process, ledger, user)
        at_most_what_was_sent(ledger.rows(hasty.user_id), [one for one in told if one.caller is hasty], books_of)


async def settled(process: GatewayProcess, users: Sequence[Caller], ledger: LedgerReader, count: int) -> None:
    """Whoever left is noticed a moment later."""
    end = asyncio.get_running_loop().time() + SETTLED_WITHIN_S
    while asyncio.get_running_loop().time() < end:
        there = sum(ledger.usage(user.user_id)["requests"] for user in users)
        held = sum(quota_of(process.base_url, user)["concurrent"]["used"] for user in users)
        if there >= count and not held:
            return
        await asyncio.sleep(0.2)


def agree(one: Told, row: Row, book: Booked) -> None:
    """Client, provider and log of one call."""
    plan, heard = one.plan, one.heard
    charged = (row["prompt_tokens"], row["completion_tokens"])
    says = f"{plan} heard {heard} was booked {book} and logged {row}"
    assert row["total_tokens"] == sum(charged), says
    assert row["token_id"] == one.caller.token_id, says
    assert row["attempts"] == book.attempts, says
    if heard.status != 200:
        assert (row["status"], *charged) == (heard.status, 0, 0), says
    elif heard.whole:
        assert book.ended_well, says
        assert (row["status"], *charged) == (200, *plan.billed), says
        assert usage_heard(heard) in (None, plan.billed), says
    elif plan.leave_after is not None:
        assert heard.words <= row["completion_tokens"] <= plan.billed[1], says
        assert row["total_tokens"] <= book.sent_tokens, says
        assert row["status"] in (200, 499), says
    else:  # the provider broke off: charged is what the client was given, by our count
        assert (row["status"], row["error_code"]) == (200, "upstream_error"), says
        assert charged in ((plan.prompt_words, heard.words), plan.billed), says


def usage_heard(heard: Heard) -> tuple[int, int] | None:
    """What the client was told it used."""
    documents = heard.events if b"data: " in heard.body else [json.loads(heard.body)]
    for document in documents:
        if usage := document.get("usage"):
            return usage["prompt_tokens"], usage["completion_tokens"]
    return None


def the_mix_was_a_mix(told: Sequence[Told], rows: dict[str, Row]) -> None:
    """A test of accounting in which nothing went wrong would prove little."""
    seen: Counter[str] = Counter()
    for one in told:
        row = rows[str(one.heard.request_id)]
        seen["streamed" if one.plan.stream else "not streamed"] += 1
        seen[f"status {row['status']}"] += 1
        seen["tried again" if row["attempts"] > 1 else "at once"] += 1
        seen["fell back"] += row["upstream_model"] == "spare"
        seen["cut by the provider"] += row["status"] == 200 and row["error_code"] == "upstream_error"
    expected = {
        "streamed": 0.3, "not streamed": 0.3, "status 200": 0.7, "status 400": 0.01, "status 499": 0.005,
        "tried again": 0.03, "fell back": 0.01, "cut by the provider": 0.003,
    }  # fmt: skip
    assert {what: seen[what] / len(told) for what, share in expected.items() if seen[what] < share * len(told)} == {}


def sums_agree(process: GatewayProcess, ledger: LedgerReader, user: Caller) -> None:
    """Log, rollup and quota of one user, and of each token."""
    rows, usage, quota = ledger.rows(user.user_id), ledger.usage(user.user_id), quota_of(process.base_url, user)
    for field in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert usage[field] == sum(row[field] for row in rows)
    assert usage["requests"] == len(rows)
    assert usage["refused"] == sum(row["status"] >= 400 for row in rows)
    for window in ("daily", "monthly"):
        assert (quota[window]["used"], quota[window]["reserved"]) == (usage["total_tokens"], 0)
    by_token: dict[int, int] = defaultdict(int)
    for row in rows:
        by_token[row["token_id"]] += row["total_tokens"]
    assert by_token == {
        record["token_id"]: record["total"]
        for record in ledger.fetch(
            "SELECT token_id, sum(total_tokens)::int AS total FROM usage_daily WHERE user_id = $1 GROUP BY 1",
            user.user_id,
        )
    }


def at_most_what_was_sent(rows: Sequence[Row], told: Sequence[Told], books_of: dict[int, Booked]) -> None:
    """Who left before the first byte can't be told apart: they are held against the books together."""
    reached = [books_of[one.plan.number] for one in told if one.plan.number in books_of]
    assert len(reached) <= len(rows) <= len(told)
    assert sum(row["total_tokens"] for row in rows) <= sum(book.sent_tokens for book in reached)
