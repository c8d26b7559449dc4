"""The request directives of RFC 9111, 5.2.1."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.control import Wish, wish_of

REFRESH = Wish(read=False)


@pytest.mark.parametrize(
    ("header", "wish"),
    [
        (None, Wish()), ("", Wish()), ("private", Wish()), ("max-stale=5, no-transform", Wish()),
        ("no-cache", REFRESH), ("No-Cache", REFRESH), (" no-cache , x", REFRESH), ('no-cache="x"', REFRESH),
        ("no-store", Wish(read=False, keep=False)), ("no-cache,no-store", Wish(read=False, keep=False)),
        ("max-age=60", Wish(max_age_s=60)), ("MAX-AGE = 60", Wish(max_age_s=60)), ('max-age="60"', Wish(max_age_s=60)),
        ("max-age=0", Wish(max_age_s=0)), ("max-age=60, max-age=90", Wish(max_age_s=60)),
        ("max-age=-1", Wish(max_age_s=-1)), ("max-age", Wish(max_age_s=-1)), ("max-age=1.5", Wish(max_age_s=-1)),
        ("max-age=²", Wish(max_age_s=-1)),
        ("only-if-cached", Wish(only_if_cached=True)),
        ("only-if-cached, max-age=5", Wish(max_age_s=5, only_if_cached=True)),
        ("no-cached", Wish()), ("x-no-store", Wish()),
    ],
)  # fmt: skip
def test_what_is_asked_for(header: str | None, wish: Wish) -> None:
    assert wish_of(header) == wish


@given(st.text())
def test_nothing_a_client_writes_breaks_it(header: str) -> None:
    wish = wish_of(header)
    assert wish.max_age_s == inf or wish.max_age_s >= -1
    assert wish.keep or not wish.read
