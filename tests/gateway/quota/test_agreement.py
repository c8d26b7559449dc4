"""Redis and memory say the same to any story: Lua and Python are two tellings of one arithmetic."""

import random
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.errors import Refusal
from gateway.exchange import Grant, Limits
from gateway.quota.base import Ask, Scope, team_scope
from tests.contracts.quota_worlds import NOON, World, memory_world, redis_world

STEPS = 250


def some_limits(dice: random.Random) -> Limits:
    def some(*values: int) -> int | None:
        return dice.choice((None, *values))

    return Limits(
        some(0, 3, 20), some(50, 400), some(100, 2000), some(500, 5000), some(1, 4), some(100, 9000),
        some(100, 2000), some(100, 4000),
    )  # fmt: skip


def said(outcome: Grant | Refusal) -> Any:
    if isinstance(outcome, Grant):
        return outcome
    assert outcome.retry_after_s is not None
    return type(outcome), outcome.message, outcome.param, round(outcome.retry_after_s, 3)


async def step(dice: random.Random, world: World, scopes: list[Scope], open_calls: list[Ask], n: int) -> Any:
    kind = dice.choices(("reserve", "settle", "wait", "look"), (5, 3, 2, 2))[0]
    if kind == "reserve":
        least = dice.randrange(60)
        wanted = Ask(f"c{n}", tuple(scopes), least + dice.randrange(100), least, dice.randrange(500))
        outcome = await world.take(wanted)
        open_calls += [wanted] if isinstance(outcome, Grant) else []
        return said(outcome)
    if kind == "settle" and open_calls:
        call = open_calls.pop(dice.randrange(len(open_calls)))
        return await world.settle(call, dice.randrange(200), dice.randrange(600))
    if kind == "wait":
        # Never so long that a lease ends: in memory there are none.
        await world.pass_time(dice.choice((0.25, 7, 29.5)))
        for call in open_calls:
            await world.settle(call, 1, 1)
        return open_calls.clear()
    return await world.usage(dice.choice(scopes))


async def tell(seed: int, world: World) -> list[Any]:
    dice = random.Random(seed)
    scopes = [Scope(1, None, some_limits(dice)), Scope(1, 2, some_limits(dice)), team_scope(5, some_limits(dice))]
    scopes = [scope for scope in scopes if scope.limited]
    await world.at(NOON + 11.5 * 3600 + dice.choice((0, 2 * 86_400)))  # a Friday's last hours, or a Sunday's
    open_calls: list[Ask] = []
    return [await step(dice, world, scopes, open_calls, n) for n in range(STEPS)] if scopes else []


@pytest.mark.parametrize("seed", range(12))
async def test_redis_and_memory_agree(redis_url: str, seed: int) -> None:
    async with AsyncExitStack() as stack:
        in_redis = await stack.enter_async_context(redis_world(lambda: redis_url))
        in_memory = await stack.enter_async_context(memory_world(lambda: redis_url))
        told, retold = await tell(seed, in_redis), await tell(seed, in_memory)
    for n, (one, other) in enumerate(zip(told, retold, strict=True)):
        assert one == other, f"step {n}"
