"""What is not whole, or not this call's, is no entry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.entry import Entry, pack, unpack
from gateway.exchange import Usage

KEY = "gf:{u1}:c:0123"
WHOLE = Entry(b'{"a":1}', b"", False, "application/json", "a/m", Usage(9, 2, 3, 1), 1_700_000_000.25)
STREAM = Entry(b"data: 1\n\n\n", b"data: [DONE]\n\n", True, "text/event-stream; charset=utf-8", "a/m", None, 5.0)


@pytest.mark.parametrize("entry", [WHOLE, STREAM, WHOLE._replace(body=b""), STREAM._replace(body=b"\x00\xff\n")])
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert unpack(pack(entry, KEY), KEY) == entry


def test_an_entry_under_another_key_is_none() -> None:
    assert unpack(pack(WHOLE, KEY), KEY.replace("u1", "u2")) is None


@pytest.mark.parametrize("entry", [WHOLE, STREAM])
def test_a_part_of_an_entry_is_none(entry: Entry) -> None:
    data = pack(entry, KEY)
    assert [n for n in range(len(data)) if unpack(data[:n], KEY) is not None] == []
    assert unpack(data + b" ", KEY) is None


@pytest.mark.parametrize("entry", [WHOLE, STREAM])
def test_an_entry_with_any_byte_changed_is_none(entry: Entry) -> None:
    data = pack(entry, KEY)
    changed = [data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :] for i in range(len(data))]
    assert [i for i, one in enumerate(changed) if unpack(one, KEY) is not None] == []


@given(st.binary())
def test_other_bytes_are_none(data: bytes) -> None:
    assert unpack(data, KEY) is None
