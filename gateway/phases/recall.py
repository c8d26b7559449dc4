"""Is the answer known already? Then no provider is asked: the call is answered from the cache, or together with an
identical one that is under way.

Whoever gets such an answer has been authenticated, judged and admitted like everybody else, and is on record; what it
is charged says the rule. A cache that is away, slow or damaged is one that knows nothing.
"""

import asyncio
import time
from asyncio import Future
from collections.abc import Awaitable, Callable, Sequence

from gateway.cache.control import Wish, wish_of
from gateway.cache.entry import Entry, pack, unpack
from gateway.cache.flights import Flight, Without
from gateway.cache.key import key_of
from gateway.cache.recording import Recording
from gateway.cache.rule import CacheConfig
from gateway.cache.worth import is_an_answer
from gateway.errors import ClientGone, NotCached, Refusal
from gateway.exchange import Inbound, ModelCall, Principal, Target, Usage
from gateway.phases.relay import Relay
from gateway.retry import is_retryable
from gateway.services import Services

HEADER = "x-guardflow-cache"
FLAG = "cache_hit"

Run = Callable[[], Awaitable[None]]


class Recall:
    """One call's dealings with the cache. `key` None: it has none. `found` is on its way while the call is admitted."""

    __slots__ = ("flight", "found", "key", "rule", "s", "targets", "wish")

    def __init__(self, rule: CacheConfig, wish: Wish, key: str | None, targets: Sequence[Target], s: Services) -> None:
        self.rule = rule
        self.wish = wish
        self.key = key
        self.targets = targets
        self.s = s
        self.found: Future[bytes | None] | None = None
        self.flight: Flight | None = None

    async def answer(self, relay: Relay, run: Run) -> None:
        """Answer the call, by `relay` if nobody knows better. Raises what `run` raises, and NotCached."""
        known = await self._stored()
        if known is None and self.wish.only_if_cached:
            raise NotCached("There is no stored answer to this call, and it asked for nothing else.")
        known = known or await self._shared(relay)
        if known is not None:
            await self._replay(known, relay)
        elif self.key is not None and self.wish.keep:
            await self._lead(self.key, relay, run)
        else:
            self._tell(relay, "bypass")
            await run()

    async def _stored(self) -> Entry | None:
        data = await self.found if self.found is not None else None
        entry = unpack(data, self.key) if data is not None and self.key is not None else None
        if entry is None:
            return None
        age_s = time.time() - entry.at
        return entry if age_s < self.rule.ttl_s and age_s <= self.wish.max_age_s else None

    async def _shared(self, relay: Relay) -> Entry | None:
        """The answer of an identical call under way, if that has one in time."""
        if self.key is None or not self.wish.read or not self.rule.wait_s:
            return None
        began, flight = time.perf_counter(), self.flight or self.s.flights.find(self.key)
        outcome: Entry | Without | None = None
        while flight is not None:
            left_s = began + self.rule.wait_s - time.perf_counter()
            done, _ = await asyncio.wait([flight], timeout=max(0.0, left_s))
            outcome = flight.result() if done else None
            flight = self.s.flights.find(self.key) if outcome is Without.NEXT else None
        relay.meter.upstream_s += time.perf_counter() - began  # it waited for the provider, if not in person
        return outcome if isinstance(outcome, Entry) else None

    async def _lead(self, key: str, relay: Relay, run: Run) -> None:
        """Have it answered, and let those have it who wait and who come later."""
        flights, flight = self.s.flights, self.s.flights.begin(key)
        outcome: Entry | Without = Without.NEXT
        recording = Recording(relay.down, self.rule.max_entry_bytes, lambda: flights.end(key, flight, Without.ALONE))
        relay.down = recording
        self._tell(relay, "miss" if self.wish.read else "bypass")
        try:
            await run()
            entry = self._entry(recording, relay)
            outcome = entry or Without.ALONE
            if entry is not None and relay.meter.target == self.targets[0]:  # a stand-in's answer is not the route's
                self.s.cache.put(key, pack(entry, key), self.rule.ttl_s)
        except Refusal as refusal:
            if not isinstance(refusal, ClientGone) and not is_retryable(refusal, elsewhere=True):
                outcome = Without.ALONE
            raise
        finally:
            flights.end(key, flight, outcome)

    def _entry(self, recording: Recording, relay: Relay) -> Entry | None:
        """What passed, if it is a whole and good answer."""
        meter, copy = relay.meter, recording.copy
        if copy is None or not meter.complete or meter.target is None or recording.status != 200:
            return None
        body, tail = copy
        if not is_an_answer(body, tail, stream=recording.stream):
            return None
        key, usage = meter.target.key, meter.usage
        return Entry(body, tail, recording.stream, recording.content_type, key, usage, time.time())

    async def _replay(self, entry: Entry, relay: Relay) -> None:
        down, meter = relay.down, relay.meter
        meter.target = next((target for target in self.targets if target.key == entry.target), self.targets[0])
        meter.flags.add(FLAG)
        if self.rule.charge == "full":
            meter.answered = meter.complete = True
            meter.usage, meter.relayed = entry.usage, [entry.body, entry.tail]
            meter.relayed_bytes = len(entry.body) + len(entry.tail)
        else:
            meter.usage = Usage(0, 0)
        self._tell(relay, "hit")
        age_s = max(0, int(time.time() - entry.at))
        headers = {**relay.headers, "age": str(age_s), "x-guardflow-model": entry.target}
        headers["content-type"] = entry.content_type
        if not entry.stream:
            down.answer(200, headers, entry.body)
            return
        headers["cache-control"] = "no-cache"
        await down.begin(headers)
        if entry.body and down.send(entry.body):
            await down.drained()
        down.hold(entry.tail)

    def _tell(self, relay: Relay, what: str) -> None:
        relay.headers = {**relay.headers, HEADER: what}
        self.s.metrics.cache(what)


def recall(
    inbound: Inbound, call: ModelCall, who: Principal, rule: CacheConfig, targets: Sequence[Target], s: Services
) -> Recall:
    """Begin to look the answer up: what is asked of the store travels while the call is admitted."""
    wish = wish_of(inbound.headers.get("cache-control"))
    key = key_of(call, inbound, who, targets[0], rule.scope) if wish.keep else None
    asked = Recall(rule, wish, key, targets, s)
    if key is not None and wish.read:
        asked.found = s.cache.find(key)
        asked.flight = s.flights.find(key)
    return asked
