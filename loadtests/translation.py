"""What carrying a conversation over to another dialect costs against passing it on: `python -m loadtests.translation`.
Microseconds on one core, the best of many rounds: for each request, each whole reply, and each piece of a stream."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.errors import Refusal
from gateway.exchange import Endpoint, Inbound, Meter, ModelCall, Target
from gateway.phases.parse import parse_body, parse_generate
from gateway.phases.stream import StreamRelay
from gateway.phases.translated_stream import TranslatedStream
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.base import Provider
from gateway.providers.gemini import GeminiProvider
from gateway.providers.ollama import OllamaProvider
from gateway.providers.openai import OpenAIProvider
from gateway.translation import Translation

BUDGET_CHUNK_US = 40.0
ROUNDS = 60
REQUESTS = 50
CHUNKS = 200
TARGET = Target("p", "their-model")
SYSTEM, QUESTION, WORD = "Answer briefly. " * 20, "What is the weather in Oslo? " * 5, " snow"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "unit": {"type": "string"}}}

CALLS: Mapping[str, dict[str, Any]] = {
    Endpoint.CHAT: {
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}],
    },
    Endpoint.RESPONSES: {
        "instructions": SYSTEM, "input": [{"role": "user", "content": QUESTION}],
        "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA}],
    },
    Endpoint.MESSAGES: {
        "system": SYSTEM, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 1000,
        "tools": [{"name": "weather", "input_schema": SCHEMA}],
    },
    Endpoint.GENERATE: {
        "systemInstruction": {"parts": [{"text": SYSTEM}]}, "contents": [{"parts": [{"text": QUESTION}]}],
        "tools": [{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": SCHEMA}]}],
    },
}  # fmt: skip


class Spoken:
    """How a provider answers: whole, and as the pieces of a stream, the second of which is repeated."""

    def __init__(self, provider: Provider, kind: str, whole: Any, begin: Any, word: Any, end: tuple[Any, ...]) -> None:
        self.provider = provider
        self.kind = kind
        self.whole = orjson.dumps(whole)
        self.begin, self.word, *self.end = (self.framed(one) for one in (begin, word, *end))

    def framed(self, said: Any) -> bytes:
        data = said if isinstance(said, bytes) else orjson.dumps(said)
        if self.kind != "text/event-stream":
            return data + b"\n"
        name = b"event: %b\n" % said["type"].encode() if isinstance(said, dict) and "type" in said else b""
        return b"%bdata: %b\n\n" % (name, data)

    def stream(self, words: int) -> list[bytes]:
        return [self.begin, *[self.word] * words, *self.end]


def _chunk(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
        **more,
    }


def _generated(text: str, **more: Any) -> dict[str, Any]:
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 400}
    candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}, **more}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m"}


TEXT = WORD * CHUNKS
SSE = "text/event-stream"
SPOKEN: Mapping[str, Spoken] = {
    "chat": Spoken(
        OpenAIProvider("k"), SSE,
        {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
         "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
         "usage": {"prompt_tokens": 9, "completion_tokens": 400, "total_tokens": 409}},
        _chunk({"role": "assistant", "content": ""}), _chunk({"content": WORD}), (_chunk({}, "stop"), b"[DONE]"),
    ),
    "messages": Spoken(
        AnthropicProvider("k"), SSE,
        {"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
         "content": [{"type": "text", "text": TEXT}], "usage": {"input_tokens": 9, "output_tokens": 400}},
        {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 9}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": WORD}},
        ({"type": "content_block_stop", "index": 0},
         {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 400}},
         {"type": "message_stop"}),
    ),
    "generateContent": Spoken(
        GeminiProvider("k"), SSE, _generated(TEXT, finishReason="STOP"), _generated(WORD), _generated(WORD),
        (_generated(WORD, finishReason="STOP"),),
    ),
    "ollama": Spoken(
        OllamaProvider("k"), "application/x-ndjson",
        {"model": "m", "message": {"role": "assistant", "content": TEXT}, "done": True, "done_reason": "stop",
         "prompt_eval_count": 9, "eval_count": 400},
        {"model": "m", "message": {"content": WORD}, "done": False},
        {"model": "m", "message": {"content": WORD}, "done": False},
        ({"model": "m", "message": {"content": ""}, "done": True, "done_reason": "stop", "prompt_eval_count": 9,
          "eval_count": 400},),
    ),
}  # fmt: skip
# Anthropic's first delta stands in a block that has begun.
_OPENED = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
SPOKEN["messages"].begin += SPOKEN["messages"].framed(_OPENED)


class Reader:
    """A client that takes everything at once."""

    committed = False

    async def begin(self, headers: Mapping[str, str]) -> None:
        self.committed = True

    def send(self, data: bytes) -> bool:
        return False

    async def drained(self) -> None:
        """It always is."""

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None: ...

    def hold(self, tail: bytes) -> None: ...

    def refuse(self, refusal: Refusal, headers: Mapping[str, str]) -> None: ...

    async def finish(self) -> None: ...


class Reply:
    """A stream that is all there."""

    status = 200
    headers: Mapping[str, str] = {}

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def read(self, max_bytes: int, idle_timeout_s: float) -> bytes:
        return b"".join(self._pieces)

    async def pump(
        self, feed: Callable[[bytes], bool], drained: Callable[[], Awaitable[None]], idle_timeout_s: float
    ) -> None:
        for piece in self._pieces:
            if feed(piece):
                await drained()

    def abort(self) -> None:
        """Nothing is open."""


def call_of(endpoint: Endpoint, *, stream: bool) -> ModelCall:
    body = orjson.dumps({**CALLS[endpoint], "model": "m"} | ({"stream": True} if stream else {}))
    return parse_generate("m", stream, body) if endpoint is Endpoint.GENERATE else parse_body(endpoint, body)


async def _no_body() -> bytes:
    return b""


def inbound_of(endpoint: Endpoint) -> Inbound:
    return Inbound("1", endpoint, endpoint.dialect, {}, _no_body, 0.0, datetime.now(UTC), query="alt=sse")


def request_us(endpoint: Endpoint, provider: Provider) -> float:
    call, inbound = call_of(endpoint, stream=False), inbound_of(endpoint)
    if endpoint in provider.endpoints:
        return best(lambda: provider.request(call, TARGET, inbound), REQUESTS)
    conversations = provider.conversations
    assert conversations is not None
    return best(lambda: Translation(call, inbound, conversations).request(TARGET), REQUESTS)


def reply_us(endpoint: Endpoint, spoken: Spoken) -> float:
    call, inbound, provider = call_of(endpoint, stream=False), inbound_of(endpoint), spoken.provider
    if endpoint in provider.endpoints:
        return best(lambda: provider.usage(endpoint, orjson.loads(spoken.whole)), REQUESTS)
    assert provider.conversations is not None
    translation = Translation(call, inbound, provider.conversations)
    return best(lambda: translation.whole(orjson.loads(spoken.whole)), REQUESTS)


def chunk_us(endpoint: Endpoint, spoken: Spoken) -> float:
    """Of one piece that holds a word: a long stream less a short one."""
    return (stream_us(endpoint, spoken, CHUNKS) - stream_us(endpoint, spoken, 0)) / CHUNKS


def stream_us(endpoint: Endpoint, spoken: Spoken, words: int) -> float:
    call, inbound, provider = call_of(endpoint, stream=True), inbound_of(endpoint), spoken.provider
    pieces = spoken.stream(words)
    took = []

    async def once() -> None:
        meter, reader = Meter(answered=True), Reader()
        if endpoint in provider.endpoints:
            relay = StreamRelay(call, provider, reader, meter, {})
        else:
            assert provider.conversations is not None
            translation = Translation(call, inbound, provider.conversations)
            relay = TranslatedStream(translation, spoken.kind, call, provider, reader, meter, {})
        began = time.perf_counter()
        await relay.run(Reply(pieces), 5)
        took.append(time.perf_counter() - began)

    async def rounds() -> None:
        for _ in range(ROUNDS):
            await once()

    asyncio.run(rounds())
    return min(took) * 1e6


def best(work: Callable[[], object], times: int) -> float:
    """Microseconds of one, in the best round."""
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            work()
        took.append(time.perf_counter() - began)
    return min(took) / times * 1e6


def main() -> int:
    worst = 0.0
    print(f"{'client':<18}{'provider':<18}{'request':>9}{'reply':>9}{'chunk':>9}   microseconds")
    for endpoint in CALLS:
        for name, spoken in SPOKEN.items():
            passes = endpoint in spoken.provider.endpoints
            if passes and name == "ollama":
                continue  # by its compatible paths, as any other
            chunk = chunk_us(Endpoint(endpoint), spoken)
            worst = worst if passes else max(worst, chunk)
            spent = request_us(Endpoint(endpoint), spoken.provider), reply_us(Endpoint(endpoint), spoken), chunk
            print(
                f"{endpoint:<18}{name:<18}" + "".join(f"{us:>9.2f}" for us in spent) + ("   as it is" if passes else "")
            )
    print(f"budget {BUDGET_CHUNK_US:g} us a chunk: {'kept' if worst <= BUDGET_CHUNK_US else 'MISSED'}")
    return int(worst > BUDGET_CHUNK_US)


if __name__ == "__main__":
    sys.exit(main())
