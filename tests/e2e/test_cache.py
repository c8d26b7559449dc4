"""The cache from outside: two workers and a real store, streams as streams, and nobody's answer for somebody else."""

import asyncio
import time
from typing import Any

import openai
import pytest

from tests.e2e.conftest import PLENTY, MakeGateway
from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.openai_scripts import says
from tests.e2e.plain_http import Reply, call
from tests.e2e.scripted_upstream import ScriptedUpstream
from tests.e2e.staff import Caller, Staff

MESSAGES: Any = [{"role": "user", "content": "Say hello to the sea."}]


@pytest.fixture
def cached(gateway: MakeGateway, upstream: ScriptedUpstream) -> GatewayProcess:
    config = {
        "providers": {"up": {"type": "openai", "base_url": upstream.url}},
        "limits": PLENTY,
        "cache": {"mode": "exact"},
    }
    return gateway(config, workers=2)


def ask(process: GatewayProcess, who: Caller, model: str, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    body = {"model": f"up/{model}", "messages": MESSAGES, **more}
    return call(process.base_url, "POST", "/v1/chat/completions", token=who.token, json=body, headers=headers)


def until_hit(process: GatewayProcess, user: Caller, model: str, **more: Any) -> Reply:
    """Both workers connect to the store by their first look-up."""
    end = time.monotonic() + 10
    while (reply := ask(process, user, model, **more)).headers["x-guardflow-cache"] != "hit":
        assert time.monotonic() < end
    return reply


def test_streams_and_whole_answers_are_given_again_by_every_worker(
    cached: GatewayProcess, upstream: ScriptedUpstream, model: str
) -> None:
    upstream.script(model, says("ahoy", " there"))
    user = Staff(cached.base_url).caller()
    ways: list[dict[str, Any]] = [{}, {"stream": True}]
    for more in ways:
        first = ask(cached, user, model, **more)
        until_hit(cached, user, model, **more)
        asked = len(upstream.of(model))
        again = [until_hit(cached, user, model, **more) for _ in range(12)]
        assert len(upstream.of(model)) - asked <= 1  # a worker that had not looked anything up yet
        assert {reply.body for reply in again} == {first.body}
        assert {reply.headers["content-type"] for reply in again} == {first.headers["content-type"]}
    assert until_hit(cached, user, model, stream=True).body.endswith(b"data: [DONE]\n\n")
    with openai.OpenAI(base_url=f"{cached.base_url}/v1", api_key=user.token) as client:
        stream = client.chat.completions.create(model=f"up/{model}", messages=MESSAGES, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "ahoy there"


def test_a_hit_is_on_record_and_costs_nothing(cached: GatewayProcess, upstream: ScriptedUpstream, model: str) -> None:
    upstream.script(model, says("ahoy"))
    user = Staff(cached.base_url).caller()
    request_id = until_hit(cached, user, model).headers["x-request-id"]
    row = LedgerReader(cached.database_url).row(request_id)
    assert (row["status"], row["provider"], row["total_tokens"], row["attempts"]) == (200, "up", 0, 0)
    assert "cache_hit" in row["flags"]


def test_nobody_gets_anothers_answer_and_who_is_out_gets_none(
    cached: GatewayProcess, upstream: ScriptedUpstream, model: str
) -> None:
    upstream.script(model, says("ahoy"))
    staff = Staff(cached.base_url)
    ann, ben = staff.caller(), staff.caller()
    until_hit(cached, ann, model)
    assert ask(cached, ben, model, user=str(ann.user_id)).headers["x-guardflow-cache"] == "miss"
    assert ask(cached, ann, model, headers={"cache-control": "no-store"}).headers["x-guardflow-cache"] == "bypass"
    assert ask(cached, ben, model, headers={"cache-control": "only-if-cached"}, seed=1).status == 504
    staff.do("DELETE", f"/tokens/{ann.token_id}")
    end = time.monotonic() + 5
    while (reply := ask(cached, ann, model)).status == 200:
        assert time.monotonic() < end
    assert reply.status == 401


async def test_a_hundred_at_once_are_one_call_a_worker(
    cached: GatewayProcess, upstream: ScriptedUpstream, model: str
) -> None:
    upstream.script(model, says("ahoy", wait=lambda sent: 0.0 if sent else 0.8))
    user = Staff(cached.base_url).caller()
    many = await asyncio.gather(*(asyncio.to_thread(ask, cached, user, model) for _ in range(100)))
    assert {reply.status for reply in many} == {200}
    assert len({reply.body for reply in many}) == 1
    assert len(upstream.of(model)) <= 4  # threads that come when the first two have their answer and the store has none
