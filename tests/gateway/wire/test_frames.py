"""A provider's stream becomes the same documents however its bytes are cut, in each of the three framings."""

from collections.abc import Callable
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import frames
from gateway.wire.eventstream import DamagedStream
from gateway.wire.frames import EventFrames, Frames, LineFrames, MessageFrames
from gateway.wire.sse import EventTooLarge
from tests.gateway.wire.test_eventstream import event, frame

SAID = [{"text": "Grüße\n\n"}, {"n": [1, 2]}, {}]
DOCUMENTS = [orjson.dumps(said) for said in SAID]
CUTS = st.lists(st.integers(0, 10_000), max_size=12)


def as_events(line_end: bytes) -> bytes:
    return b"".join(b": ping%b%bdata: %b%b%b" % (line_end, line_end, one, line_end, line_end) for one in DOCUMENTS)


def as_lines(line_end: bytes) -> bytes:
    return b"".join(one + line_end for one in DOCUMENTS)


def as_messages() -> bytes:
    return b"".join(event("delta", one) for one in DOCUMENTS)


def pieces(raw: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(raw) + 1) for cut in cuts} | {0, len(raw)})
    return [raw[start:end] for start, end in pairwise(places)]


def documents(cutter: Frames, parts: list[bytes]) -> list[bytes]:
    return [found for part in parts for found in cutter.feed(part)] + list(cutter.rest())


STREAMS: list[tuple[Callable[[], Frames], bytes, list[bytes]]] = [
    (EventFrames, as_events(b"\n"), DOCUMENTS),
    (EventFrames, as_events(b"\r\n"), DOCUMENTS),
    (EventFrames, as_events(b"\n")[:-2], DOCUMENTS),
    (LineFrames, as_lines(b"\n"), DOCUMENTS),
    (LineFrames, as_lines(b"\r\n"), DOCUMENTS),
    (LineFrames, as_lines(b"\n\n")[:-2], DOCUMENTS),
    (MessageFrames, as_messages(), [b'{"delta":%b}' % one for one in DOCUMENTS]),
]


@pytest.mark.parametrize(("make", "raw", "expected"), STREAMS)
@given(cuts=CUTS)
def test_any_cut_of_a_stream_gives_the_same_documents(
    make: Callable[[], Frames], raw: bytes, expected: list[bytes], cuts: list[int]
) -> None:
    assert documents(make(), pieces(raw, cuts)) == expected


@pytest.mark.parametrize(("make", "raw", "expected"), STREAMS)
def test_byte_by_byte_gives_the_same_documents(make: Callable[[], Frames], raw: bytes, expected: list[bytes]) -> None:
    assert documents(make(), [raw[i : i + 1] for i in range(len(raw))]) == expected


@given(lines=st.lists(st.binary(max_size=6), max_size=8), cuts=CUTS)
def test_any_cut_of_any_lines_gives_the_same_documents(lines: list[bytes], cuts: list[int]) -> None:
    raw = b"\n".join(lines)
    assert documents(LineFrames(), pieces(raw, cuts)) == list(filter(None, map(bytes.strip, raw.split(b"\n"))))


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4), cuts=CUTS)
def test_a_line_that_is_too_long_is_refused_however_it_is_cut(lengths: list[int], cuts: list[int]) -> None:
    raw = b"".join(b"x" * length + b"\n" for length in lengths)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(frames, "MAX_LINE_BYTES", 20)
        if max(lengths) > 20:
            with pytest.raises(EventTooLarge):
                documents(LineFrames(), pieces(raw, cuts))
        else:
            assert len(documents(LineFrames(), pieces(raw, cuts))) == len(lengths)


def test_a_message_stream_that_ends_within_a_message_is_damaged() -> None:
    cutter = MessageFrames()
    assert list(cutter.feed(as_messages()[:-1])) == [b'{"delta":%b}' % one for one in DOCUMENTS[:-1]]
    with pytest.raises(DamagedStream):
        cutter.rest()


def test_a_flipped_bit_is_damage() -> None:
    raw = bytearray(as_messages())
    raw[20] ^= 1
    with pytest.raises(DamagedStream):
        documents(MessageFrames(), [bytes(raw)])


def test_an_exception_in_a_message_stream_is_a_document_too() -> None:
    raised = frame(b'{"message":"slow down"}', message_type="exception", exception_type="throttlingException")
    assert documents(MessageFrames(), [raised]) == [b'{"throttlingException":{"message":"slow down"}}']
