"""A provider's stream in another dialect than the client's: however its bytes are cut, the client gets the same, the
end waits for the record, and what breaks on the way is an error."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects import chat
from gateway.errors import ClientGone, InvalidRequest, Refusal, UpstreamError
from gateway.exchange import Endpoint, Meter, ModelCall, Target, Usage
from gateway.phases.relay import Relay
from gateway.phases.translated_stream import TranslatedStream
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.base import OutOfTime, Provider, UpstreamCut
from gateway.providers.bedrock import BedrockProvider
from gateway.providers.gemini import GeminiProvider
from gateway.providers.ollama import OllamaProvider
from gateway.providers.openai import OpenAIProvider
from gateway.providers.sigv4 import AwsCredentials, Signer
from gateway.routing.types import ON_ILLNESS, Plan
from gateway.translation import Translation
from gateway.wire.sse import MAX_EVENT_BYTES
from tests.gateway.phases.test_stream import DONE, ERROR, ROLE, STOP, USAGE, cut, word
from tests.gateway.scripted import (
    JSON,
    ListDownstream,
    ScriptedReply,
    ScriptedUpstream,
    Step,
    World,
    for_ever,
    make_call,
    make_config,
    make_generate,
    make_inbound,
)
from tests.gateway.wire.test_eventstream import event as message
from tests.gateway.wire.test_eventstream import frame


def said(*documents: Any) -> list[bytes]:
    return [b"data: %b\n\n" % orjson.dumps(document) for document in documents]


def lines(*documents: Any) -> list[bytes]:
    return [orjson.dumps(document) + b"\n" for document in documents]


def messages(*pairs: tuple[str, Any]) -> list[bytes]:
    return [message(kind, orjson.dumps(document)) for kind, document in pairs]


CHAT = [ROLE, word("Hello"), word(", sea"), STOP, USAGE, DONE]
ANTHROPIC = said(
    {"type": "message_start", "message": {"id": "msg", "model": "c", "usage": {"input_tokens": 9, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ", sea"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
)
GEMINI = said(
    {"candidates": [{"content": {"parts": [{"text": "Hello"}]}}], "usageMetadata": {"promptTokenCount": 9}},
    {"candidates": [{"content": {"parts": [{"text": ", sea"}]}, "finishReason": "STOP"}],
     "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3}},
)  # fmt: skip
OLLAMA = lines(
    {"message": {"content": "Hello"}, "done": False},
    {"message": {"content": ", sea"}, "done": False},
    {"message": {"content": ""}, "done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 3},
)
CONVERSE = messages(
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": ", sea"}}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": {"inputTokens": 9, "outputTokens": 3, "totalTokens": 12}, "metrics": {"latencyMs": 1}}),
)
RECORDED: dict[str, tuple[Provider, list[bytes]]] = {
    "openai": (OpenAIProvider(""), CHAT),
    "anthropic": (AnthropicProvider(""), ANTHROPIC),
    "gemini": (GeminiProvider(""), GEMINI),
    "ollama": (OllamaProvider(""), OLLAMA),
    "bedrock": (BedrockProvider(Signer(AwsCredentials("a", "s"), "eu-west-1"), "h"), CONVERSE),
}
CLIENTS: dict[Endpoint, Callable[[], ModelCall]] = {
    Endpoint.CHAT: lambda: make_call(stream=True, stream_options={"include_usage": True}),
    Endpoint.RESPONSES: lambda: make_call(Endpoint.RESPONSES, stream=True),
    Endpoint.MESSAGES: lambda: make_call(Endpoint.MESSAGES, stream=True),
    Endpoint.GENERATE: lambda: make_generate(stream=True),
}
_PASSING = re.compile(rb'"(?:created|created_at|completed_at)":[0-9.]+|(?:chatcmpl-|msg_|resp_|rs_|fc_|call_)\w+')


@dataclass
class Relayed:
    down: ListDownstream = field(default_factory=ListDownstream)
    meter: Meter = field(default_factory=lambda: Meter(answered=True))

    @property
    def data(self) -> list[Any]:
        """What the client's events say, `[DONE]` left out."""
        found = re.findall(rb"^data: (.*)$", self.down.sent + self.down.tail, re.MULTILINE)
        return [orjson.loads(one) for one in found if one != b"[DONE]"]

    @property
    def heard(self) -> str:
        return "".join(text for document in self.data for text in _texts(document))


def _texts(document: Any) -> list[str]:
    match document:
        case {"choices": [{"delta": {"content": str(text)}}]}:
            return [text]
        case {"type": "content_block_delta", "delta": {"text": str(text)}}:
            return [text]
        case {"type": "response.output_text.delta", "delta": str(text)}:
            return [text]
        case {"candidates": [{"content": {"parts": list(parts)}}]}:
            return [part["text"] for part in parts]
    return []


async def relay(
    name: str, *steps: Step, call: ModelCall | None = None, kind: str | None = None, into: Relayed | None = None,
    ends_in_s: float | None = None,
) -> Relayed:  # fmt: skip
    provider, _ = RECORDED[name]
    relayed, call = into or Relayed(), call or CLIENTS[Endpoint.MESSAGES]()
    assert provider.conversations is not None
    translation = Translation(call, make_inbound(call.endpoint)._replace(query="alt=sse"), provider.conversations)
    kind = provider.conversations.frames().content_type if kind is None else kind
    stream = TranslatedStream(translation, kind, call, provider, relayed.down, relayed.meter, {"x-request-id": "r"})
    reply = ScriptedReply(*steps)
    if ends_in_s is not None:
        reply.ends_at = asyncio.get_running_loop().time() + ends_in_s
    await stream.run(reply, 0.05, reply.ends_at)
    return relayed


async def fails(name: str, *steps: Step, why: type[Exception] = Refusal, **how: Any) -> tuple[Relayed, Exception]:
    relayed = Relayed()
    with pytest.raises(why) as failed:
        await relay(name, *steps, into=relayed, **how)
    assert not relayed.meter.complete
    assert relayed.down.tail == b"", "a stream that failed has no end"
    return relayed, failed.value


def same_but_ids(sent: bytes) -> bytes:
    return _PASSING.sub(b"~", sent)


# Whole streams.


@pytest.mark.parametrize("endpoint", list(CLIENTS))
@pytest.mark.parametrize("name", list(RECORDED))
async def test_every_providers_stream_reaches_every_client(name: str, endpoint: Endpoint) -> None:
    relayed = await relay(name, *RECORDED[name][1], call=CLIENTS[endpoint]())
    assert relayed.heard == "Hello, sea"
    assert relayed.meter.usage == Usage(9, 3)
    assert relayed.meter.complete
    assert relayed.meter.first_byte_at is not None
    assert relayed.down.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert relayed.down.headers["x-request-id"] == "r"


@pytest.mark.parametrize("name", list(RECORDED))
@given(endpoint=st.sampled_from(list(CLIENTS)), at=st.lists(st.integers(0, 5000), max_size=12))
@settings(max_examples=20, deadline=None)
def test_any_split_of_a_stream_is_translated_alike(name: str, endpoint: Endpoint, at: list[int]) -> None:
    async def check() -> None:
        whole = await relay(name, b"".join(RECORDED[name][1]), call=CLIENTS[endpoint]())
        relayed = await relay(name, *cut(b"".join(RECORDED[name][1]), at), call=CLIENTS[endpoint]())
        assert same_but_ids(relayed.down.sent) == same_but_ids(whole.down.sent)
        assert same_but_ids(relayed.down.tail) == same_but_ids(whole.down.tail)
        assert relayed.meter.usage == whole.meter.usage == Usage(9, 3)

    asyncio.run(check())


@pytest.mark.parametrize(
    ("endpoint", "first_of_the_end"),
    [
        (Endpoint.CHAT, b"data: "),
        (Endpoint.RESPONSES, b"event: response.completed\n"),
        (Endpoint.MESSAGES, b"event: message_delta\n"),
        (Endpoint.GENERATE, b'data: {"candidates":'),
    ],
)
async def test_the_end_is_held_until_the_request_is_on_record(endpoint: Endpoint, first_of_the_end: bytes) -> None:
    relayed = await relay("ollama", *OLLAMA, call=CLIENTS[endpoint]())
    assert relayed.down.tail.startswith(first_of_the_end)
    if endpoint is Endpoint.CHAT:
        assert relayed.down.tail.endswith(DONE)


@pytest.mark.parametrize("asked", [True, False])
async def test_openais_clients_are_told_usage_only_where_they_asked(asked: bool) -> None:
    relayed = await relay("anthropic", *ANTHROPIC, call=make_call(stream=True, stream_options={"include_usage": asked}))
    assert any(chunk.get("usage") for chunk in relayed.data) is asked
    assert relayed.meter.usage == Usage(9, 3)


async def test_an_end_without_its_blank_line_or_newline_is_an_end() -> None:
    for name, stream in (("ollama", OLLAMA), ("anthropic", ANTHROPIC), ("openai", CHAT)):
        relayed = await relay(name, b"".join(stream).rstrip(b"\n"))
        assert relayed.heard == "Hello, sea"
        assert relayed.down.tail.endswith(b'{"type":"message_stop"}\n\n')


async def test_a_provider_that_said_why_it_stops_has_ended_though_its_last_event_is_missing() -> None:
    relayed = await relay("openai", *CHAT[:-1], call=CLIENTS[Endpoint.CHAT]())
    assert relayed.down.tail.endswith(DONE)
    assert relayed.meter.usage == Usage(9, 3)
    for name, stream in (("anthropic", ANTHROPIC[:-1]), ("bedrock", CONVERSE[:-1])):
        assert (await relay(name, *stream)).down.tail.endswith(b'{"type":"message_stop"}\n\n')


async def test_nothing_after_the_end_is_passed_on() -> None:
    relayed = await relay("anthropic", *ANTHROPIC, *ANTHROPIC, b"garbage")
    assert relayed.heard == "Hello, sea"
    relayed = await relay("anthropic", b"".join(ANTHROPIC) + b"".join(ANTHROPIC))
    assert relayed.heard == "Hello, sea"


async def test_a_cut_after_the_end_takes_nothing_away() -> None:
    relayed = await relay("ollama", *OLLAMA, UpstreamCut("scripted"))
    assert relayed.meter.complete


async def test_a_slow_client_is_waited_for() -> None:
    relayed = Relayed(ListDownstream(congested=True))
    await relay("ollama", *OLLAMA, into=relayed)
    assert relayed.down.drains >= len(OLLAMA) - 1
    assert relayed.heard == "Hello, sea"


# What breaks.


@pytest.mark.parametrize("name", list(RECORDED))
@pytest.mark.parametrize("end", [None, UpstreamCut("scripted")])
async def test_a_stream_that_is_cut_is_an_error_whatever_came_before(name: str, end: Exception | None) -> None:
    steps: list[Step] = [b"".join(RECORDED[name][1])[: -len(b"".join(RECORDED[name][1][-4:]))]]
    if name == "gemini":
        steps = [GEMINI[0]]
    steps += [end] if end is not None else []
    await fails(name, *steps, why=UpstreamCut if end is not None else UpstreamError)


@pytest.mark.parametrize("name", list(RECORDED))
async def test_a_stream_that_is_empty_is_an_error(name: str) -> None:
    relayed, _ = await fails(name)
    assert relayed.down.sent == b""


@pytest.mark.parametrize(
    ("name", "broken"),
    [("openai", b"data: {\n\n"), ("anthropic", b'data: {"type":5}\n\n'), ("gemini", b"data: []\n\n"),
     ("ollama", b'{"message":\n'), ("bedrock", b"\0" * 40), ("bedrock", message("contentBlockDelta", b"{"))],
)  # fmt: skip
async def test_what_came_before_a_broken_event_is_the_clients_and_nothing_after_it(name: str, broken: bytes) -> None:
    stream = RECORDED[name][1]
    middle = {"gemini": 1, "ollama": 2}.get(name, -2)
    relayed, refusal = await fails(name, *stream[:middle], broken, *stream[middle:])
    assert isinstance(refusal, UpstreamError)
    assert relayed.heard == ("Hello" if name == "gemini" else "Hello, sea")
    together, _ = await fails(name, b"".join([*stream[:middle], broken, *stream[middle:]]))
    assert together.heard in ("", relayed.heard)


async def test_a_message_stream_that_ends_within_a_message_is_an_error() -> None:
    relayed, refusal = await fails("bedrock", *CONVERSE[:3], CONVERSE[3][:-1])
    assert isinstance(refusal, UpstreamError)
    assert relayed.heard == "Hello, sea"


@pytest.mark.parametrize(
    ("name", "failure", "why"),
    [
        ("openai", ERROR, "out of memory"),
        ("anthropic", said({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})[0],
         "Overloaded"),
        ("gemini", said({"error": {"code": 503, "message": "later", "status": "UNAVAILABLE"}})[0], "later"),
        ("ollama", lines({"error": "out of memory"})[0], "out of memory"),
        ("bedrock", frame(b'{"message":"too fast"}', message_type="exception", exception_type="throttlingException"),
         "too fast"),
    ],
)  # fmt: skip
async def test_a_provider_that_fails_in_its_own_words_fails_in_the_clients(name: str, failure: bytes, why: str) -> None:
    relayed, refusal = await fails(name, RECORDED[name][1][0], failure)
    assert why in str(refusal)
    assert "sk-12345678" not in str(refusal)
    assert relayed.down.tail == b""


async def test_a_failure_before_anything_was_said_leaves_the_client_a_status() -> None:
    relayed, refusal = await fails("ollama", *lines({"error": "no such model"}))
    assert isinstance(refusal, UpstreamError)
    assert not relayed.down.committed


@pytest.mark.parametrize("kind", ["application/json", "", "text/html"])
async def test_an_answer_that_is_no_stream_is_broken(kind: str) -> None:
    _, refusal = await fails("ollama", *OLLAMA, kind=kind)
    assert isinstance(refusal, UpstreamError)
    relayed = await relay("ollama", *OLLAMA, kind="application/x-ndjson; charset=utf-8")
    assert relayed.heard == "Hello, sea"


async def test_an_event_without_end_is_not_waited_for() -> None:
    _, refusal = await fails("anthropic", ANTHROPIC[0], b"data: " + b"x" * (MAX_EVENT_BYTES + 1))
    assert "too large" in str(refusal)
    _, refusal = await fails("ollama", OLLAMA[0], b"x" * (MAX_EVENT_BYTES + 1))
    assert "too large" in str(refusal)


async def test_arguments_that_are_too_deep_for_the_clients_dialect_are_an_error() -> None:
    deep = '{"a":' * 250 + "1" + "}" * 250
    calls = [{"index": 0, "id": "c", "function": {"name": "f", "arguments": deep}}]
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": None}]}
    await fails("openai", ROLE, *said(chunk), STOP, DONE, call=CLIENTS[Endpoint.GENERATE](), why=UpstreamError)


async def test_a_client_that_leaves_ends_the_stream() -> None:
    relayed = Relayed(ListDownstream(leaves_after=1))
    with pytest.raises(ClientGone):
        await relay("ollama", *OLLAMA, into=relayed)


async def test_a_stream_that_goes_on_beyond_the_end_of_the_call_is_over() -> None:
    await fails("ollama", OLLAMA[0], for_ever, why=OutOfTime, ends_in_s=0.02)


async def test_what_reads_a_chat_is_what_the_provider_speaks() -> None:
    conversations = RECORDED["openai"][0].conversations
    assert conversations is not None
    assert conversations.dialect is chat
    translation = Translation(CLIENTS[Endpoint.MESSAGES](), make_inbound(Endpoint.MESSAGES), conversations)
    assert orjson.loads(translation.request(Target("p", "x")).body)["stream_options"] == {"include_usage": True}


# What the relay makes of it.


async def test_what_one_provider_cant_say_another_of_the_model_is_asked() -> None:
    reply = ScriptedReply(b'{"choices":[{"message":{"content":"a"}}]}', headers=JSON)
    claude, other = ScriptedUpstream(reply), ScriptedUpstream(reply)
    world = World(make_config("claude", "b", fallbacks=["only-b"]), {"claude": claude, "b": other})
    s, meter, down = world.services, Meter(), ListDownstream()
    relay_ = Relay(make_inbound(), make_call(n=2), s, s.routing, down, meter, {})
    await relay_.run(Plan([Target("claude", "m"), Target("b", "m")], [ON_ILLNESS, ON_ILLNESS]))
    assert (len(claude.requests), len(other.requests), meter.attempts) == (0, 1, 1)
    assert world.clock.slept == [0.0]
    assert s.breakers.allows("claude/m")


async def test_what_no_provider_of_the_model_can_say_is_the_clients_to_change() -> None:
    world = World(make_config("claude"), {"claude": ScriptedUpstream(UpstreamCut("never asked"))})
    s = world.services
    with pytest.raises(InvalidRequest) as refused:
        await Relay(make_inbound(), make_call(n=2), s, s.routing, ListDownstream(), Meter(), {}).run(
            Plan([Target("claude", "m")], [ON_ILLNESS])
        )
    assert refused.value.param == "choices"
