"""Foreign JSON gives a value of the wanted type or the one exception of its side."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.base import BrokenReply
from gateway.dialects.fields import SHOWN_CHARACTERS, Fields, answered, asked
from gateway.errors import InvalidRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
GETTERS: list[tuple[Callable[[Fields, str], Any], type | tuple[type, ...]]] = [
    (Fields.text, str),
    (Fields.integer, int),
    (Fields.number, (int, float)),
    (Fields.flag, bool),
    (Fields.mapping, dict),
    (Fields.listing, list),
    (Fields.child, Fields),
    (Fields.children, list),
    (Fields.texts, list),
]


def value_or_refusal(get: Callable[[Fields, str], Any], value: Any) -> Any:
    try:
        return get(asked({"x": value}), "x")
    except InvalidRequest as refusal:
        return refusal


@given(JSON)
def test_every_getter_gives_its_type_or_nothing_or_the_one_refusal(value: Any) -> None:
    for get, kind in GETTERS:
        got = value_or_refusal(get, value)
        if isinstance(got, InvalidRequest):
            assert got.param is not None
            assert got.param.startswith("x")
        else:
            assert got is None or isinstance(got, kind)


@given(JSON)
def test_a_providers_json_breaks_the_reply_instead(value: Any) -> None:
    for get, kind in GETTERS:
        try:
            got = get(answered({"x": value}), "x")
        except BrokenReply:
            continue
        assert got is None or isinstance(got, kind)


def test_the_path_leads_to_the_wrong_field() -> None:
    deep = asked({"a": [{"b": {"c": 1}}]}).children("a")[0].need_child("b")
    with pytest.raises(InvalidRequest) as caught:
        deep.text("c")
    assert caught.value.param == "a[0].b.c"
    assert caught.value.message == "'a[0].b.c' must be a string."


def test_a_body_that_is_no_object_has_no_path() -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked([])
    assert caught.value.param is None
    assert caught.value.message == "The request body must be an object."


def test_null_counts_as_left_out_and_need_insists() -> None:
    fields = asked({"x": None})
    assert fields.text("x") is None
    assert not fields.has("x")
    for need in (Fields.need_text, Fields.need_integer, Fields.need_number, Fields.need_child):
        with pytest.raises(InvalidRequest, match="is required"):
            need(fields, "x")


def test_a_whole_number_may_come_as_a_float_but_true_is_no_number() -> None:
    assert asked({"x": 3.0}).integer("x") == 3
    for wrong in (True, 3.5, "3", 1e300):
        with pytest.raises(InvalidRequest):
            asked({"x": wrong}).integer("x")
    for wrong in (True, "3", float("inf"), float("nan")):
        with pytest.raises(InvalidRequest):
            asked({"x": wrong}).number("x")


def test_ranges_and_choices_are_named_in_the_message() -> None:
    with pytest.raises(InvalidRequest, match="at most 2"):
        asked({"x": 3}).number("x", 0, 2)
    with pytest.raises(InvalidRequest, match="at least 1"):
        asked({"x": 0}).integer("x", 1)
    with pytest.raises(InvalidRequest, match="one of high, low"):
        asked({"x": "mid"}).one_of("x", {"low", "high"})


def test_an_unknown_field_is_refused_by_name_and_its_name_is_cut() -> None:
    asked({"a": 1, "b": None}).only({"a"})
    with pytest.raises(InvalidRequest) as caught:
        asked({"z" * 9000: 0}).only({"a"})
    assert caught.value.param == "z" * SHOWN_CHARACTERS


def test_fields_may_be_read_under_other_names_but_not_twice() -> None:
    renamed = asked({"in": {"top_k": 1}}).need_child("in").renamed(lambda name: name.replace("_k", "K"))
    assert (renamed.integer("topK"), renamed.at("topK")) == (1, "in.topK")
    with pytest.raises(InvalidRequest) as refused:
        asked({"top_k": 1, "topK": 1}).renamed(lambda name: name.replace("_k", "K"))
    assert refused.value.param == "topK"
