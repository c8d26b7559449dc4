"""Work that was begun is finished, and what fails in the background is heard of."""

import asyncio
import gc

import pytest

from gateway.tasks import drain, spawn, uninterrupted


async def test_a_task_nobody_holds_runs_to_its_end() -> None:
    done = asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        done.set()

    _ = spawn(work(), name="work")
    gc.collect()
    await asyncio.wait_for(done.wait(), 1)


async def test_a_failure_is_logged_with_the_tasks_name(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise ValueError("broken")

    task = spawn(work(), name="sweep")
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert "sweep failed" in caplog.text
    assert "broken" in caplog.text


async def test_a_cancelled_task_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    task = spawn(asyncio.sleep(9), name="nap")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert caplog.text == ""


async def test_uninterrupted_work_gives_its_result_or_its_error() -> None:
    async def fail() -> None:
        raise KeyError("x")

    assert await uninterrupted(asyncio.sleep(0, "result"), name="a") == "result"
    with pytest.raises(KeyError):
        await uninterrupted(fail(), name="b")


async def test_a_cancellation_ends_the_waiting_and_never_the_work() -> None:
    go_on, ended = asyncio.Event(), []

    async def work() -> None:
        await go_on.wait()
        ended.append(True)

    async def caller() -> None:
        await uninterrupted(work(), name="work")

    task = asyncio.create_task(caller())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await drain(0.01) == 1
    assert ended == []
    go_on.set()
    assert await drain(1) == 0
    assert ended == [True]


async def test_there_is_nothing_to_drain_at_first() -> None:
    assert await drain(1) == 0
