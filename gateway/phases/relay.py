"""To the upstream and back: attempts until one answers, then its bytes are passed on as they arrive.

Nothing is tried again once the client has had a byte. A breaker per target keeps calls from what is ill; retries are
held to a budget, wait as the upstream asks, and prefer a target that has not failed yet.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from gateway.downstream import Downstream
from gateway.errors import Overloaded, Refusal, UpstreamError, UpstreamTimeout
from gateway.exchange import Inbound, Meter, ModelCall, Target
from gateway.headers import served_by
from gateway.phases.stream import StreamRelay
from gateway.providers.base import ConnectFailed, ReplyTooLarge, UpstreamCut, UpstreamReply, UpstreamSilent
from gateway.retry import backoff_s, counts_as_failure, is_retryable
from gateway.services import Connection, Routing, Services

MAX_ERROR_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Relay:
    """One call on its way through the upstreams that can serve it."""

    inbound: Inbound
    call: ModelCall
    s: Services
    routing: Routing
    down: Downstream
    meter: Meter
    headers: Mapping[str, str]

    async def run(self, targets: Sequence[Target]) -> None:
        """Answer the call from one of `targets`. Raises the refusal of the last attempt."""
        self.s.retry_budget.active += 1
        try:
            async with asyncio.timeout(self.routing.defaults.timeout_s):
                await self._first_attempt(targets)
        except TimeoutError as error:
            raise UpstreamTimeout("The model's provider took too long.") from error
        finally:
            self.s.retry_budget.active -= 1

    async def _first_attempt(self, targets: Sequence[Target]) -> None:
        target = self._next(targets, -1)
        try:
            await self._attempt(targets[target])
        except Refusal as refusal:
            await self._try_again(targets, target, refusal)

    async def _try_again(self, targets: Sequence[Target], failed: int, refusal: Refusal) -> None:
        attempts = max(len(targets), 1 + self.routing.defaults.retries)
        for attempt in range(1, attempts):
            fresh = attempt < len(targets)
            if self.down.committed or not is_retryable(refusal, elsewhere=fresh):
                raise refusal
            target = self._next(targets, failed, refusal)
            wait_s = 0.0 if fresh and target != failed else backoff_s(attempt, refusal, self.s.rng)
            if wait_s > self.routing.defaults.retry_after_max_s or not self.s.retry_budget.take():
                raise refusal
            try:
                await self.s.sleep(wait_s)
                await self._attempt(targets[target])
                return
            except Refusal as another:
                refusal, failed = another, target
            finally:
                self.s.retry_budget.release()
        raise refusal

    def _next(self, targets: Sequence[Target], after: int, refusal: Refusal | None = None) -> int:
        """The next target in turn that no breaker holds back. With none left: the last refusal, or Overloaded."""
        breakers = self.s.breakers
        for step in range(1, len(targets) + 1):
            index = (after + step) % len(targets)
            if breakers.allows(targets[index].key):
                return index
        if refusal is not None:
            raise refusal
        wait_s = min(breakers.retry_after_s(target.key) for target in targets)
        raise Overloaded("Every provider of this model is failing at the moment.", retry_after_s=max(1.0, wait_s))

    async def _attempt(self, target: Target) -> None:
        meter, breakers, began = self.meter, self.s.breakers, time.perf_counter()
        meter.target, meter.answered, meter.usage = target, False, None
        meter.attempts += 1
        breakers.begin(target.key)
        try:
            await self._exchange(target, self.routing.connections[target.provider])
        except Refusal as refusal:
            if counts_as_failure(refusal):
                breakers.failed(target.key)
                self.s.metrics.upstream_error(target.provider, refusal.code)
            raise
        finally:
            meter.upstream_s += time.perf_counter() - began
        breakers.succeeded(target.key)

    async def _exchange(self, target: Target, connection: Connection) -> None:
        request = connection.provider.request(self.call, target, self.inbound)
        try:
            reply = await connection.upstream.send(request, self.routing.defaults.first_byte_timeout_s)
            try:
                await self._pass_on(target, connection, reply)
            finally:
                reply.abort()  # nothing to do for a reply that was read to its end
        except ConnectFailed as error:
            raise UpstreamError("The model's provider can't be reached.") from error
        except UpstreamSilent as error:
            raise UpstreamTimeout("The model's provider did not answer in time.") from error
        except UpstreamCut as error:
            raise UpstreamError("The model's provider broke off its answer.") from error
        except ReplyTooLarge as error:
            raise UpstreamError("The model's provider sent more than the gateway accepts.") from error

    async def _pass_on(self, target: Target, connection: Connection, reply: UpstreamReply) -> None:
        provider, defaults = connection.provider, self.routing.defaults
        if not 200 <= reply.status < 300:
            body = await reply.read(MAX_ERROR_BYTES, defaults.idle_timeout_s)
            raise provider.error(reply.status, reply.headers, body)
        self.meter.answered = True
        headers = served_by(self.headers, target.key, reply.headers)
        if self.call.stream and reply.headers.get("content-type", "").startswith("text/event-stream"):
            stream = StreamRelay(self.call, provider, self.down, self.meter, headers)
            await stream.run(reply, defaults.idle_timeout_s)
            return
        body = await reply.read(defaults.max_reply_bytes, defaults.idle_timeout_s)
        self.meter.first_byte_at = time.perf_counter()
        try:
            said = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            self.meter.answered = False
            raise UpstreamError("The model's provider answered with something that is not JSON.") from error
        self.meter.relayed, self.meter.relayed_bytes = [body], len(body)
        self.meter.usage, self.meter.complete = provider.usage(self.call.endpoint, said), True
        self.down.answer(reply.status, {**headers, "content-type": "application/json"}, body)
