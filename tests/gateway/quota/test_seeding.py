"""One question to the ledger a scope, an answer to everyone who waits, and an end to the waiting."""

import asyncio

import pytest

from gateway.quota import seeding
from gateway.quota.base import LedgerUnavailable, Scope, Spent
from gateway.quota.seeding import Seeding
from tests.contracts.quota_worlds import NOON, Books, scope

SPENT = Spent(day_tokens=3, month_tokens=40, month_cost_micros=5)


class SlowBooks(Books):
    """A ledger that answers when a test opens it."""

    def __init__(self) -> None:
        super().__init__({(1, None): SPENT})
        self.open = asyncio.Event()

    async def spent(self, scope: Scope) -> Spent:
        answer = await super().spent(scope)
        await self.open.wait()
        return answer


class Bed:
    def __init__(self) -> None:
        self.planted: list[Spent] = []

    async def plant(self, spent: Spent) -> None:
        self.planted.append(spent)


async def test_however_many_wait_the_ledger_is_asked_once() -> None:
    books, bed = SlowBooks(), Bed()
    asking = Seeding(books)
    waiting = [asyncio.create_task(asking.seed(scope(), bed.plant)) for _ in range(20)]
    await asyncio.sleep(0)
    books.open.set()
    await asyncio.gather(*waiting)
    assert (books.asked, bed.planted) == (1, [SPENT])
    await asking.seed(scope(), bed.plant)
    assert books.asked == 2


async def test_one_that_leaves_does_not_take_the_answer_from_the_others() -> None:
    books, bed = SlowBooks(), Bed()
    asking = Seeding(books)
    first, second = (asyncio.create_task(asking.seed(scope(), bed.plant)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    books.open.set()
    await second
    assert first.cancelled()
    assert (books.asked, bed.planted) == (1, [SPENT])


async def test_scopes_do_not_wait_for_each_other() -> None:
    books, bed = SlowBooks(), Bed()
    asking = Seeding(books)
    waiting = [asyncio.create_task(asking.seed(one, bed.plant)) for one in (scope(1), scope(1, 1), scope(2))]
    async with asyncio.timeout(1):
        while books.asked < 3:
            await asyncio.sleep(0)
    books.open.set()
    await asyncio.gather(*waiting)
    assert len(bed.planted) == 3


async def test_a_ledger_that_fails_is_unavailable_to_all_and_asked_again_by_the_next() -> None:
    books, bed = Books(closed=True), Bed()
    asking = Seeding(books)
    failed = await asyncio.gather(*(asking.seed(scope(), bed.plant) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [LedgerUnavailable] * 3
    assert (books.asked, bed.planted) == (1, [])
    books.closed = False
    await asking.seed(scope(), bed.plant)
    assert bed.planted == [Spent()]


async def test_a_ledger_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "TIMEOUT_S", 0.01)
    async with asyncio.timeout(5):
        with pytest.raises(LedgerUnavailable, match="u1"):
            await Seeding(SlowBooks()).seed(scope(), Bed().plant)


async def test_what_went_wrong_in_planting_is_raised_as_it_was() -> None:
    async def plant(spent: Spent) -> None:
        raise OSError("no ground")

    with pytest.raises(OSError, match="no ground"):
        await Seeding(Books()).seed(scope(), plant)


async def test_the_ledger_alone_knows_day_and_month_but_no_minute() -> None:
    usage = await Seeding(Books({(1, None): SPENT})).usage(scope(rpm=5, daily_tokens=10), NOON)
    assert (usage.daily_tokens.used, usage.daily_tokens.limit) == (3, 10)
    assert (usage.monthly_tokens.used, usage.monthly_budget_micros.used) == (40, 5)
    assert (usage.requests_per_minute.used, usage.requests_per_minute.limit) == (0, 5)
