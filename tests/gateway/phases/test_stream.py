"""However the bytes are cut on their way, the client gets the same events, in order, and the meter counts the same."""

import asyncio
from dataclasses import dataclass
from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.count import count_reply
from gateway.errors import ClientGone, UpstreamError
from gateway.exchange import Endpoint, Meter, ModelCall, Usage
from gateway.phases import stream
from gateway.phases.stream import FOLD_BYTES, StreamRelay
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.base import UpstreamCut, UpstreamSilent
from gateway.providers.echo import EchoProvider
from gateway.providers.openai import OpenAIProvider
from gateway.wire.sse import MAX_EVENT_BYTES
from tests.gateway.scripted import ListDownstream, ScriptedReply, Step, for_ever, make_call

CHUNK = b'data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":%b,'
ROLE = CHUNK % b'{"role":"assistant","content":""}' + b'"finish_reason":null}],"usage":null}\n\n'
STOP = CHUNK % b"{}" + b'"finish_reason":"stop"}]}\n\n'
USAGE = (
    b'data: {"id":"c","object":"chat.completion.chunk","choices":[],'
    b'"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}\n\n'
)
DONE = b"data: [DONE]\n\n"
PING = b": keep-alive\n\n"
ERROR = b'data: {"error":{"message":"out of memory, key sk-12345678","type":"server_error"}}\n\n'


def word(text: str) -> bytes:
    return CHUNK % orjson.dumps({"content": text}) + b'"finish_reason":null}]}\n\n'


CHAT = [ROLE, word("The "), PING, word("quick \n\n fox"), word(' says "usage": {'), STOP, USAGE, DONE]
MESSAGES = [
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg","type":"message","role":"assistant",'
    b'"content":[],"usage":{"input_tokens":7,"cache_read_input_tokens":5,"output_tokens":1}}}\n\n',
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":'
    b'{"type":"text","text":""}}\n\n',
    b'event: ping\ndata: {"type": "ping"}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
    b'{"type":"text_delta","text":"Hi there"}}\n\n',
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'"usage":{"output_tokens":15}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
]
RESPONSES = [
    b'event: response.created\r\ndata: {"type":"response.created","response":{"id":"r","usage":null}}\r\n\r\n',
    b'event: response.output_text.delta\r\ndata: {"type":"response.output_text.delta","delta":"Hi"}\r\n\r\n',
    b'event: response.completed\r\ndata: {"type":"response.completed","response":{"id":"r","output":[{"type":"message"'
    b'}],"usage":{"input_tokens":4,"output_tokens":2,"total_tokens":6}}}\r\n\r\n',
]
RECORDED = {
    Endpoint.CHAT: (CHAT, Usage(9, 3)),
    Endpoint.MESSAGES: (MESSAGES, Usage(12, 15, cached_tokens=5)),
    Endpoint.RESPONSES: (RESPONSES, Usage(4, 2)),
}


@dataclass
class Relayed:
    down: ListDownstream
    meter: Meter
    reply: ScriptedReply

    @property
    def events(self) -> bytes:
        return self.down.sent + self.down.tail


async def relay(*steps: Step, call: ModelCall | None = None, down: ListDownstream | None = None) -> Relayed:
    """Relay a scripted stream; what it raises is raised."""
    relayed = prepare(*steps, down=down)
    await run(relayed, call or make_call(stream=True))
    return relayed


def prepare(*steps: Step, down: ListDownstream | None = None) -> Relayed:
    return Relayed(down or ListDownstream(), Meter(answered=True), ScriptedReply(*steps))


async def run(relayed: Relayed, call: ModelCall, idle_timeout_s: float = 0.05) -> None:
    provider = AnthropicProvider("") if call.endpoint is Endpoint.MESSAGES else OpenAIProvider("")
    relay_ = StreamRelay(call, provider, relayed.down, relayed.meter, {"x-request-id": "r"})
    await relay_.run(relayed.reply, idle_timeout_s)


async def fails(*steps: Step, call: ModelCall | None = None) -> Relayed:
    relayed = prepare(*steps)
    with pytest.raises((UpstreamError, UpstreamCut, UpstreamSilent)):
        await run(relayed, call or make_call(stream=True))
    assert not relayed.meter.complete
    assert relayed.down.tail == b""
    return relayed


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """`data` in pieces, cut at the places given."""
    places = sorted({place % (len(data) + 1) for place in at} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


# Whole streams.


@pytest.mark.parametrize("endpoint", list(RECORDED))
@given(at=st.lists(st.integers(0, 5000), max_size=12))
@settings(max_examples=20, deadline=None)
def test_any_split_of_a_stream_is_relayed_alike(endpoint: Endpoint, at: list[int]) -> None:
    events, usage = RECORDED[endpoint]

    async def check() -> None:
        call = make_call(endpoint, stream=True)
        relayed = await relay(*cut(b"".join(events), at), call=call)
        assert relayed.down.sent == b"".join(event for event in events[:-1] if event is not USAGE)
        assert relayed.down.tail == events[-1]
        assert relayed.meter.usage == usage
        assert relayed.meter.complete
        assert count_reply(b"".join(relayed.meter.relayed)) == count_reply(relayed.down.sent)

    asyncio.run(check())


def test_a_stream_byte_by_byte_is_relayed_alike() -> None:
    whole = b"".join(CHAT)
    relayed = asyncio.run(relay(*(whole[i : i + 1] for i in range(len(whole)))))
    assert relayed.events == whole.replace(USAGE, b"")


@pytest.mark.parametrize("asked", [True, False])
async def test_usage_is_taken_out_only_where_the_client_did_not_ask_for_it(asked: bool) -> None:
    call = make_call(stream=True, stream_options={"include_usage": asked})
    relayed = await relay(*CHAT, call=call)
    assert (USAGE in relayed.down.sent) is asked
    assert relayed.meter.usage == Usage(9, 3)


async def test_a_usage_that_cannot_be_read_is_still_not_the_clients_to_see() -> None:
    bad = b'data: {"choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":"x"}}\n\n'
    relayed = await relay(word("a"), STOP, bad, DONE)
    assert relayed.down.sent == word("a") + STOP
    assert relayed.meter.usage is None


async def test_usage_beside_content_stays_with_it() -> None:
    both = b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}\n\n'
    relayed = await relay(both, DONE)
    assert relayed.down.sent == both
    assert relayed.meter.usage == Usage(1, 0)


async def test_an_empty_choices_chunk_without_usage_is_the_clients() -> None:
    filtered = b'data: {"choices":[],"prompt_filter_results":[{"finish_reason":"x"}],"usage":null}\n\n'
    assert (await relay(filtered, STOP, DONE)).down.sent == filtered + STOP


async def test_a_stream_that_finishes_without_done_gets_one() -> None:
    relayed = await relay(word("a"), STOP)
    assert relayed.down.tail == DONE
    assert relayed.meter.complete


async def test_no_done_is_made_up_where_the_dialect_has_none() -> None:
    relayed = await relay(*MESSAGES[:-1], call=make_call(Endpoint.MESSAGES, stream=True))
    assert relayed.down.tail == b""
    assert relayed.meter.complete


async def test_a_last_event_without_its_blank_line_counts() -> None:
    relayed = await relay(word("a"), STOP, DONE.rstrip())
    assert relayed.events == word("a") + STOP + DONE
    relayed = await relay(ROLE, STOP.rstrip())
    assert relayed.events == ROLE + STOP + DONE
    assert b"".join(relayed.meter.relayed) == ROLE + STOP


async def test_what_follows_the_last_event_is_neither_relayed_nor_kept() -> None:
    relayed = await relay(word("a") + STOP + DONE + PING, PING * 1000, b"junk" * MAX_EVENT_BYTES)
    assert relayed.events == word("a") + STOP + DONE
    assert relayed.meter.relayed_bytes == len(word("a") + STOP)


@pytest.mark.parametrize("fault", [UpstreamCut("reset"), UpstreamSilent("idle")])
async def test_a_fault_after_the_last_event_takes_nothing_away(fault: Exception) -> None:
    relayed = await relay(word("a"), STOP, DONE, fault)
    assert relayed.events == word("a") + STOP + DONE
    assert relayed.meter.complete


async def test_an_upstream_that_lingers_after_its_last_event_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LINGER_S", 0.01)
    relayed = prepare(word("a"), STOP, DONE, for_ever)
    async with asyncio.timeout(1):
        await run(relayed, make_call(stream=True), idle_timeout_s=9)
    assert relayed.down.tail == DONE
    assert relayed.meter.complete


@pytest.mark.parametrize("kind", ["response.incomplete", "response.failed"])
async def test_a_response_that_ends_in_another_way_has_ended(kind: str) -> None:
    last = b'data: {"type":"%b","response":{"usage":null}}\n\n' % kind.encode()
    relayed = await relay(RESPONSES[0], last, call=make_call(Endpoint.RESPONSES, stream=True))
    assert relayed.down.tail == last
    assert relayed.meter.usage is None


async def test_the_echo_provider_tells_all_dialects_apart() -> None:
    down, meter = ListDownstream(), Meter()
    call = make_call(Endpoint.MESSAGES, stream=True)
    await StreamRelay(call, EchoProvider(), down, meter, {}).run(ScriptedReply(*MESSAGES), 1)
    assert meter.usage == Usage(12, 15, cached_tokens=5)


# Streams that fail.


async def test_a_stream_that_is_cut_is_an_error_and_has_no_done() -> None:
    relayed = await fails(ROLE, word("a"), UpstreamCut("reset"))
    assert relayed.down.sent == ROLE + word("a")


async def test_a_stream_that_just_ends_is_an_error() -> None:
    relayed = await fails(ROLE, word("a"))
    assert relayed.down.sent == ROLE + word("a")
    assert not (await fails()).down.committed
    assert (await fails(MESSAGES[0], call=make_call(Endpoint.MESSAGES, stream=True))).meter.usage == Usage(12, 1, 5)


async def test_a_stream_that_falls_silent_is_an_error() -> None:
    await fails(ROLE, for_ever)


@pytest.mark.parametrize("together", [True, False])
async def test_what_came_before_an_error_event_reaches_the_client(together: bool) -> None:
    relayed = prepare(ROLE, *([word("a") + ERROR + word("b")] if together else [word("a"), ERROR, word("b")]))
    with pytest.raises(UpstreamError) as caught:
        await run(relayed, make_call(stream=True))
    assert relayed.down.sent == ROLE + word("a")
    assert "out of memory" in caught.value.message
    assert "sk-1" not in caught.value.message


@pytest.mark.parametrize(
    ("endpoint", "event"),
    [
        (Endpoint.CHAT, b'data: {"error":"just text"}\n\n'),
        (Endpoint.MESSAGES, b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'),
        (Endpoint.MESSAGES, b'data: {"type":"error","error":null}\n\n'),
        (Endpoint.RESPONSES, b'data: {"type":"error","message":"no"}\n\n'),
        (Endpoint.CHAT, b'data: {"choices":[{"finish_reason":"stop"}\n\n'),
        (Endpoint.CHAT, b"data: <html>502</html>\n\n"),
        (Endpoint.MESSAGES, b"data: [DONE]\n\n"),
        (Endpoint.MESSAGES, b'data: {"type":"message_stop"\n\n'),
        (Endpoint.CHAT, b"data: " + b"x" * (MAX_EVENT_BYTES + 1)),
    ],
)
async def test_error_events_broken_json_and_endless_events_fail_the_stream(endpoint: Endpoint, event: bytes) -> None:
    first = MESSAGES[0] if endpoint is Endpoint.MESSAGES else ROLE
    relayed = await fails(first, event, first, call=make_call(endpoint, stream=True))
    assert relayed.down.sent == first


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"choices":5,"usage":{"prompt_tokens":1}}\n\n', b'data: {"choices":{"a":1},"usage":{}}\n\n',
        b'data: {"choices":[5,null],"finish_reason":"x"}\n\n', b'data: [1,{"usage":{}}]\n\n', b"data: 5\n\n",
        b'data: {"usage":{"prompt_tokens":[]},"choices":[1]}\n\n', b"data: \xff\n\n", b"event: usage\n\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("endpoint", list(RECORDED))
async def test_events_of_no_known_shape_break_nothing(endpoint: Endpoint, event: bytes) -> None:
    relayed = prepare(RECORDED[endpoint][0][0], event, *RECORDED[endpoint][0][1:])
    try:
        await run(relayed, make_call(endpoint, stream=True))
    except UpstreamError:
        assert event == b"data: \xff\n\n"


# The client's pace.


async def test_a_congested_client_holds_the_upstream_back() -> None:
    relayed = await relay(*CHAT, down=ListDownstream(congested=True))
    forwarded = len(CHAT) - 2
    assert relayed.reply.held_back == forwarded
    assert relayed.down.drains >= forwarded


async def test_a_client_that_leaves_ends_the_stream() -> None:
    relayed = prepare(*CHAT, down=ListDownstream(leaves_after=len(ROLE) + 1))
    with pytest.raises(ClientGone):
        await run(relayed, make_call(stream=True))
    assert relayed.down.sent == ROLE


async def test_a_short_stream_in_one_piece_is_relayed_whole() -> None:
    relayed = await relay(b"".join(CHAT))
    assert relayed.events == b"".join(CHAT).replace(USAGE, b"")
    assert relayed.down.headers["content-type"].startswith("text/event-stream")
    assert relayed.down.headers["x-request-id"] == "r"


# What is kept of it.


async def test_memory_is_bounded_and_nothing_goes_uncounted() -> None:
    words = [word("lorem ipsum dolor ") for _ in range(2000)]
    largest = 0

    async def look() -> None:
        nonlocal largest
        largest = max(largest, relayed.meter.relayed_bytes, sum(map(len, relayed.meter.relayed)))

    steps: list[Step] = [step for piece in words for step in (piece, look)]
    relayed = prepare(*steps, STOP, DONE)
    await run(relayed, make_call(stream=True))
    assert FOLD_BYTES / 2 < largest <= FOLD_BYTES + len(words[0])
    ours = relayed.meter.counted_tokens + count_reply(b"".join(relayed.meter.relayed))
    folds = sum(map(len, words)) // FOLD_BYTES + 1
    assert abs(ours - count_reply(relayed.down.sent)) <= 2 * folds  # a token may lie across a fold


async def test_a_cut_stream_is_counted_as_far_as_it_was_relayed() -> None:
    relayed = await fails(ROLE, word("one two three"), word(" four"), UpstreamCut("reset"))
    assert count_reply(b"".join(relayed.meter.relayed)) == count_reply(relayed.down.sent) == 4
