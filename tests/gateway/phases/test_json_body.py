"""What an object may hold, and that all parsers read the same in it."""

from typing import Any

import orjson
import pytest

from gateway.errors import InvalidRequest
from gateway.phases.json_body import (
    MAX_DEPTH,
    MAX_KEYS,
    boolean,
    checked_name,
    integer,
    load,
    refuse_look_alikes,
    says_one_thing,
)


def refusal_of(raw: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        load(raw)
    return caught.value


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"   ", b"nonsense", b"[]", b'"text"', b"null", b"1", b'{"model":"m"', b'{"model":NaN}', b'{"a":Infinity}',
        b'{"model":"\xff\xfe"}', b'{"model":"\\ud800"}', b'\xef\xbb\xbf{"model":"m"}', '{"model":"m"}'.encode("utf-16"),
        b'{"model":"m",}', b"{'model':'m'}", b'{"a":1}{"a":2}', b"[" * 100_000, b'{"a":1e999}',
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    assert refusal_of(raw).status == 400


def nested(depth: int) -> bytes:
    """A body of `depth` levels, its own included."""
    inner = b"[" * (depth - 1) + b"]" * (depth - 1)
    return b'{"x":' + inner + b"}"


def test_nesting_is_allowed_to_the_limit_and_not_beyond() -> None:
    assert set(load(nested(MAX_DEPTH))) == {"x"}
    assert "deeper" in refusal_of(nested(MAX_DEPTH + 1)).message
    assert refusal_of(nested(1000)).status == 400


def test_many_brackets_are_no_depth() -> None:
    assert load(orjson.dumps({"x": [[]] * 200}))["x"] == [[]] * 200


def test_keys_are_counted_over_the_whole_body() -> None:
    few = {str(i): i for i in range(MAX_KEYS // 2)}
    assert load(orjson.dumps({"x": few, "y": ":" * MAX_KEYS}))["x"] == few
    assert "keys" in refusal_of(orjson.dumps({"x": few, "y": [few, few]})).message


@pytest.mark.parametrize(
    ("raw", "one"),
    [
        (b'{"a": 1, "b": {"a": 2}}', True),
        (b'{"a": 1, "a": 1}', False),
        (b'{"a": {"b": 1, "\\u0062": 2}}', False),
        (b'{"a": "' + b"x" * 65_536 + b'"}', False),  # not worth the time
    ],
)
def test_a_body_says_one_thing_where_no_key_is_there_twice(raw: bytes, one: bool) -> None:
    assert says_one_thing(raw) is one


def test_a_key_that_differs_only_in_case_is_named_in_the_refusal() -> None:
    refuse_look_alikes({"model": 1, "other": 2}, frozenset({"model"}))
    with pytest.raises(InvalidRequest) as caught:
        refuse_look_alikes({"MODEL": 1}, frozenset({"model"}), "x.")
    assert caught.value.param == "x.MODEL"


@pytest.mark.parametrize("value", [True, "7", 1.0, -1, 11])
def test_a_field_of_another_kind_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        integer({"n": value}, "n", 0, 10)
    assert caught.value.param == "n"
    assert integer({"n": 10}, "n", 0, 10) == 10
    assert integer({}, "n", 0, 10) is None


def test_what_is_true_is_neither_one_nor_a_word() -> None:
    assert boolean({"x": True}, "x") is True
    assert boolean({"x": None}, "x") is False
    for value in (1, "true"):
        with pytest.raises(InvalidRequest):
            boolean({"x": value}, "x")


@pytest.mark.parametrize("name", [None, 7, "", "a b", "m\n", "x" * 201, "é"])
def test_a_model_has_a_plain_name(name: Any) -> None:
    assert checked_name("org/model-1.5:free@eu+x") == "org/model-1.5:free@eu+x"
    with pytest.raises(InvalidRequest):
        checked_name(name)
