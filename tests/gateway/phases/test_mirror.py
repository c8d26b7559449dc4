"""A copy goes to a target on trial, and nobody notices."""

import asyncio
import logging

import orjson
import pytest

from gateway.lifecycle import serve
from gateway.phases.mirror import mirror
from gateway.routing.types import Shadow
from gateway.tasks import _running
from tests.gateway.scripted import (
    JSON,
    ListDownstream,
    ScriptedReply,
    ScriptedUpstream,
    World,
    for_ever,
    make_call,
    make_config,
    make_inbound,
)

REPLY = {"choices": [{"message": {"content": "hello"}}], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}


class Mirrored(World):
    """`a` answers, `b` gets the copies."""

    def __init__(self, trial: ScriptedReply | Exception, percent: float = 100) -> None:
        self.answering = ScriptedUpstream(ScriptedReply(orjson.dumps(REPLY), headers=JSON))
        self.trial = ScriptedUpstream(trial)
        shadow = {"target": {"provider": "b", "model": "next"}, "percent": percent}
        config = make_config("a", "b", model={"targets": ["a"], "shadow": shadow}, retries=5)
        super().__init__(config, {"a": self.answering, "b": self.trial})

    async def live(self) -> ListDownstream:
        down = ListDownstream()
        await serve(make_inbound(), down, self.services)
        async with asyncio.timeout(3):
            await asyncio.gather(*[task for task in _running if task.get_name().startswith("mirror")])
        return down


async def test_a_copy_is_sent_and_the_answer_is_the_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "guardflow.mirror")
    world = Mirrored(ScriptedReply(orjson.dumps({**REPLY, "other": 1}), headers=JSON))
    down = await world.live()
    assert down.body == orjson.dumps(REPLY)
    assert orjson.loads(world.trial.requests[0].body)["model"] == "next"
    (row,) = world.log.rows
    assert (row["provider"], row["attempts"], row["flags"]) == ("a", 1, [])
    assert len(world.quotas.settled) == 1
    assert "to b/next: 200, 2 tokens out" in caplog.text
    assert world.services.mirrored.inside == 0


@pytest.mark.parametrize("fault", [ScriptedReply(b"{}", status=503), ScriptedReply(b"<html>", headers=JSON)])
async def test_a_trial_that_fails_is_not_repeated_and_harms_nobody(
    fault: ScriptedReply, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "guardflow.mirror")
    world = Mirrored(fault)
    assert (await world.live()).status == 200
    assert len(world.trial.requests) == 1
    assert "502 upstream_error" in caplog.text
    assert world.services.mirrored.inside == 0


async def test_the_client_does_not_wait_for_the_trial() -> None:
    world = Mirrored(ScriptedReply(for_ever, headers=JSON))
    down = ListDownstream()
    await serve(make_inbound(), down, world.services)
    assert down.finished
    assert world.services.mirrored.inside == 1


async def test_only_a_share_is_mirrored_and_only_so_many_at_once() -> None:
    world = Mirrored(ScriptedReply(orjson.dumps(REPLY), headers=JSON), percent=30)
    for _ in range(60):
        await world.live()
    assert 8 <= len(world.trial.requests) <= 28
    route = world.services.routing.catalog.find("m")
    assert route is not None
    assert isinstance(route.shadow, Shadow)
    assert route.shadow.share == 0.3
    world = Mirrored(ScriptedReply(for_ever, headers=JSON))
    services, limit = world.services, world.services.mirrored.limit
    assert limit is not None
    shadow = services.routing.catalog.find("m")
    assert shadow is not None
    assert shadow.shadow is not None
    sent = [mirror(make_inbound(), make_call(), shadow.shadow, services, services.routing) for _ in range(limit + 5)]
    assert sum(sent) == limit
