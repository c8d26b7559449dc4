"""A tool call's arguments: JSON text in the form between dialects, an object in Anthropic's and Gemini's.

What can be read here can be written again: JSON that is nested too deeply to be written is no arguments.
"""

from typing import Any

import orjson

from gateway.exchange import Json


def as_object(text: str) -> Json | None:
    """The object that `text` is, None where it is none. No text at all is a call without arguments."""
    if not text.strip():
        return {}
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) and as_json(value) is not None else None


def as_json(value: Any) -> str | None:
    """`value` as JSON text, None where it can't be written."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return None
