"""To the upstream and back: attempts until one answers, then its bytes are passed on as they arrive.

Nothing is tried again once the client has had a byte. A breaker per target keeps calls from what is ill; retries are
held to a budget, wait as the upstream asks, and prefer a target that has not failed yet. One deadline bounds it all: it
is handed down to whatever waits, so that a call which goes well sets no timer of its own.
"""

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import orjson

from gateway.config import ILLNESSES, Trouble
from gateway.downstream import Downstream
from gateway.errors import ClientGone, Overloaded, Refusal, UpstreamError, UpstreamTimeout
from gateway.exchange import UNIT_BILLED, Inbound, Meter, ModelCall, Target
from gateway.headers import served_by
from gateway.phases.hedge import Attempt, Race
from gateway.phases.pass_through import PassThrough
from gateway.phases.stream import StreamRelay
from gateway.phases.translated_stream import TranslatedStream
from gateway.providers.base import (
    ConnectFailed,
    OutOfTime,
    Provider,
    ReplyTooLarge,
    UpstreamFailed,
    UpstreamReply,
    UpstreamRequest,
    UpstreamSilent,
)
from gateway.retry import backoff_s, counts_as_failure, may_repeat, trouble_of
from gateway.routing.keys import KeyRing
from gateway.routing.types import Plan
from gateway.services import Connection, Routing, Services
from gateway.translation import Translation

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
    ends_at: float = inf

    async def run(self, plan: Plan) -> None:
        """Answer the call from one of the plan's targets. Raises the refusal of the last attempt."""
        self.ends_at = asyncio.get_running_loop().time() + self.routing.defaults.timeout_s
        self.s.retry_budget.active += 1
        try:
            first = 0 if self._has_room(plan.targets[0]) else self._next(plan, 0, {}, "error")
            if first is None:
                raise self._overloaded(plan.targets)
            failed: dict[int, Refusal] = {}
            try:
                await (self._hedge(plan, first, failed) if plan.hedged else self._attempt(plan.targets[first]))
            except Refusal as refusal:
                failed.setdefault(first, refusal)
                await self._try_again(plan, first, refusal, failed)
        except ClientGone:
            raise
        except Refusal:
            if not self.down.committed:  # a refused call costs nothing, however far the upstream had come with it
                self.meter.forget()
            raise
        finally:
            self.s.retry_budget.active -= 1

    async def once(self, target: Target) -> None:
        """Answer the call from this target, at the first attempt or not at all."""
        self.ends_at = asyncio.get_running_loop().time() + self.routing.defaults.timeout_s
        await self._attempt(target)

    async def _hedge(self, plan: Plan, first: int, failed: dict[int, Refusal]) -> None:
        """The first attempt, and before it is over maybe a second. `failed` is told what the second came to."""
        load, budget, one = self.s.load, self.s.retry_budget, plan.targets[first]
        after_s, at = load.nearly_always_s(one.key), self._next(plan, first, {}, "timeout")
        if after_s is None or at is None or at == first:
            await self._attempt(one)
            return
        race, asked, other = Race(self.down, self.meter), False, plan.targets[at]

        def may() -> bool:
            nonlocal asked
            asked = self._has_room(other) and budget.take()
            return asked

        try:
            await race.run(self._apart(one), self._apart(other), after_s, may)
        finally:
            if asked:
                budget.release()
            if len(race.refusals) > 1:
                failed[at] = race.refusals[1]

    def _apart(self, target: Target) -> Attempt:
        """An attempt with a way back and a meter of its own."""
        return lambda down, meter: Relay._attempt(replace(self, down=down, meter=meter), target)

    async def _try_again(self, plan: Plan, last: int, refusal: Refusal, failed: dict[int, Refusal]) -> None:
        for attempt in range(len(failed), max(len(plan.targets), 1 + self.routing.defaults.retries)):
            trouble = trouble_of(refusal)
            if self.down.committed or trouble is None:
                raise refusal
            at = self._next(plan, last, failed, trouble)
            if at is None:
                raise refusal
            wait_s = backoff_s(attempt, failed[at], self.s.rng) if at in failed else 0.0
            if wait_s > self.routing.defaults.retry_after_max_s or self._is_over_in(wait_s):
                raise refusal
            if not self.s.retry_budget.take():
                raise refusal
            self.meter.flags.add(f"retry:{trouble}")
            try:
                await self.s.sleep(wait_s)
                self.meter.forget()
                await self._attempt(plan.targets[at])
                return
            except Refusal as another:
                refusal = failed[at] = another
                last = at
            finally:
                self.s.retry_budget.release()
        raise refusal

    def _next(self, plan: Plan, after: int, failed: Mapping[int, Refusal], trouble: Trouble) -> int | None:
        """The next target in turn that has room: one that this trouble leads to, or one that did not fail for good. To
        the first attempt a target that is held back is an error."""
        targets = plan.targets
        for step in range(1, len(targets) + 1):
            index = (after + step) % len(targets)
            before = failed.get(index)
            may = trouble in plan.on[index] if before is None else may_repeat(before, trouble)
            if may and self._has_room(targets[index]):
                return index
        return None

    def _has_room(self, target: Target) -> bool:
        return self.s.breakers.allows(target.key) and not self.routing.connections[target.provider].bulkhead.is_full

    def _overloaded(self, targets: Sequence[Target]) -> Overloaded:
        wait_s = min(self.s.breakers.retry_after_s(target.key) for target in targets)
        return Overloaded(
            "Every provider of this model is failing or busy at the moment.", retry_after_s=max(1.0, wait_s)
        )

    def _is_over_in(self, wait_s: float) -> bool:
        return asyncio.get_running_loop().time() + wait_s >= self.ends_at

    def _attempt(self, target: Target) -> Coroutine[Any, Any, None]:
        """Ask one target and pass its answer on; where it turns down one of several keys, with the next one at once."""
        connection = self.routing.connections[target.provider]
        if connection.keys is None:
            return self._ask(target, connection.provider, connection)
        return self._ask_with_keys(target, connection.keys, connection)

    async def _ask_with_keys(self, target: Target, keys: KeyRing[Provider], connection: Connection) -> None:
        while True:
            provider = keys.take()
            try:
                await self._ask(target, provider, connection)
                return
            except Refusal as refusal:
                if not keys.turned_down(provider, refusal) or self.down.committed:
                    raise
            self.meter.flags.add("retry:key")
            self.meter.forget()

    async def _ask(self, target: Target, provider: Provider, connection: Connection) -> None:
        """One request and its answer. The target's breaker hears how that went."""
        meter, breakers, key, began = self.meter, self.s.breakers, target.key, time.perf_counter()
        request, translation = self._request(target, provider)
        meter.target = target
        meter.attempts += 1
        breakers.begin(key)
        connection.bulkhead.enter()
        if self.routing.learns_load:
            self.s.load.begin(key)
        reply: UpstreamReply | None = None
        try:
            reply = await connection.upstream.send(request, self.routing.defaults.first_byte_timeout_s, self.ends_at)
            await self._pass_on(key, provider, translation, reply)
        except OutOfTime as failure:  # no word to the breaker: a long answer is not an illness
            raise UpstreamTimeout("The model's provider took too long.") from failure
        except UpstreamFailed as failure:
            refusal = _refusal(failure)
            self._tell(target, refusal)
            raise refusal from failure
        except Refusal as refusal:
            self._tell(target, refusal)
            raise
        finally:
            if reply is not None:
                reply.abort()  # nothing to do for a reply that was read to its end
            connection.bulkhead.leave()
            meter.upstream_s += time.perf_counter() - began
            if self.routing.learns_load:
                self._note(key, None if meter.first_byte_at is None else meter.first_byte_at - began)
        breakers.succeeded(key)

    def _request(self, target: Target, provider: Provider) -> tuple[UpstreamRequest, Translation | None]:
        """What to send: the call as it is, where the provider speaks its dialect, else a translation."""
        if self.call.endpoint in provider.endpoints:
            return provider.request(self.call, target, self.inbound), None
        assert provider.conversations is not None, "routes lead to providers that can be spoken to"
        translation = Translation(self.call, self.inbound, provider.conversations)
        return translation.request(target), translation

    def _note(self, key: str, took_s: float | None) -> None:
        """An attempt is over whose first byte took so long, if there was one."""
        self.s.load.end(key, took_s)
        if took_s is not None and self.call.stream:
            self.s.load.streamed(key, took_s)

    def _tell(self, target: Target, refusal: Refusal) -> None:
        """Tell the breaker of an attempt that failed, and who chooses by latency."""
        if trouble_of(refusal) in ILLNESSES:
            self.s.load.failed(target.key)
        if counts_as_failure(refusal):
            self.s.breakers.failed(target.key)
            self.s.metrics.upstream_error(target.provider, refusal.code)
        else:  # it answers, if not as one would wish: a probe has its outcome
            self.s.breakers.succeeded(target.key)

    async def _pass_on(
        self, key: str, provider: Provider, translation: Translation | None, reply: UpstreamReply
    ) -> None:
        defaults = self.routing.defaults
        if not 200 <= reply.status < 300:
            raise provider.error(reply.status, reply.headers, await self._error_body(reply))
        self.meter.answered = True
        headers = served_by(self.headers, key, reply.headers)
        kind = reply.headers.get("content-type", "").lower()
        if self.call.endpoint in UNIT_BILLED:
            passing = PassThrough(self.call, provider, self.down, self.meter, headers)
            await passing.run(reply, kind, defaults, self.ends_at)
        elif translation is not None and translation.streams:
            translated = TranslatedStream(translation, kind, self.call, provider, self.down, self.meter, headers)
            await translated.run(reply, defaults.idle_timeout_s, self.ends_at)
        elif translation is None and self.call.stream and kind.startswith("text/event-stream"):
            stream = StreamRelay(self.call, provider, self.down, self.meter, headers)
            await stream.run(reply, defaults.idle_timeout_s, self.ends_at)
        else:
            body = await reply.read(defaults.max_reply_bytes, defaults.idle_timeout_s)
            headers["content-type"] = "application/json"
            self.down.answer(reply.status, headers, self._metered(provider, translation, body))

    def _metered(self, provider: Provider, translation: Translation | None, body: bytes) -> bytes:
        """A whole reply as the client gets it."""
        meter = self.meter
        meter.first_byte_at = time.perf_counter()
        try:
            said = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise UpstreamError("The model's provider answered with something that is not JSON.") from error
        if translation is None:
            meter.usage = provider.usage(self.call.endpoint, said)
        else:
            body, meter.usage = translation.whole(said)
        meter.relayed, meter.relayed_bytes, meter.complete = [body], len(body), True
        return body

    async def _error_body(self, reply: UpstreamReply) -> bytes:
        try:
            return await reply.read(MAX_ERROR_BYTES, self.routing.defaults.idle_timeout_s)
        except UpstreamFailed:
            return b""  # the status says enough


def _refusal(failure: UpstreamFailed) -> Refusal:
    """What the client is told of an upstream that failed."""
    match failure:
        case ConnectFailed():
            return UpstreamError("The model's provider can't be reached.")
        case UpstreamSilent():
            return UpstreamTimeout("The model's provider did not answer in time.")
        case ReplyTooLarge():
            return UpstreamError("The model's provider sent more than the gateway accepts.")
    return UpstreamError("The model's provider broke off its answer.")
