"""SIGTERM ends a gateway without anyone noticing: what is open finishes, what is new goes elsewhere, and it exits 0."""

import asyncio
import time

from tests.e2e.conftest import PLENTY, MakeGateway
from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.openai_scripts import says
from tests.e2e.plain_http import call
from tests.e2e.raw_client import ask
from tests.e2e.scripted_upstream import ScriptedUpstream
from tests.e2e.staff import Staff

STREAMS, WORDS, PACE_S = 24, 30, 0.1


def readiness(process: GatewayProcess) -> list[int]:
    """What `/ready` says from now until nobody answers any more."""
    seen = []
    while True:
        try:
            seen.append(call(process.base_url, "GET", "/ready", timeout_s=5).status)
        except OSError:
            return seen
        time.sleep(0.02)


async def test_open_streams_finish_and_new_calls_are_turned_away(
    gateway: MakeGateway, upstream: ScriptedUpstream, model: str
) -> None:
    upstream.script(model, says(*[" word"] * WORDS, wait=lambda sent: PACE_S if sent else 0.0))
    config = {"providers": {"up": {"type": "openai", "base_url": upstream.url}}, "limits": PLENTY}
    process = gateway(config, workers=2)
    user = Staff(process.base_url).caller()
    body = {"model": f"up/{model}", "stream": True, "messages": [{"role": "user", "content": "Count."}]}
    streams = [asyncio.ensure_future(ask(process.base_url, user.token, body)) for _ in range(STREAMS)]
    while len(upstream.of(model)) < STREAMS:
        await asyncio.sleep(0.02)

    assert process.process is not None
    process.process.terminate()
    seen = await asyncio.to_thread(readiness, process)
    heard = await asyncio.gather(*streams)

    assert await asyncio.to_thread(process.process.wait, 30) == 0
    assert 503 in seen
    assert seen[seen.index(503) :] == [503] * (len(seen) - seen.index(503))
    assert all(one.whole and one.words == WORDS for one in heard)
    rows = LedgerReader(process.database_url).rows(user.user_id, at_least=STREAMS)
    assert [(row["status"], row["completion_tokens"]) for row in rows] == [(200, WORDS)] * STREAMS


async def test_calls_that_came_with_the_last_second_are_answered(gateway: MakeGateway) -> None:
    """A load balancer needs a moment to look elsewhere: until then nobody is refused."""
    process = gateway({"providers": {"echo": {"type": "echo"}}, "limits": PLENTY}, workers=2)
    user = Staff(process.base_url).caller()
    body = {"model": "echo", "messages": [{"role": "user", "content": "Hello."}]}
    assert process.process is not None
    process.process.terminate()
    end, statuses = time.monotonic() + 0.7, []
    while time.monotonic() < end:
        statuses.append((await ask(process.base_url, user.token, body)).status)
    assert set(statuses) == {200}
    assert await asyncio.to_thread(process.process.wait, 30) == 0
    rows = LedgerReader(process.database_url).rows(user.user_id, at_least=len(statuses))
    assert len(rows) == len(statuses)
