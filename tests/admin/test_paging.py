"""Cursors."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest

from admin.errors import BadCursor
from admin.paging import decode, encode, make_page


def test_a_key_comes_back_as_it_was() -> None:
    at, row_id = datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=UTC), uuid4()
    assert decode(encode(at, row_id), datetime, type(row_id)) == (at, row_id)
    assert decode(encode(2**63 - 1), int) == (2**63 - 1,)
    assert decode(encode(at.astimezone(timezone(timedelta(hours=3)))), datetime) == (at,)
    assert decode(None, int) is None


@pytest.mark.parametrize(
    "cursor",
    [
        encode(2**63 - 1) + "x",
        encode(1, 2),
        encode(datetime(2026, 11, 22, tzinfo=UTC)),
        "WzkyMjMzNzIwMzY4NTQ3NzU4MDhd",
        "W3RydWVd",
    ],
)
def test_another_key_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        decode(cursor, int)


def test_a_page_knows_whether_there_is_more() -> None:
    page = make_page([3, 2, 1], 2, lambda number: (number,))
    assert (page.data, page.has_more, page.next_cursor) == ([3, 2], True, encode(2))
    page = make_page([3, 2], 2, lambda number: (number,))
    assert (page.data, page.has_more, page.next_cursor) == ([3, 2], False, None)
    assert make_page([], 2, lambda number: (number,)).data == []
