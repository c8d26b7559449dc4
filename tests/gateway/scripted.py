"""Providers, clients and judges as a test scripts them: real implementations of the seams that play what they get."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from typing import Any

import orjson

from classifiers.base import Intent, Judgement, Misuse, Turn
from gateway.breaker import Breakers
from gateway.catalog import Catalog
from gateway.config import Config
from gateway.errors import ClientGone, Refusal
from gateway.exchange import Endpoint, Grant, Inbound, ModelCall, Principal
from gateway.logsink.memory import MemoryLogSink
from gateway.metrics import Metrics
from gateway.phases.parse import parse_body, parse_generate
from gateway.policy import make_policy
from gateway.prices import PriceConfig, Prices, make_prices
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.base import OutOfTime, ReplyTooLarge, Upstream, UpstreamReply, UpstreamRequest, UpstreamSilent
from gateway.providers.openai import OpenAIProvider
from gateway.quota.base import Ask, Left, QuotaStore, QuotaUsage, Scope, Spent
from gateway.quota.memory import MemoryQuotaStore
from gateway.routing.load import Load
from gateway.services import Connection, Routing, Services
from gateway.tokens.base import new_token
from gateway.tokens.cached import CachedTokenStore
from gateway.tokens.memory import MemoryTokenStore

SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}

Pause = Callable[[], Awaitable[object]]
Step = bytes | Exception | Pause | tuple[bytes, Exception]
"""A piece of the body, a fault, a wait, or a piece with a fault right behind it, before the reader could begin."""


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def _within(pause: Pause, seconds: float, ends_at: float) -> None:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(min(loop.time() + seconds, ends_at)):
            await pause()
    except TimeoutError:
        raise (OutOfTime if ends_at <= loop.time() else UpstreamSilent)("scripted") from None


class ScriptedReply:
    """Plays its steps to whoever reads, at the reader's pace."""

    def __init__(self, *steps: Step, status: int = 200, headers: Mapping[str, str] = SSE) -> None:
        self.status = status
        self.headers = headers
        self.aborted = False
        self.held_back = self.played = 0
        self.ends_at = inf
        self._steps = steps

    async def read(self, max_bytes: int, idle_timeout_s: float) -> bytes:
        body = b""
        for step in self._steps:
            body += await self._piece(step, idle_timeout_s)
            if len(body) > max_bytes:
                raise ReplyTooLarge("scripted")
            if isinstance(step, tuple):
                raise step[1]
        return body

    async def pump(
        self, feed: Callable[[bytes], bool], drained: Callable[[], Awaitable[None]], idle_timeout_s: float
    ) -> None:
        for step in self._steps:
            self.played += 1
            piece = await self._piece(step, idle_timeout_s)
            congested = bool(piece) and feed(piece)
            if isinstance(step, tuple):
                raise step[1]
            if congested:
                self.held_back += 1
                await drained()

    async def _piece(self, step: Step, idle_timeout_s: float) -> bytes:
        if isinstance(step, Exception):
            raise step
        if isinstance(step, tuple):
            return step[0]
        if isinstance(step, bytes):
            return step
        await _within(step, idle_timeout_s, self.ends_at)
        return b""

    def abort(self) -> None:
        self.aborted = True


class ScriptedUpstream:
    """Answers each request with the next of `replies`, and then with the last for ever."""

    def __init__(self, *replies: ScriptedReply | Exception | Pause) -> None:
        self._replies = list(replies)
        self.requests: list[UpstreamRequest] = []

    async def send(self, request: UpstreamRequest, first_byte_timeout_s: float, ends_at: float = inf) -> UpstreamReply:
        self.requests.append(request)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, ScriptedReply):
            reply.ends_at = ends_at
            return reply
        await _within(reply, first_byte_timeout_s, ends_at)
        raise AssertionError("a scripted wait came to its end")

    async def close(self) -> None:
        """Nothing is open."""


class ListDownstream:
    """A client that keeps what it gets. It leaves after `leaves_after` bytes, and is congested after each piece where
    `congested` is set; `on_finish` is called before the last bytes are taken."""

    def __init__(
        self,
        *,
        leaves_after: int | None = None,
        congested: bool = False,
        on_finish: Callable[[], None] = lambda: None,
    ) -> None:
        self.pieces: list[bytes] = []
        self.tail = b""
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.body = b""
        self.refusal: Refusal | None = None
        self.finished = False
        self.drains = 0
        self._begun = False
        self._leaves_after = leaves_after
        self._congested = congested
        self._on_finish = on_finish

    @property
    def committed(self) -> bool:
        return self._begun

    @property
    def sent(self) -> bytes:
        return b"".join(self.pieces)

    async def begin(self, headers: Mapping[str, str]) -> None:
        await asyncio.sleep(0)
        self._begun, self.status, self.headers = True, 200, headers

    def send(self, data: bytes) -> bool:
        assert self._begun
        assert data, "an empty piece ends an HTTP stream"
        if self._leaves_after is not None and len(self.sent) + len(data) > self._leaves_after:
            raise ClientGone("scripted")
        self.pieces.append(data)
        return self._congested

    async def drained(self) -> None:
        self.drains += 1
        await asyncio.sleep(0)

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def hold(self, tail: bytes) -> None:
        self.tail = tail

    def refuse(self, refusal: Refusal, headers: Mapping[str, str]) -> None:
        self.refusal = refusal
        if not self._begun:
            self.status, self.headers = refusal.status, headers

    async def finish(self) -> None:
        self._on_finish()
        await asyncio.sleep(0)
        self.finished = True
        self.pieces += [self.tail] if self.tail else []


class FixedClassifier:
    """Judges everything alike."""

    def __init__(self, intent: str = "other", confidence: float = 0.9, misuse: float = 0.0) -> None:
        self._judgement = Judgement(Intent(intent, confidence, {intent: confidence}), Misuse(misuse, "benign"))
        self.judged: list[Sequence[Turn]] = []

    def judge(self, turns: Sequence[Turn]) -> Judgement:
        self.judged.append(turns)
        return self._judgement


class NoLedger:
    """Nobody has used anything yet."""

    async def spent(self, scope: Scope) -> Spent:
        return Spent()


class WatchedQuotas:
    """A quota store that remembers what it was told."""

    def __init__(self, inner: QuotaStore | None = None) -> None:
        self.inner = inner or MemoryQuotaStore(NoLedger())
        self.asked: list[Ask] = []
        self.settled: list[tuple[Ask, int, int]] = []
        self.fails: Exception | None = None
        self.waits: Pause | None = None

    async def reserve(self, ask: Ask) -> Grant:
        self.asked.append(ask)
        if self.fails is not None:
            raise self.fails
        if self.waits is not None:
            await self.waits()
        return await self.inner.reserve(ask)

    def settle(self, ask: Ask, tokens: int, cost_micros: int) -> None:
        self.settled.append((ask, tokens, cost_micros))
        self.inner.settle(ask, tokens, cost_micros)

    async def usage(self, scope: Scope) -> QuotaUsage:
        return await self.inner.usage(scope)

    def recover(self, left: Left) -> None:
        self.inner.recover(left)

    async def forget(self, scope: Scope) -> None:
        await self.inner.forget(scope)

    async def close(self) -> None:
        await self.inner.close()


@dataclass
class Clock:
    """Time that passes when somebody sleeps."""

    now: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


TOKEN = new_token()
ALICE = Principal(user_id=1, token_id=11, email="alice@example.org", name="Alice", role="user")


class World:
    """Everything a request may use, all of it at hand: `services` is made of the honest fakes and of scripts."""

    def __init__(self, config: Config, upstreams: Mapping[str, Upstream], who: Principal = ALICE) -> None:
        self.clock = Clock()
        self.store = MemoryTokenStore()
        self.store.add(TOKEN, who)
        self.quotas = WatchedQuotas()
        self.log = MemoryLogSink()
        self.classifier = FixedClassifier()
        connections = {
            name: Connection(_provider(config.providers[name].type), upstream) for name, upstream in upstreams.items()
        }
        policy = make_policy(config.policies, {"flag": 0.5, "block": 0.9})
        self.services = Services(
            tokens=CachedTokenStore(self.store),
            classifier=self.classifier,
            quotas=self.quotas,
            log=self.log,
            metrics=Metrics(),
            routing=Routing(Catalog(config), connections, policy, config.defaults),
            breakers=Breakers(self.clock),
            load=Load(self.clock),
            rng=random.Random(1),
            sleep=self.clock.sleep,
        )


def _provider(kind: str) -> OpenAIProvider | AnthropicProvider:
    return AnthropicProvider("key-a") if kind == "anthropic" else OpenAIProvider("key-o")


def make_config(
    *names: str, fallbacks: Sequence[Any] = (), model: Mapping[str, Any] | None = None, **defaults: Any
) -> Config:
    """A model `m` at the providers named, and one `only-<name>` at each; a name that starts with `claude` is one of
    Anthropic's. `model` changes what `m` is: a target of its may be given by the provider's name alone."""
    elsewhere = {one if isinstance(one, str) else one["model"] for one in fallbacks}
    changes = dict(model or {})
    targets = changes.pop("targets", [n for n in names if f"only-{n}" not in elsewhere])
    return Config.model_validate(
        {
            "providers": {n: {"type": "anthropic" if n.startswith("claude") else "openai"} for n in names},
            "models": {
                "m": {
                    "targets": [{"provider": one, "model": "m"} if isinstance(one, str) else one for one in targets],
                    "fallbacks": list(fallbacks),
                    "price": {"input": 2, "output": 10},
                    **changes,
                },
                **{f"only-{n}": {"targets": [{"provider": n, "model": "m"}]} for n in names},
            },
            "defaults": {"timeout_s": 5, "first_byte_timeout_s": 0.05, "idle_timeout_s": 0.05, **defaults},
        }
    )


BODIES: dict[Endpoint, dict[str, Any]] = {
    Endpoint.CHAT: {"model": "m", "messages": [{"role": "user", "content": "Hello there"}]},
    Endpoint.COMPLETIONS: {"model": "m", "prompt": "Hello there"},
    Endpoint.EMBEDDINGS: {"model": "m", "input": "Hello there"},
    Endpoint.RESPONSES: {"model": "m", "input": "Hello there"},
    Endpoint.MODERATIONS: {"model": "m", "input": "Hello there"},
    Endpoint.MESSAGES: {"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello there"}]},
}


def priced(of_input: float, of_output: float, **of_kinds: float) -> Prices:
    """Dollars per million tokens."""
    return make_prices((PriceConfig.model_validate({"input": of_input, "output": of_output, **of_kinds}),))


def make_inbound(
    endpoint: Endpoint = Endpoint.CHAT,
    body: Mapping[str, Any] | bytes | None = None,
    headers: Mapping[str, str] | None = None,
    read: Callable[[], Awaitable[bytes]] | None = None,
    **changes: Any,
) -> Inbound:
    """A request to `endpoint` from Alice. `changes` are fields of the usual body; `body` is taken instead of it."""
    given = body if body is not None else {**BODIES.get(endpoint, {}), **changes}
    raw = given if isinstance(given, bytes) else orjson.dumps(given)

    async def read_body() -> bytes:
        return raw

    return Inbound(
        uuid.uuid4().hex, endpoint, endpoint.dialect, headers if headers is not None else bearer(), read or read_body,
        time.perf_counter(), datetime.now(UTC),
    )  # fmt: skip


def bearer(token: str = TOKEN, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in more.items()}}


def make_call(endpoint: Endpoint = Endpoint.CHAT, **changes: Any) -> ModelCall:
    return parse_body(endpoint, orjson.dumps({**BODIES[endpoint], **changes}))


def make_generate(model: str = "m", /, *, stream: bool = False, **changes: Any) -> ModelCall:
    """A call in Gemini's dialect, which says its model in the path."""
    body = {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}], **changes}
    return parse_generate(model, stream, orjson.dumps(body))


def with_limits(who: Principal, **limits: int) -> Principal:
    return replace(who, user_limits=replace(who.user_limits, **limits))
