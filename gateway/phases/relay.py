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
from gateway.errors import ClientGone, Overloaded, Refusal, UpstreamError, UpstreamTimeout
from gateway.exchange import Inbound, Meter, ModelCall, Target
from gateway.headers import served_by
from gateway.phases.stream import StreamRelay
from gateway.providers.base import (
    ConnectFailed,
    ReplyTooLarge,
    UpstreamCut,
    UpstreamFailed,
    UpstreamReply,
    UpstreamSilent,
)
from gateway.retry import backoff_s, counts_as_failure, is_retryable
from gateway.services import Connection, Routing, Services

MAX_ERROR_BYTES = 64 * 1024


@dataclass(slots=True)
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
                await self._try(targets)
        except TimeoutError as error:
            self._charge_nothing_unseen()
            raise UpstreamTimeout("The model's provider took too long.") from error
        except ClientGone:
            raise
        except Refusal:
            self._charge_nothing_unseen()
            raise
        finally:
            self.s.retry_budget.active -= 1

    def _charge_nothing_unseen(self) -> None:
        """A refused call costs nothing, however far the upstream had come with it."""
        if not self.down.committed:
            self.meter.forget()

    async def _try(self, targets: Sequence[Target]) -> None:
        first = self._next(targets, -1, {})
        if first is None:
            wait_s = min(self.s.breakers.retry_after_s(target.key) for target in targets)
            raise Overloaded("Every provider of this model is failing at the moment.", retry_after_s=max(1.0, wait_s))
        try:
            await self._attempt(targets[first])
        except Refusal as refusal:
            await self._try_again(targets, first, refusal)

    async def _try_again(self, targets: Sequence[Target], last: int, refusal: Refusal) -> None:
        failed = {last: refusal}
        for attempt in range(1, max(len(targets), 1 + self.routing.defaults.retries)):
            if self.down.committed or not is_retryable(refusal, elsewhere=True):
                raise refusal
            at = self._next(targets, last, failed)
            if at is None:
                raise refusal
            wait_s = backoff_s(attempt, failed[at], self.s.rng) if at in failed else 0.0
            if wait_s > self.routing.defaults.retry_after_max_s or not self.s.retry_budget.take():
                raise refusal
            try:
                await self.s.sleep(wait_s)
                await self._attempt(targets[at])
                return
            except Refusal as another:
                refusal = failed[at] = another
                last = at
            finally:
                self.s.retry_budget.release()
        raise refusal

    def _next(self, targets: Sequence[Target], after: int, failed: Mapping[int, Refusal]) -> int | None:
        """The next target in turn that no breaker holds back and that did not fail for good."""
        for step in range(1, len(targets) + 1):
            index = (after + step) % len(targets)
            before = failed.get(index)
            if (before is None or is_retryable(before, elsewhere=False)) and self.s.breakers.allows(targets[index].key):
                return index
        return None

    async def _attempt(self, target: Target) -> None:
        meter, breakers, began = self.meter, self.s.breakers, time.perf_counter()
        meter.forget()
        meter.target = target
        meter.attempts += 1
        breakers.begin(target.key)
        try:
            await self._exchange(target, self.routing.connections[target.provider])
        except Refusal as refusal:
            if counts_as_failure(refusal):
                breakers.failed(target.key)
                self.s.metrics.upstream_error(target.provider, refusal.code)
            else:  # it answers, if not as one would wish: a probe has its outcome
                breakers.succeeded(target.key)
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
            raise provider.error(reply.status, reply.headers, await self._error_body(reply))
        self.meter.answered = True
        headers = served_by(self.headers, target.key, reply.headers)
        if self.call.stream and reply.headers.get("content-type", "").lower().startswith("text/event-stream"):
            stream = StreamRelay(self.call, provider, self.down, self.meter, headers)
            await stream.run(reply, defaults.idle_timeout_s)
            return
        body = await reply.read(defaults.max_reply_bytes, defaults.idle_timeout_s)
        self.meter.first_byte_at = time.perf_counter()
        try:
            said = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise UpstreamError("The model's provider answered with something that is not JSON.") from error
        self.meter.relayed, self.meter.relayed_bytes = [body], len(body)
        self.meter.usage, self.meter.complete = provider.usage(self.call.endpoint, said), True
        self.down.answer(reply.status, {**headers, "content-type": "application/json"}, body)

    async def _error_body(self, reply: UpstreamReply) -> bytes:
        try:
            return await reply.read(MAX_ERROR_BYTES, self.routing.defaults.idle_timeout_s)
        except UpstreamFailed:
            return b""  # the status says enough
