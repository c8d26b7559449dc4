"""A share of a name's traffic is also sent to a target on trial. Nobody waits for its answer, sees it or pays for it:
it is read to its end, and what it was like is told in this process's log. So many at once, and no more."""

import logging
from collections.abc import Mapping

from gateway.errors import Refusal
from gateway.exchange import Inbound, Meter, ModelCall
from gateway.phases.relay import Relay
from gateway.routing.types import Shadow
from gateway.services import Routing, Services
from gateway.tasks import spawn

logger = logging.getLogger("guardflow.mirror")


class Nowhere:
    """A `Downstream` that nobody reads."""

    committed = False

    async def begin(self, headers: Mapping[str, str]) -> None:
        self.committed = True

    def send(self, data: bytes) -> bool:
        return False

    async def drained(self) -> None:
        """There is always room."""

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Dropped."""

    def hold(self, tail: bytes) -> None:
        """Dropped."""

    def refuse(self, refusal: Refusal, headers: Mapping[str, str]) -> None:
        """Dropped."""

    async def finish(self) -> None:
        """There is nothing to send."""


def mirror(inbound: Inbound, call: ModelCall, shadow: Shadow, s: Services, routing: Routing) -> bool:
    """Send a copy, if this call is in the share and there is room. Returns at once, and whether it did."""
    connection = routing.connections.get(shadow.target.provider)
    if connection is None or not connection.serves(call.endpoint) or s.mirrored.is_full:
        return False
    if s.rng.random() >= shadow.share:
        return False
    s.mirrored.enter()
    _ = spawn(_send(inbound, call, shadow, s, routing), name=f"mirror {inbound.request_id}")
    return True


async def _send(inbound: Inbound, call: ModelCall, shadow: Shadow, s: Services, routing: Routing) -> None:
    meter, outcome = Meter(), "200"
    try:
        await Relay(inbound, call, s, routing, Nowhere(), meter, {}).once(shadow.target)
    except Refusal as refusal:
        outcome = f"{refusal.status} {refusal.code}"
    finally:
        s.mirrored.leave()
    logger.info(
        "mirrored %s to %s: %s, %d tokens out, %.0f ms",
        inbound.request_id, shadow.target.key, outcome,
        meter.usage.completion_tokens if meter.usage is not None else 0, meter.upstream_s * 1000,
    )  # fmt: skip
