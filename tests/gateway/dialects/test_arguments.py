"""Arguments that are read can be written; all else is none."""

import pytest

from gateway.dialects.arguments import as_json, as_object


@pytest.mark.parametrize(("text", "value"), [('{"a": [1]}', {"a": [1]}), ("{}", {}), ("", {}), (" \n", {})])
def test_json_objects_and_nothing_at_all_are_arguments(text: str, value: object) -> None:
    assert as_object(text) == value


@pytest.mark.parametrize("text", ["[1]", "null", '"a"', "{", '{"a": ' + "[" * 300 + "]" * 300 + "}", "{" * 5000])
def test_all_else_is_none(text: str) -> None:
    assert as_object(text) is None


def test_a_value_that_json_cannot_hold_has_no_text() -> None:
    assert as_json({"a": 1}) == '{"a":1}'
    assert as_json(2**70) is None
