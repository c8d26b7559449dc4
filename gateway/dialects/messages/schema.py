"""The schema of an answer as Anthropic takes it, whoever serves its models."""

from typing import Any

from gateway.exchange import Json

_UNENFORCED = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
    "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip
_SCHEMAS_BY_NAME = ("properties", "$defs", "definitions")
_SCHEMA_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")


def closed(schema: Any) -> Any:
    """Objects say that nothing else may be in them; limits are told, since only shapes are enforced."""
    if not isinstance(schema, dict):
        return schema
    taken: Json = {}
    told = []
    for key, value in schema.items():
        if key in _UNENFORCED:
            told.append(f"{key}: {value}")
        elif key in _SCHEMAS_BY_NAME and isinstance(value, dict):
            taken[key] = {name: closed(inner) for name, inner in value.items()}
        elif key in _SCHEMA_LISTS and isinstance(value, list):
            taken[key] = [closed(inner) for inner in value]
        else:
            taken[key] = closed(value) if key == "items" else value
    if taken.get("type") == "object" or "properties" in taken:
        taken.setdefault("additionalProperties", False)
    if told:
        taken["description"] = " ".join([str(taken.get("description", "")), f"({', '.join(told)})"]).strip()
    return taken
