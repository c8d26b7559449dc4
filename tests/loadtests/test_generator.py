"""The load generator against the mock provider: what is sent is answered or counted as failed, nothing in between."""

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle

import orjson
import pytest
import pytest_asyncio

from loadtests.generator import Aim, load
from loadtests.prompts import bodies
from loadtests.upstream import MockProvider


@pytest_asyncio.fixture
async def aim() -> AsyncIterator[Aim]:
    server = await asyncio.get_running_loop().create_server(MockProvider, "127.0.0.1", 0)
    async with server:
        yield Aim("127.0.0.1", server.sockets[0].getsockname()[1])


async def test_every_request_is_answered_on_connections_that_stay(aim: Aim) -> None:
    outcome = await load(aim, cycle(bodies(300, 10)), connections=4, each=25)
    assert (outcome.done, outcome.failed, outcome.statuses) == (100, 0, {200: 100})
    assert len(outcome.latencies) == 100
    assert all(0 < first <= whole for first, whole in zip(outcome.first, outcome.latencies, strict=True))


async def test_a_turn_ends_with_its_last_reply(aim: Aim) -> None:
    outcome = await load(aim, cycle(bodies(300, 1, marker="[[mock delay=50]]")), connections=3, seconds=0.01)
    assert (outcome.done, outcome.failed) == (3, 0)


async def test_streams_are_read_to_their_end_and_their_events_counted(aim: Aim) -> None:
    asked = bodies(300, 5, marker="[[mock chunks=7 gap=1]]", stream=True)
    outcome = await load(aim, cycle(asked), connections=2, each=3)
    assert (outcome.done, outcome.failed) == (6, 0)
    assert outcome.events == 6 * (7 + 2), "seven chunks, the usage and [DONE]"


@pytest.mark.parametrize(("marker", "answered"), [("[[mock status=429]]", {429: 2}), ("[[mock chunks=5 cut=2]]", {})])
async def test_what_goes_wrong_is_counted(aim: Aim, marker: str, answered: dict[int, int]) -> None:
    outcome = await load(aim, cycle(bodies(300, 1, marker=marker, stream=True)), connections=2, each=1)
    assert (outcome.done, outcome.failed, outcome.statuses) == (0, 2, answered)


@pytest.mark.parametrize("size", [300, 2_000, 32_000])
def test_prompts_all_differ_and_have_the_size_asked_for(size: int) -> None:
    made = bodies(size, 20)
    assert len(set(made)) == 20
    assert all(size * 0.95 <= len(body) <= size + 100 for body in made)
    assert all(orjson.dumps(orjson.loads(body)) == body for body in made), "compact, as SDKs send it"
