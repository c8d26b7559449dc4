"""AWS's event-stream framing: whole messages out of any cut of the bytes, and nothing out of damaged ones."""

import struct
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.eventstream import DamagedStream, HeaderValue, Message, MessageSplitter, as_json


def header(name: str, value: HeaderValue) -> bytes:
    head = bytes([len(name.encode())]) + name.encode()
    match value:
        case bool():
            return head + bytes([0 if value else 1])
        case int():
            return head + b"\x05" + struct.pack(">q", value)
        case bytes():
            return head + b"\x06" + struct.pack(">H", len(value)) + value
        case str():
            return head + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()


def framed(headers: bytes, payload: bytes) -> bytes:
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    whole = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def frame(payload: bytes = b"{}", **headers: HeaderValue) -> bytes:
    return framed(b"".join(header(":" + name.replace("_", "-"), value) for name, value in headers.items()), payload)


def event(kind: str, payload: bytes) -> bytes:
    return frame(payload, event_type=kind, content_type="application/json", message_type="event")


VALUES = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=20) | st.text(max_size=20)
MESSAGES = st.tuples(st.dictionaries(st.text(max_size=20), VALUES, max_size=4), st.binary(max_size=60))


@given(st.lists(MESSAGES, max_size=5), st.lists(st.integers(0, 700), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same_messages(
    messages: list[tuple[dict[str, HeaderValue], bytes]], cuts: list[int]
) -> None:
    raw = b"".join(framed(b"".join(header(*item) for item in head.items()), payload) for head, payload in messages)
    places = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    splitter = MessageSplitter()
    got = [message for start, end in pairwise(places) for message in splitter.feed(raw[start:end])]
    assert got == [Message(head, payload) for head, payload in messages]
    assert splitter.rest == b""


def test_every_byte_alone_makes_the_message_at_the_last() -> None:
    raw = event("messageStop", b'{"stopReason":"end_turn"}')
    splitter = MessageSplitter()
    assert [splitter.feed(raw[i : i + 1]) for i in range(len(raw) - 1)] == [[]] * (len(raw) - 1)
    assert splitter.rest == raw[:-1]
    assert [as_json(message) for message in splitter.feed(raw[-1:])] == [b'{"messageStop":{"stopReason":"end_turn"}}']


def test_the_message_that_aws_publishes_is_read() -> None:
    """The example of a frame with a payload and no headers, in the encoding's specification."""
    raw = bytes.fromhex("0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936")
    assert MessageSplitter().feed(raw) == [Message({}, b"{'foo':'bar'}")]


def test_headers_of_every_kind_are_read() -> None:
    kinds: dict[str, tuple[bytes, HeaderValue]] = {
        "true": (b"\x00", True), "false": (b"\x01", False), "byte": (b"\x02\xff", -1), "short": (b"\x03\x01\x00", 256),
        "int": (b"\x04\xff\xff\xff\xfe", -2), "time": (b"\x08" + struct.pack(">q", 5), 5),
        "uuid": (b"\x09" + bytes(range(16)), bytes(range(16))),
    }  # fmt: skip
    headers = b"".join(bytes([len(name)]) + name.encode() + raw for name, (raw, _) in kinds.items())
    assert MessageSplitter().feed(framed(headers, b"")) == [
        Message({name: value for name, (_, value) in kinds.items()}, b"")
    ]


@given(st.data())
def test_a_flipped_bit_is_never_a_message(data: st.DataObject) -> None:
    raw = bytearray(event("contentBlockDelta", b'{"delta":{"text":"hello"},"contentBlockIndex":0}'))
    at = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[at // 8] ^= 1 << at % 8
    with pytest.raises(DamagedStream):
        MessageSplitter().feed(bytes(raw))


@given(st.binary(max_size=200))
def test_what_is_no_event_stream_is_refused_or_waited_for(data: bytes) -> None:
    try:
        messages = MessageSplitter().feed(data)
    except DamagedStream:
        return
    assert messages == []
    assert len(data) < 12


@given(st.binary(max_size=60))
def test_headers_that_lie_about_their_size_are_refused(headers: bytes) -> None:
    raw = framed(headers, b"payload")
    try:
        [message] = MessageSplitter().feed(raw)
    except DamagedStream:
        return
    assert message.payload == b"payload"


def test_a_message_over_the_limit_is_refused_before_it_is_held() -> None:
    raw = event("contentBlockDelta", b"x" * 1000)
    assert len(MessageSplitter(len(raw)).feed(raw)) == 1
    with pytest.raises(DamagedStream, match="more than"):
        MessageSplitter(len(raw) - 1).feed(raw[:12])


def test_lengths_that_contradict_each_other_are_refused() -> None:
    lengths = struct.pack(">II", 20, 5)
    with pytest.raises(DamagedStream, match="shorter than its headers"):
        MessageSplitter().feed(lengths + struct.pack(">I", zlib.crc32(lengths)))


def test_an_exception_and_an_error_become_json_by_their_name() -> None:
    splitter = MessageSplitter()
    raw = frame(b'{"message":"slow down"}', exception_type="throttlingException", message_type="exception")
    raw += frame(b"", error_code="InternalError", error_message='a "quoted" text', message_type="error")
    raw += frame(b"", event_type="messageStart", message_type="event")
    assert [as_json(message) for message in splitter.feed(raw)] == [
        b'{"throttlingException":{"message":"slow down"}}',
        b'{"error":{"code":"InternalError","message":"a \\"quoted\\" text"}}',
        b'{"messageStart":{}}',
    ]


@pytest.mark.parametrize("raw", [frame(), frame(message_type="other", event_type="x"), frame(event_type=3)])
def test_a_message_that_does_not_say_what_it_is_is_refused(raw: bytes) -> None:
    [message] = MessageSplitter().feed(raw)
    with pytest.raises(DamagedStream, match="what it is"):
        as_json(message)
