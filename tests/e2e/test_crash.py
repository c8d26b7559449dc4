"""kill -9 under load, of a worker, of everything, of the servers beneath: who had an answer has a row, once, and the
counters are right."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import PLENTY, MakeGateway
from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.openai_scripts import says
from tests.e2e.raw_client import Heard, ask
from tests.e2e.scripted_upstream import ScriptedUpstream
from tests.e2e.staff import Caller, Staff, quota_of

CLIENTS = 16
RECOVERED_WITHIN_S = 30.0
BROKEN_OFF = (ConnectionError, asyncio.IncompleteReadError)


class Load:
    """Clients that ask again and again, whatever happens to the gateway meanwhile; and what they were told."""

    def __init__(self, process: GatewayProcess, callers: list[Caller], model: str) -> None:
        self._process = process
        self._callers = callers
        self._model = model
        self.answered: list[Heard] = []
        self.broken_off = 0

    async def during(self, events: Callable[[], Awaitable[None]]) -> None:
        clients = [asyncio.ensure_future(self._client(number)) for number in range(CLIENTS)]
        try:
            await events()
        finally:
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)

    async def more(self, count: int) -> None:
        """Until so many more have been answered."""
        target = len(self.answered) + count
        async with asyncio.timeout(60):
            while len(self.answered) < target:
                await asyncio.sleep(0.01)

    async def _client(self, number: int) -> None:
        body = {
            "model": self._model, "stream": bool(number % 2), "max_tokens": 100,
            "messages": [{"role": "user", "content": "Count to five."}],
        }  # fmt: skip
        while True:
            try:
                heard = await ask(self._process.base_url, self._callers[number % len(self._callers)].token, body)
            except BROKEN_OFF:
                self.broken_off += 1
                await asyncio.sleep(0.05)
                continue
            if heard.whole:
                assert heard.status == 200
                self.answered.append(heard)
            else:
                self.broken_off += 1


def loaded(
    gateway: MakeGateway, upstream: ScriptedUpstream, model: str, *, embedded: bool
) -> tuple[GatewayProcess, list[Caller], Load]:
    upstream.script(model, says(" one", " two", " three", wait=lambda sent: 0.005))
    config = {
        "providers": {"up": {"type": "openai", "base_url": upstream.url}},
        "limits": PLENTY,
        "policies": {"mode": "off"},
    }
    process = gateway(config, workers=2, embedded=embedded)
    users = [Staff(process.base_url).caller() for _ in range(4)]
    return process, users, Load(process, users, f"up/{model}")


@pytest.mark.parametrize("embedded", [True, False], ids=["embedded", "own-servers"])
async def test_whoever_had_an_answer_has_a_row_whatever_was_killed(
    gateway: MakeGateway, upstream: ScriptedUpstream, model: str, embedded: bool
) -> None:
    process, users, load = loaded(gateway, upstream, model, embedded=embedded)

    async def worker_dies() -> None:
        await load.more(150)
        os.kill(process.worker_pids()[0], signal.SIGKILL)
        await load.more(150)
        while len(process.worker_pids()) < 2:
            await asyncio.sleep(0.05)
        os.kill(process.worker_pids()[1], signal.SIGKILL)
        await load.more(150)

    async def everything_dies() -> None:
        await load.more(150)
        process.kill()

    await load.during(worker_dies)
    everyone_is_on_record(process, users, load)
    await load.during(everything_dies)
    await asyncio.to_thread(process.start)
    await load.during(lambda: load.more(50))
    everyone_is_on_record(process, users, load)
    assert load.broken_off > 0


def everyone_is_on_record(process: GatewayProcess, users: list[Caller], load: Load) -> None:
    """Every answer once in the log; and log, rollup and quota of every user say the same, within seconds."""
    ledger = LedgerReader(process.database_url)
    answered = Counter(str(heard.request_id) for heard in load.answered)
    assert set(answered.values()) == {1}
    end = time.monotonic() + RECOVERED_WITHIN_S
    while wrong := differences(process, ledger, users, set(answered)):
        assert time.monotonic() < end, wrong
        time.sleep(0.25)


def differences(
    process: GatewayProcess, ledger: LedgerReader, users: list[Caller], answered: set[str]
) -> dict[str, object]:
    rows = [row for user in users for row in ledger.rows(user.user_id)]
    logged = Counter(row["request_id"] for row in rows)
    wrong: dict[str, object] = {"missing": answered - logged.keys(), "twice": [k for k, n in logged.items() if n > 1]}
    for user in users:
        logged_tokens = sum(row["total_tokens"] for row in rows if row["user_id"] == user.user_id)
        used = quota_of(process.base_url, user)["daily"]["used"]
        rolled_up = ledger.usage(user.user_id)["total_tokens"]
        if not logged_tokens == used == rolled_up:
            wrong[f"user {user.user_id}"] = {"log": logged_tokens, "quota": used, "rollup": rolled_up}
    return {what: found for what, found in wrong.items() if found}


def server_pid(process: GatewayProcess, program: str) -> int:
    """The embedded server that runs `program`."""
    assert process.process is not None
    pid = process.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        name = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0].split()[0]
        if name.endswith(program.encode()):
            return int(child)
    raise AssertionError(f"no {program} below {pid}")


async def test_servers_that_die_are_started_again_and_no_known_caller_is_refused(
    gateway: MakeGateway, upstream: ScriptedUpstream, model: str
) -> None:
    process, users, load = loaded(gateway, upstream, model, embedded=True)

    async def servers_die() -> None:
        await load.more(150)
        for program in ("valkey-server", "postgres"):
            os.kill(server_pid(process, program), signal.SIGKILL)
            await load.more(400)

    await load.during(servers_die)
    assert load.broken_off == 0
    everyone_is_on_record(process, users, load)
