"""The only place that makes asyncio tasks: the loop holds tasks weakly, so somebody has to keep them."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

logger = logging.getLogger("guardflow.tasks")

T = TypeVar("T")

_running: set[asyncio.Task[Any]] = set()
_finishing: set[asyncio.Task[Any]] = set()


def spawn(coro: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Run `coro` in the background; an exception nobody awaits is logged, never lost."""
    task = asyncio.get_running_loop().create_task(coro, name=name)
    _running.add(task)
    task.add_done_callback(_done)
    return task


async def uninterrupted(coro: Coroutine[Any, Any, T], *, name: str) -> T:
    """Await `coro`; a cancellation of the caller ends the waiting, never the work. `drain` waits for it."""
    task = spawn(coro, name=name)
    _finishing.add(task)
    task.add_done_callback(_finishing.discard)
    return await asyncio.shield(task)


async def drain(timeout_s: float) -> int:
    """Wait for the uninterrupted work under way, at most `timeout_s`; return how much is left."""
    if _finishing:
        await asyncio.wait(set(_finishing), timeout=timeout_s)
    return len(_finishing)


def _done(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("background task %s failed", task.get_name(), exc_info=error)
