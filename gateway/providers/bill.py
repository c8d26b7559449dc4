"""What a reply says that it costs, where that may be something else than tokens: images, seconds, searches.

A unit counts as a token does: it is charged to the quotas as one, and the model's price is for a million of them. The
unit is named beside, so that nobody takes the one for the other. Anything but whole, plausible numbers is no bill.
"""

import math
from typing import Any, NamedTuple

from gateway.exchange import Endpoint, Usage
from gateway.providers import usage

_TOO_MANY = 2**53
_IMAGES = (Endpoint.IMAGES, Endpoint.IMAGE_EDITS, Endpoint.IMAGE_VARIATIONS)


class Bill(NamedTuple):
    """`unit` None: tokens."""

    usage: Usage
    unit: str | None = None


def bill_of(endpoint: Endpoint, reply: Any) -> Bill | None:
    """What a whole reply costs, or the last event of a stream, to a call of UNIT_BILLED; None where it doesn't say."""
    if not isinstance(reply, dict):
        return None
    if endpoint in _IMAGES:
        return _of_images(reply)
    if endpoint is Endpoint.RERANK:
        return _of_ranks(reply)
    if endpoint is Endpoint.SPEECH:
        spoken = tokens(reply.get("usage"))
        return None if spoken is None else Bill(spoken._replace(audio_output_tokens=spoken.completion_tokens))
    return _of_sound(reply)


def tokens(said: Any) -> Usage | None:
    return usage.read(said, ("prompt_tokens",), "completion_tokens") or usage.read(
        said, ("input_tokens",), "output_tokens"
    )


def _of_images(reply: dict[str, Any]) -> Bill | None:
    """Tokens; what is made is images, where nothing more is told. Else so many images."""
    drawn = tokens(reply.get("usage"))
    if drawn is not None:
        made = drawn if drawn.image_output_tokens else drawn._replace(image_output_tokens=drawn.completion_tokens)
        written = tokens(reply.get("svg_usage"))
        return Bill(made if written is None else Usage(*map(int.__add__, made, written)))
    images = reply.get("data")
    return Bill(Usage(0, len(images), image_output_tokens=len(images)), "images") if isinstance(images, list) else None


def _of_sound(reply: dict[str, Any]) -> Bill | None:
    """Tokens, or the seconds that were heard."""
    said = reply.get("usage")
    heard = tokens(said)
    if heard is not None and isinstance(said, dict):
        details = said.get("input_token_details")
        sound = _whole(details.get("audio_tokens")) if isinstance(details, dict) else None
        return Bill(heard._replace(audio_tokens=min(sound, heard.prompt_tokens)) if sound else heard)
    seconds = _whole(said.get("seconds")) if isinstance(said, dict) else None
    seconds = _whole(reply.get("duration")) if seconds is None else seconds
    return None if seconds is None else Bill(Usage(seconds, 0, audio_tokens=seconds), "seconds")


def _of_ranks(reply: dict[str, Any]) -> Bill | None:
    """Cohere's searches, or the tokens that were read."""
    meta, said = reply.get("meta"), reply.get("usage")
    billed = meta.get("billed_units") if isinstance(meta, dict) else None
    searches = _whole(billed.get("search_units")) if isinstance(billed, dict) else None
    if searches:
        return Bill(Usage(searches, 0), "searches")
    read = _whole(said.get("total_tokens")) if isinstance(said, dict) else None
    return None if read is None else Bill(Usage(read, 0))


def _whole(said: Any) -> int | None:
    """Rounded up; None for what is no number, or none that can be true."""
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < _TOO_MANY:
        return None
    return math.ceil(said)
