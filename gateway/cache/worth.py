"""Is a reply worth keeping? Some servers answer 200 and say in the body that they failed, or are not done yet."""

from typing import Any

import orjson

from gateway.wire.sse import data_of

_UNDONE = ("failed", "cancelled", "queued", "in_progress")


def is_an_answer(body: bytes, tail: bytes, *, stream: bool) -> bool:
    """`body` whole, or a stream with its `tail`. A stream that came to its end was judged event by event on its way;
    only its last one may yet say that the model failed."""
    said = _parsed(data_of(tail) if stream else body)
    if not isinstance(said, dict):
        return stream  # such as `[DONE]`
    inner = said.get("response")
    return not any(_failed(one) for one in (said, inner if isinstance(inner, dict) else {}))


def _failed(said: dict[str, Any]) -> bool:
    return bool(said.get("error")) or said.get("status") in _UNDONE


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
