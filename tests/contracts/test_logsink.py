"""What every LogSink must do."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from gateway.logsink.base import LogSink
from gateway.logsink.memory import MemoryLogSink
from tests.gateway.logsink.rows import make_row, running_sink, stored_ids

Ids = Callable[[], Awaitable[list[str]]]
Sink = AbstractAsyncContextManager[tuple[LogSink, Ids]]


@asynccontextmanager
async def memory() -> AsyncIterator[tuple[LogSink, Ids]]:
    sink = MemoryLogSink()

    async def ids() -> list[str]:
        return [row["id"] for row in sink.rows]

    yield sink, ids


@asynccontextmanager
async def spooled(folder: Path, url: str) -> AsyncIterator[tuple[LogSink, Ids]]:
    async with running_sink(folder, url) as sink:
        yield sink, lambda: stored_ids(url)


@pytest.fixture(params=["memory", "spooled"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> Sink:
    return memory() if request.param == "memory" else spooled(tmp_path, postgres_url)


async def test_after_a_flush_every_row_is_there_and_none_waits(opened: Sink) -> None:
    async with opened as (sink, ids):
        rows = [make_row(status=status) for status in (200, 404, 499)]
        for row in rows:
            sink.write(row)
        await sink.flush()
        assert sorted(await ids()) == sorted(row["id"] for row in rows)
        assert sink.depth == 0


async def test_a_row_given_twice_is_there_once(opened: Sink) -> None:
    async with opened as (sink, ids):
        row = make_row()
        sink.write(row)
        sink.write(row)
        await sink.flush()
        assert await ids() == [row["id"]]


async def test_a_row_changed_after_it_was_given_is_as_it_was(opened: Sink) -> None:
    async with opened as (sink, ids):
        row = make_row()
        given = row["id"]
        sink.write(row)
        row["id"] = "changed"
        await sink.flush()
        assert await ids() == [given]


async def test_an_empty_flush_returns(opened: Sink) -> None:
    async with opened as (sink, _):
        await sink.flush()
        assert sink.depth == 0
