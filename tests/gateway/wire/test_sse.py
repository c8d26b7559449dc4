"""Bytes to events: cut anywhere, the same events; whatever the bytes, no surprise."""

import re
import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.wire.sse import EventSplitter, EventTooLarge, data_of, event, every_event_ends

OPENAI = (
    b'data: {"id":"c1","choices":[{"delta":{"role":"assistant","content":null}}]}\n\n'
    b": OPENROUTER PROCESSING\n\n"
    b'data: {"id":"c1","choices":[{"delta":{"content":"Gr\xc3\xbc\xc3\x9fe\\n\\n"}}]}\n\n'
    b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
    b"data: [DONE]\n\n"
)
ANTHROPIC = (
    b'event: message_start\ndata: {"type":"message_start"}\n\n'
    b'event: ping\ndata: {"type": "ping"}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
MIXED = b"data: a\r\n\r\ndata: b\r\rdata: c\n\r\ndata: d\r\n\ndata: e\r\r\ndata: f\n\rdata: g\n\n\n\ndata: h\n\n"
RECORDED = [OPENAI, ANTHROPIC, OPENAI.replace(b"\n\n", b"\r\n\r\n"), MIXED]

line_ends = st.sampled_from([b"\n", b"\r\n", b"\r", b"data: x", b"event: y", b":", b" ", b"\xef\xbb\xbf", b"\xff"])
wild = st.lists(line_ends, max_size=40).map(b"".join)


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(i % (len(stream) + 1) for i in at), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def split(pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter()
    return [found for piece in pieces for found in splitter.feed(piece)], splitter.rest


@pytest.mark.parametrize("stream", RECORDED)
@given(at=st.lists(st.integers(0, 10_000), max_size=12))
def test_any_cut_of_a_recorded_stream_yields_the_same_events(stream: bytes, at: list[int]) -> None:
    assert split(cut(stream, at)) == split([stream])


@pytest.mark.parametrize("stream", RECORDED)
def test_a_stream_that_comes_byte_by_byte_yields_the_same_events(stream: bytes) -> None:
    assert split([stream[i : i + 1] for i in range(len(stream))]) == split([stream])


@given(stream=wild, at=st.lists(st.integers(0, 10_000), max_size=12))
@example(stream=b"data: x\r\n\r\n", at=[9, 10])
def test_any_cut_of_any_bytes_yields_the_same_events_and_loses_none(stream: bytes, at: list[int]) -> None:
    events, rest = split(cut(stream, at))
    assert (events, rest) == split([stream])
    assert b"".join(events) + rest == stream


@given(stream=wild)
def test_the_events_hold_the_data_that_the_specification_reads(stream: bytes) -> None:
    """The reference: line by line, an empty line dispatches (WHATWG, event stream interpretation)."""
    events, rest = split([stream])
    complete = stream[: len(stream) - len(rest)]
    expected: list[bytes] = []
    lines: list[bytes] = []
    for line in re.split(rb"\r\n|\n|\r", complete)[:-1]:
        name, _, value = line.partition(b":")
        if not line and lines:
            expected.append(b"\n".join(lines))
            lines = []
        elif name == b"data":
            lines.append(value.removeprefix(b" "))
    # An empty data field is told from no data field only by the reference; the relay needs neither.
    # A byte order mark counts at the start of a stream only; we also forgive it at the start of an event.
    if b"\xef\xbb\xbf" not in complete:
        assert [d for d in map(data_of, events) if d] == [d for d in expected if d]


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_no_bytes_make_it_raise(pieces: list[bytes]) -> None:
    events, rest = split(pieces)
    for raw in [*events, rest, *pieces]:
        data_of(raw)
    assert b"".join(events) + rest == b"".join(pieces)


@given(st.binary(max_size=200), st.sampled_from([None, "ping", "message_start"]))
def test_what_is_written_is_read_back(data: bytes, name: str | None) -> None:
    written = event(data, name)
    assert split([written]) == ([written], b"")
    assert data_of(written) == re.sub(rb"\r\n?", b"\n", data)
    assert written.startswith(b"event: %b\n" % name.encode() if name else b"data:")


@given(stream=wild, at=st.lists(st.integers(0, 10_000), max_size=12))
@example(stream=b"\n\n\n", at=[])
@example(stream=b"\r\n\r\n\n", at=[])
@example(stream=b"x\n\r\n\r\n", at=[])
def test_leaving_out_whole_pieces_changes_nothing_for_the_others(stream: bytes, at: list[int]) -> None:
    splitter, forwarded = EventSplitter(), b""
    for piece in cut(stream, at):
        if splitter.whole(piece):
            forwarded += piece
        else:
            forwarded += b"".join(splitter.feed(piece))
    assert forwarded + splitter.rest == stream
    assert splitter.rest == split([stream])[1]


def test_a_piece_is_whole_only_between_events() -> None:
    splitter = EventSplitter()
    assert splitter.whole(b"data: a\n\ndata: b\n\n")
    assert splitter.whole(b"data: a\r\n\r\n")
    assert not splitter.whole(b"data: a\n")
    assert not splitter.whole(b"")
    assert not splitter.whole(b"data: a\r\n\r"), "the LF that belongs to it may follow"
    splitter.feed(b"data: a")
    assert not splitter.whole(b"\n\n")


def test_several_data_lines_are_one_text_and_comments_are_none_of_it() -> None:
    raw = b": hello\nevent: old\nevent: update\ndata: one\nid: 7\ndata:two\ndata\ndata:  three\n\n"
    assert data_of(raw) == b"one\ntwo\n\n three"
    assert data_of(b": keep-alive\n\n") == b""


@pytest.mark.parametrize("tail", [b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE]\r", b"data: [DONE]\r\n"])
def test_a_last_event_without_its_blank_line_is_the_rest_and_can_be_read(tail: bytes) -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: a\n\n" + tail) == [b"data: a\n\n"]
    assert splitter.rest == tail
    assert data_of(splitter.rest) == b"[DONE]"


def test_a_broken_event_is_seen_among_whole_ones() -> None:
    whole, broken = b'data: {"a":1}\n\n', b'data: {"a\n\n'
    assert every_event_ends(whole, b"}")
    assert every_event_ends(whole * 3, b"}")
    assert not every_event_ends(whole + broken + whole, b"}")
    assert not every_event_ends(broken + whole, b"}")
    assert not every_event_ends(whole + b"data: [DONE]\n\n", b"}")
    assert not every_event_ends(b'data: {"a\r\n\r\n' + whole, b"}")
    assert not every_event_ends(b"", b"}")


def test_a_name_cannot_smuggle_a_line() -> None:
    with pytest.raises(ValueError, match="one line"):
        event(b"x", "a\ndata: y")


@pytest.mark.parametrize("piece", [1, 7, 64, 4096])
def test_an_event_beyond_the_cap_is_refused_and_one_at_the_cap_is_not(piece: int) -> None:
    at_cap = b"data: " + b"x" * 92 + b"\n\n"
    splitter = EventSplitter(max_event_bytes=100)
    fed = [e for i in range(0, 100, piece) for e in splitter.feed(at_cap[i : i + piece])]
    assert fed == [at_cap]
    beyond = b"data: " + b"x" * 93 + b"\n\n"
    with pytest.raises(EventTooLarge):
        [splitter.feed(beyond[i : i + piece]) for i in range(0, 101, piece)]


def test_a_large_event_in_small_pieces_costs_no_more_than_its_size() -> None:
    splitter = EventSplitter()
    started = time.process_time()
    for _ in range(1 << 16):
        splitter.feed(b"x" * 15)
    assert time.process_time() - started < 2, "each piece scanned the whole buffer again"
