"""Gemini's older schemas become JSON Schema; JSON Schema becomes what Gemini takes."""

from typing import Any

import pytest
from hypothesis import given

from gateway.dialects.fields import asked
from gateway.dialects.gemini.schema import accepted, from_openapi
from gateway.errors import InvalidRequest
from tests.gateway.dialects.hostile import ANY_JSON
from tests.gateway.dialects.mutations import mutations

OLDER: dict[str, Any] = {
    "type": "OBJECT",
    "description": "A person",
    "properties": {
        "snake_name": {"type": "STRING", "nullable": True, "enum": ["a", "b"], "max_length": "9"},
        "age": {"type": "INTEGER", "minimum": 0, "example": 7},
        "tags": {"type": "array", "items": {"type": "STRING"}, "minItems": "1", "max_items": 3},
        "either": {"anyOf": [{"type": "NUMBER"}, {"ref": "#/defs/thing"}], "nullable": True},
    },
    "required": ["age"],
    "propertyOrdering": ["age", "tags"],
    "additional_properties": False,
    "defs": {"thing": {"type": "OBJECT", "additionalProperties": {"type": "BOOLEAN"}}},
}


def test_an_older_schema_is_read() -> None:
    schema = from_openapi(asked(OLDER))
    assert schema == {
        "type": "object", "description": "A person", "required": ["age"], "additionalProperties": False,
        "properties": {
            "snake_name": {"type": ["string", "null"], "enum": ["a", "b", None], "maxLength": 9},
            "age": {"type": "integer", "minimum": 0, "examples": [7]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
            "either": {"anyOf": [{"anyOf": [{"type": "number"}, {"$ref": "#/$defs/thing"}]}, {"type": "null"}]},
        },
        "$defs": {"thing": {"type": "object", "additionalProperties": {"type": "boolean"}}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"type": "TUPLE"}, "type"),
        ({"oneOf": []}, "oneOf"),
        ({"minItems": "many"}, "minItems"),
        ({"items": 1}, "items"),
    ],
)
def test_what_is_no_such_schema_is_refused_with_its_path(wrong: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        from_openapi(asked({"properties": {"a": wrong}}))
    assert refusal.value.param == f"properties.a.{field}"


def test_an_unspecified_type_is_none() -> None:
    assert from_openapi(asked({"type": "TYPE_UNSPECIFIED", "nullable": True})) == {}


def test_json_schema_is_written_without_what_gemini_refuses() -> None:
    given: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "x", "type": "object",
        "properties": {"$schema": {"const": "a"}, "n": {"const": 1}, "list": {"items": {"$id": "y", "enum": ["$id"]}}},
    }  # fmt: skip
    assert accepted(given) == {
        "type": "object",
        "properties": {"$schema": {"enum": ["a"]}, "n": {"const": 1}, "list": {"items": {"enum": ["$id"]}}},
    }


def outcome(schema: Any) -> Any:
    try:
        return from_openapi(asked(schema))
    except InvalidRequest as refusal:
        return refusal


def test_whatever_is_wrong_is_refused_or_read() -> None:
    for _, schema in mutations(OLDER):
        accepted(outcome(schema))


@given(ANY_JSON)
def test_any_json_is_refused_or_read(schema: Any) -> None:
    assert isinstance(outcome(schema), dict | InvalidRequest)
    accepted(schema)
