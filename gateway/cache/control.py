"""What a caller wants of the cache: those request directives of `Cache-Control` (RFC 9111, 5.2.1) that are acted on.

`max-stale`, `min-fresh` and `no-transform` are not, which the RFC allows: nothing stale is ever served.
"""

from math import inf
from typing import NamedTuple


class Wish(NamedTuple):
    """`read`: a stored answer will do, if it is at most `max_age_s` old; `keep`: the answer may be stored."""

    read: bool = True
    keep: bool = True
    max_age_s: float = inf
    only_if_cached: bool = False


ANYTHING = Wish()


def wish_of(header: str | None) -> Wish:
    """The wish in a request's `Cache-Control`. An age that is none means that no age will do."""
    if not header:
        return ANYTHING
    asked: dict[str, str] = {}
    for directive in header.split(","):
        name, _, value = directive.partition("=")
        asked.setdefault(name.strip().lower(), value.strip().strip('"'))
    keep = "no-store" not in asked
    return Wish(
        read=keep and "no-cache" not in asked,
        keep=keep,
        max_age_s=_seconds(asked["max-age"]) if "max-age" in asked else inf,
        only_if_cached="only-if-cached" in asked,
    )


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else -1.0
