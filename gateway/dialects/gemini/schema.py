"""Gemini's older schemas, a part of OpenAPI 3.0 with types in capitals, as JSON Schema.

Written is JSON Schema alone, which Gemini takes in fields of its own; only what it refuses there is taken out.
"""

from typing import Any

from gateway.dialects.fields import Fields
from gateway.dialects.gemini.names import camel
from gateway.exchange import Json

_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_AS_IT_IS = ("description", "title", "format", "pattern", "enum", "default", "minimum", "maximum", "required")
_KNOWN = frozenset((
    "type", "nullable", "properties", "items", "anyOf", "propertyOrdering", "example", "additionalProperties", "defs",
    "$defs", "ref", "$ref", *_COUNTS, *_AS_IT_IS,
))  # fmt: skip


def from_openapi(given: Fields) -> Json:
    given = camel(given)
    given.only(_KNOWN)
    schema: Json = {name: given.value(name) for name in _AS_IT_IS if given.has(name)}
    schema |= {name: count for name in _COUNTS if (count := _count(given, name)) is not None}
    if (kind := given.text("type")) is not None and kind.upper() != "TYPE_UNSPECIFIED":
        if kind.lower() not in _TYPES:
            given.refuse("type", f"must be one of {', '.join(_TYPES)}.")
        schema["type"] = kind.lower()
    if given.has("example"):
        schema["examples"] = [given.value("example")]
    if given.has("items"):
        schema["items"] = from_openapi(given.need_child("items"))
    if given.has("anyOf"):
        schema["anyOf"] = [from_openapi(inner) for inner in given.children("anyOf")]
    if given.has("properties"):
        schema["properties"] = _by_name(given.need_child("properties"))
    _references(given, schema)
    return _nullable(schema) if given.flag("nullable") else schema


def _references(given: Fields, schema: Json) -> None:
    for name in ("defs", "$defs"):
        if given.has(name):
            schema["$defs"] = _by_name(given.need_child(name))
    if reference := given.text("$ref") or given.text("ref"):
        schema["$ref"] = reference.replace("#/defs/", "#/$defs/")
    more = given.value("additionalProperties")
    if isinstance(more, bool):
        schema["additionalProperties"] = more
    elif more is not None:
        schema["additionalProperties"] = from_openapi(given.need_child("additionalProperties"))


def _by_name(schemas: Fields) -> Json:
    return {name: from_openapi(schemas.need_child(name)) for name in schemas.node}


def _count(given: Fields, name: str) -> int | None:
    """Protobuf's JSON writes 64-bit integers as strings."""
    value = given.value(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    return given.integer(name, 0)


def _nullable(schema: Json) -> Json:
    if "type" in schema:
        values = {"enum": [*schema["enum"], None]} if isinstance(schema.get("enum"), list) else {}
        return {**schema, "type": [schema["type"], "null"], **values}
    return {"anyOf": [schema, {"type": "null"}]} if schema else schema


def accepted(schema: Any) -> Any:
    """JSON Schema less what Gemini refuses: the name of its edition; one allowed value is a list of one."""
    if isinstance(schema, list):
        return [accepted(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    kept: Json = {}
    for name, inner in schema.items():
        if name == "const" and isinstance(inner, str):
            kept["enum"] = [inner]
        elif name in ("properties", "$defs") and isinstance(inner, dict):
            kept[name] = {key: accepted(value) for key, value in inner.items()}
        elif name in ("enum", "default", "examples", "const"):
            kept[name] = inner
        elif name not in ("$schema", "$id"):
            kept[name] = accepted(inner)
    return kept
