"""A JSON body, read once: objects of a bounded shape, whose fields say what they say to every parser.

What is checked here is only what the gateway acts on; the rest is the upstream's to judge.
"""

import json
import re
from collections.abc import Iterable, Sequence
from types import NoneType
from typing import Any

import orjson

from gateway.errors import InvalidRequest
from gateway.exchange import Json

MAX_DEPTH = 64
MAX_KEYS = 50_000

# Unions in tuples: `str | list` is built anew each time it is read.
_CONTAINERS = (dict, list)
_BOOLEAN = (bool, NoneType)
_MODEL = re.compile(r"[A-Za-z0-9._:/@+-]{1,200}")
_CHECK_BYTES = 64 * 1024


def load(raw: bytes) -> Json:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise InvalidRequest("The request body must be a JSON object.")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH or (len(raw) > MAX_KEYS and raw.count(b":") > MAX_KEYS):
        _check_shape(body)
    return body


def _check_shape(body: Json) -> None:
    """Depth and number of keys, without recursion: the nesting is the client's to choose."""
    level: list[Any] = [body]
    keys = 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            values: Iterable[Any] = node.values() if isinstance(node, dict) else node
            keys += len(node) if isinstance(node, dict) else 0
            below += [value for value in values if isinstance(value, _CONTAINERS)]
        if keys > MAX_KEYS:
            raise InvalidRequest(f"The request body has more than {MAX_KEYS} keys.")
        if not below:
            return
        level = below
    raise InvalidRequest(f"The request body is nested deeper than {MAX_DEPTH} levels.")


def says_one_thing(raw: bytes) -> bool:
    """Does every JSON parser read the same in `raw`? It is not asked of compact JSON, which is what SDKs send: that is
    equal to our own serialisation only if no key was dropped as a duplicate."""
    if len(raw) > _CHECK_BYTES:
        return False
    try:
        json.loads(raw, object_pairs_hook=_unique)
    except (_DuplicateKey, ValueError):
        return False
    return True


class _DuplicateKey(Exception):
    pass


def _unique(pairs: Sequence[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _DuplicateKey
    return made


def refuse_look_alikes(node: Json, names: frozenset[str], where: str = "") -> None:
    """Some upstreams' parsers (Go's, and so Ollama's) take `Model` for `model`, and the last of both counts."""
    for key in node:
        if key not in names and key.casefold() in names:
            raise InvalidRequest(f"'{where}{key}' must be written '{key.casefold()}'.", param=where + key)


def checked_name(model: Any) -> str:
    if not isinstance(model, str):
        raise InvalidRequest("'model' must be a string.", param="model")
    if not _MODEL.fullmatch(model):
        raise InvalidRequest("'model' must be 1 to 200 characters of A-Z a-z 0-9 . _ : / @ + -", param="model")
    return model


def boolean(body: Json, name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, _BOOLEAN):
        raise InvalidRequest(f"'{name}' must be true or false.", param=name)
    return bool(value)


def integer(body: Json, name: str, low: int, high: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidRequest(f"'{name}' must be an integer from {low} to {high}.", param=name)
    return value
