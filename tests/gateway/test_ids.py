"""Ids sort by time and never repeat."""

import time
from uuid import UUID

from gateway.ids import new_id


def test_ids_are_of_version_7_and_lie_in_the_order_of_time() -> None:
    before = time.time_ns() // 1_000_000
    texts = [new_id() for _ in range(2000)]
    ids = [UUID(text) for text in texts]
    assert texts == [one.hex for one in ids]
    after = time.time_ns() // 1_000_000
    assert len(set(ids)) == len(ids)
    for one in ids:
        assert (one.version, one.variant) == (7, "specified in RFC 4122")
        assert before <= one.int >> 80 <= after
    stamps = [one.int >> 80 for one in ids]
    assert stamps == sorted(stamps)
    assert len({one.int & (2**62 - 1) for one in ids}) == len(ids)
