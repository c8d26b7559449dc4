"""A schema is closed, and its limits are told."""

from typing import Any

from hypothesis import given

from gateway.dialects.messages.schema import closed
from tests.gateway.dialects.hostile import ANY_JSON

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "age": {"type": "integer", "minimum": 0, "maximum": 150, "description": "In years"},
        "tags": {"type": "array", "items": {"type": "object", "properties": {}}, "maxItems": 3},
        "either": {"anyOf": [{"type": "object", "properties": {}}, {"type": "null"}]},
        "minimum": {"type": "string", "minLength": 1},
        "open": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "$defs": {"a": {"type": "object"}},
}


def test_objects_are_closed_wherever_they_stand_unless_they_say_otherwise() -> None:
    schema = closed(SCHEMA)
    properties = schema["properties"]
    for inner in (schema, schema["$defs"]["a"], properties["tags"]["items"], properties["either"]["anyOf"][0]):
        assert inner["additionalProperties"] is False
    assert properties["open"] == SCHEMA["properties"]["open"]
    assert "additionalProperties" not in SCHEMA, "the client's own schema is left alone"


def test_limits_are_told_and_a_property_may_be_called_like_one() -> None:
    properties = closed(SCHEMA)["properties"]
    assert properties["age"] == {"type": "integer", "description": "In years (minimum: 0, maximum: 150)"}
    assert properties["tags"]["description"] == "(maxItems: 3)"
    assert properties["minimum"] == {"type": "string", "description": "(minLength: 1)"}


@given(ANY_JSON)
def test_any_json_goes_through(schema: Any) -> None:
    assert isinstance(closed(schema), type(schema))
