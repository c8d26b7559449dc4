"""A worker process: one event loop, one listener on the shared port, until SIGTERM.

Draining: readiness goes false at once and new calls are still taken for a second (a load balancer needs that long to
look elsewhere), then the listener closes and open calls get what is left of the grace time.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop
from aiohttp import web

from gateway.config import ConfigError
from gateway.health import Phase
from gateway.logs import configure
from gateway.tasks import drain, spawn
from gateway.wire.client import HEAD_TIMEOUT_S
from guardflow.app import Gateway
from guardflow.settings import Settings, load, process_environ

logger = logging.getLogger("guardflow.worker")

BACKLOG = 2048
LAST_CALLS_S = 1.0
REFRESH_S = 1.0
DISCOVER_S = 300.0
LAST_BYTES_S = 1.0
"""For what has no place in the grace time: replies on their way out, and handlers of the control plane. It is needed
three times over at most, within the time that the supervisor waits beyond the grace time before it kills."""
_POLL_S = 0.02


def main() -> int:
    settings = load(process_environ())
    configure(settings.log_level, settings.log_format, worker=settings.worker_index)
    try:
        uvloop.run(_run(settings))
    except ConfigError as error:
        print(f"guardflow.yaml can't be used:\n{error}", file=sys.stderr)  # noqa: T201 - for the person who starts it
        return 1
    return 0


async def _run(settings: Settings) -> None:
    gateway = Gateway(settings, reload_others=_tell_supervisor)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: spawn(_reload(gateway), name="reload"))
    try:
        await gateway.start()
        runners = await _listen(gateway, settings)
        background = [
            spawn(_every(REFRESH_S, _refresh(gateway)), name="metrics"),
            spawn(_every(DISCOVER_S, gateway.discover), name="discovery"),
        ]
        _settle_memory()
        gateway.health.phase = Phase.SERVING
        await stop.wait()
        await _drain(gateway, settings, runners)
        for task in background:
            task.cancel()
    finally:
        await gateway.close()


async def _listen(gateway: Gateway, settings: Settings) -> list[web.AppRunner]:
    """The main port, and those of the admin app and the metrics where they have their own."""
    main = make_runner(gateway.main_app())
    await main.setup()
    assert main.server is not None
    await gateway.make_edge(main.server).listen(settings.api_host, settings.api_port, BACKLOG)
    runners = [main]
    for app, port in ((gateway.admin_app, settings.admin_port), (gateway.metrics_app, settings.metrics_port)):
        if port is not None:
            runner = make_runner(app())
            await runner.setup()
            await web.TCPSite(runner, settings.api_host, port, backlog=BACKLOG, reuse_port=True).start()
            runners.append(runner)
    return runners


def make_runner(app: web.Application, head_timeout_s: float = HEAD_TIMEOUT_S) -> web.AppRunner:
    """aiohttp holds a connection that says nothing, or half a head, for its `keepalive_timeout`: an hour."""
    return web.AppRunner(
        app,
        handler_cancellation=True,
        access_log=None,
        keepalive_timeout=head_timeout_s,
        shutdown_timeout=LAST_BYTES_S,
    )


async def _drain(gateway: Gateway, settings: Settings, runners: list[web.AppRunner]) -> None:
    gateway.health.phase = Phase.DRAINING
    gateway.edge.last_calls()
    deadline = time.monotonic() + settings.grace_s
    await asyncio.sleep(LAST_CALLS_S)
    gateway.edge.stop_listening()
    for runner in runners:
        for site in list(runner.sites):
            await site.stop()
    while gateway.in_flight and time.monotonic() < deadline:  # noqa: ASYNC110 - a counter is what the hot path affords
        await asyncio.sleep(_POLL_S)
    if gateway.in_flight:
        logger.warning("%d calls are cut off: the grace time is over", gateway.in_flight)
    await gateway.edge.close(LAST_BYTES_S)
    await asyncio.gather(*(runner.cleanup() for runner in runners))
    await drain(timeout_s=LAST_BYTES_S)


async def _every(seconds: float, do: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await do()
        except Exception:  # a loop of the process's whole life: what fails once is tried again
            logger.exception("a periodic task failed")
        await asyncio.sleep(seconds)


def _refresh(gateway: Gateway) -> Callable[[], Awaitable[None]]:
    async def refresh() -> None:
        gateway.refresh()

    return refresh


async def _reload(gateway: Gateway) -> None:
    try:
        await gateway.reload()
    except ConfigError as error:
        logger.error("the changed configuration is refused, the old one stays: %s", error)


def _tell_supervisor() -> None:
    """It passes the request to reload on to every worker."""
    os.kill(os.getppid(), signal.SIGHUP)


def _settle_memory() -> None:
    """What lives for ever is taken out of the collector's sight: its pauses would be the tail of the latencies."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)


if __name__ == "__main__":
    sys.exit(main())
