"""A gateway that caches, two who use it, and what they were given."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson

from gateway.cache.base import CacheStore
from gateway.cache.memory import MemoryCache
from gateway.cache.rule import AllCacheConfig
from gateway.catalog import Catalog
from gateway.exchange import Inbound
from gateway.lifecycle import serve
from gateway.logsink.base import LogRow
from gateway.phases.recall import HEADER
from gateway.tokens.base import new_token
from tests.gateway.scripted import (
    ALICE,
    JSON,
    ListDownstream,
    Pause,
    ScriptedReply,
    ScriptedUpstream,
    World,
    bearer,
    make_config,
    make_inbound,
    with_limits,
)

REPLY = {"choices": [{"message": {"content": "hello world"}}], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
BODY = orjson.dumps(REPLY)
BOBS = new_token()
BOB = replace(ALICE, user_id=2, token_id=22, email="bob@example.org")
LIMITED = with_limits(ALICE, rpm=1000, tpm=1_000_000, concurrent=200)


def whole(body: bytes = BODY, *waits: Pause) -> ScriptedReply:
    return ScriptedReply(*waits, body, headers=JSON)


class Cached(World):
    """A provider `a`, `b` to fall back on, Alice and Bob, and the answers they were given."""

    def __init__(self, *replies: ScriptedReply | Exception, store: CacheStore | None = None, **rule: Any) -> None:
        self.upstream = ScriptedUpstream(*(replies or (whole(),)))
        self.other = ScriptedUpstream(whole(b'{"choices":[]}'))
        self.config = make_config("a", "b", fallbacks=["only-b"], retries=0, idle_timeout_s=5, first_byte_timeout_s=5)
        super().__init__(self.config, {"a": self.upstream, "b": self.other}, LIMITED)
        self.store.add(BOBS, BOB)
        self.services.cache = store or MemoryCache()
        self.rule(**rule)

    def rule(self, **rule: Any) -> None:
        config = self.config.model_copy(update={"cache": AllCacheConfig(**{"mode": "exact", **rule})})
        self.services.routing = replace(self.services.routing, catalog=Catalog(config))

    async def ask(self, inbound: Inbound | None = None, down: ListDownstream | None = None) -> ListDownstream:
        down = down or ListDownstream()
        await serve(inbound or make_inbound(), down, self.services)
        return down

    async def ask_many(self, number: int, **changes: Any) -> list[ListDownstream]:
        return list(await asyncio.gather(*(self.ask(make_inbound(**changes)) for _ in range(number))))

    async def told(self, cache_control: str = "", **changes: Any) -> str:
        """What the header says to one more call."""
        headers = bearer(cache_control=cache_control) if cache_control else bearer()
        return (await self.ask(make_inbound(headers=headers, **changes))).headers.get(HEADER, "nothing")

    @property
    def last(self) -> LogRow:
        return self.log.rows[-1]

    @property
    def calls(self) -> int:
        return len(self.upstream.requests)
