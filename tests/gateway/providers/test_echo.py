"""The offline default speaks every dialect truly: its streams and its whole replies say the same."""

import base64
import struct

import orjson
import pytest

from gateway.count import count, count_reply
from gateway.exchange import Endpoint, Meter, ModelCall, Target, Usage
from gateway.phases.stream import StreamRelay
from gateway.phases.translated_stream import TranslatedStream
from gateway.providers.base import UpstreamReply
from gateway.providers.echo import DIMENSIONS, EchoProvider, EchoUpstream
from gateway.translation import Translation
from gateway.wire.sse import data_of
from tests.gateway.media import media_call
from tests.gateway.scripted import BODIES, ListDownstream, make_call, make_generate, make_inbound

TALKS = [Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES]
SAID = Usage(count("Hello there"), count("Hello there"))


async def ask(call: ModelCall) -> UpstreamReply:
    request = EchoProvider().request(call, Target("echo", "echo"), make_inbound())
    return await EchoUpstream().send(request, 1)


@pytest.mark.parametrize("endpoint", TALKS)
async def test_a_whole_reply_says_what_the_user_said_and_counts_it(endpoint: Endpoint) -> None:
    body = await (await ask(make_call(endpoint))).read(10**6, 1)
    assert count_reply(body) == SAID.completion_tokens
    assert EchoProvider().usage(endpoint, orjson.loads(body)) == SAID


@pytest.mark.parametrize("endpoint", TALKS)
async def test_a_stream_says_the_same(endpoint: Endpoint) -> None:
    call, down, meter = make_call(endpoint, stream=True), ListDownstream(), Meter()
    await StreamRelay(call, EchoProvider(), down, meter, {}).run(await ask(call), 1)
    assert meter.complete
    assert meter.usage == SAID
    assert count_reply(down.sent) == SAID.completion_tokens
    assert (b"[DONE]" in down.tail) is (endpoint in (Endpoint.CHAT, Endpoint.COMPLETIONS))
    assert data_of(down.tail)


async def test_an_embedding_depends_on_its_text_alone() -> None:
    def vectors(body: bytes) -> list[list[float]]:
        return [one["embedding"] for one in orjson.loads(body)["data"]]

    two = await (await ask(make_call(Endpoint.EMBEDDINGS, input=["a", "b"]))).read(10**6, 1)
    one = await (await ask(make_call(Endpoint.EMBEDDINGS, input="a"))).read(10**6, 1)
    assert vectors(two)[0] == vectors(one)[0] != vectors(two)[1]
    assert len(vectors(one)[0]) == DIMENSIONS
    ids = await (await ask(make_call(Endpoint.EMBEDDINGS, input=[1, 2, 3], dimensions=8))).read(10**6, 1)
    assert [len(vector) for vector in vectors(ids)] == [8]


async def test_an_embedding_in_base64_holds_the_same_numbers() -> None:
    plain = await (await ask(make_call(Endpoint.EMBEDDINGS))).read(10**6, 1)
    packed = await (await ask(make_call(Endpoint.EMBEDDINGS, encoding_format="base64"))).read(10**6, 1)
    raw = base64.b64decode(orjson.loads(packed)["data"][0]["embedding"])
    assert struct.unpack(f"<{DIMENSIONS}f", raw) == pytest.approx(orjson.loads(plain)["data"][0]["embedding"])


@pytest.mark.parametrize("endpoint", TALKS)
async def test_a_call_without_a_word_is_answered(endpoint: Endpoint) -> None:
    empty = {"messages": [{"role": "user"}], "prompt": "", "input": ""}
    names = {name: value for name, value in empty.items() if name in BODIES[endpoint]}
    for stream in (True, False):
        assert await (await ask(make_call(endpoint, stream=stream, **names))).read(10**6, 1)


async def test_tokens_are_counted_for_who_asks() -> None:
    reply = await ask(await media_call(Endpoint.COUNT_TOKENS))
    assert orjson.loads(await reply.read(10**6, 1)) == {"input_tokens": SAID.prompt_tokens}
    assert EchoProvider().usage(Endpoint.COUNT_TOKENS, {}) == Usage(0, 0)


@pytest.mark.parametrize("stream", [False, True])
async def test_geminis_clients_are_answered_as_well(stream: bool) -> None:
    provider, inbound = EchoProvider(), make_inbound(Endpoint.GENERATE)._replace(query="alt=sse")
    assert provider.conversations is not None
    call = make_generate("echo", stream=stream)
    translation = Translation(call, inbound, provider.conversations)
    reply = await EchoUpstream().send(translation.request(Target("echo", "echo")), 1)
    if not stream:
        body, usage = translation.whole(orjson.loads(await reply.read(100_000, 1)))
        assert orjson.loads(body)["candidates"][0]["content"]["parts"] == [{"text": "Hello there"}]
    else:
        down, meter = ListDownstream(), Meter()
        kind = reply.headers["content-type"]
        await TranslatedStream(translation, kind, call, provider, down, meter, {}).run(reply, 1)
        assert b'"text":"Hello "' in down.sent
        usage = meter.usage
    assert usage == SAID
