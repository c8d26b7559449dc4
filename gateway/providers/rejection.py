"""What an upstream's error reply means for the client.

400, 404, 413, 422 and 429 are meant for the client and reach it as they are. 401 and 403 are about our key, everything
else is the upstream's own trouble: those are a 502, with no word of what the upstream said about our account.
"""

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeGuard

import orjson

from gateway.errors import Refusal, UpstreamDenied, UpstreamError, UpstreamRejected

_FOR_THE_CLIENT = {400, 404, 413, 422, 429}
_PASSING = {408, 409, 425}
_SECRET = re.compile(r"(sk-|gf_|AIza|xai-|gsk_|Bearer\s+)[A-Za-z0-9_\-*.]{6,}|(?<=://)[^/\s@]+:[^/\s@]+@")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MAX_MESSAGE = 2_000
_MAX_WAIT_S = 86_400.0


def rejection(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """The refusal for an upstream reply with an error `status`."""
    wait = retry_after_s(headers)
    if status not in _FOR_THE_CLIENT:
        what = "refused the gateway's credentials" if status in (401, 403) else f"answered with status {status}"
        kind_of = UpstreamError if status >= 500 or status in _PASSING else UpstreamDenied
        return kind_of(f"The model's provider {what}.", retry_after_s=wait)
    said = _error_object(body)
    message = said.get("message")
    kind, code, param = said.get("type"), said.get("code"), said.get("param")
    default = "rate_limit_exceeded" if status == 429 else "model_not_found" if status == 404 else None
    return UpstreamRejected(
        redact(message) if isinstance(message, str) and message else f"The model's provider answered {status}.",
        status=status,
        kind=kind if _is_code(kind) else None,
        code=code if _is_code(code) else default,
        param=param if isinstance(param, str) else None,
        retry_after_s=wait,
    )


def redact(message: str) -> str:
    """The text without anything that looks like a key or a password."""
    return _SECRET.sub("[redacted]", message[:_MAX_MESSAGE])


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` (seconds or a date); None without or unreadable."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            return _bounded(float(milliseconds) / 1000)
        if (value := headers.get("retry-after")) is None:
            return None
        if value.replace(".", "", 1).isdigit():
            return _bounded(float(value))
        return _bounded(parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _bounded(seconds: float) -> float | None:
    return None if math.isnan(seconds) else min(max(0.0, seconds), _MAX_WAIT_S)


def _is_code(value: Any) -> TypeGuard[str]:
    """Codes become rows and the labels of metrics: no prose, no control characters."""
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def _error_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    said = parsed.get("error", parsed) if isinstance(parsed, dict) else {}
    return said if isinstance(said, dict) else {"message": said} if isinstance(said, str) else {}
