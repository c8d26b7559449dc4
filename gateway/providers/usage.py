"""Reading token counts out of what an upstream says: anything but whole, non-negative numbers is no usage at all."""

from typing import Any

from gateway.exchange import Usage

_TOO_MANY = 2**53


def read(usage: Any, prompt: tuple[str, ...], completion: str) -> Usage | None:
    """The counts under the keys given; several `prompt` keys add up. The first must be there, the rest may."""
    if not isinstance(usage, dict) or usage.get(prompt[0]) is None:
        return None
    total = made = 0
    for key in (*prompt, completion):  # the last one leaves its count in `made`
        said = usage.get(key)
        made = 0 if said is None else said
        if type(made) is not int or not 0 <= made < _TOO_MANY:
            return None
        total += made
    into = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    out = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    cached, written = _count(into, "cached_tokens"), 0
    if not cached and "cache_read_input_tokens" in usage:
        cached = _count(usage, "cache_read_input_tokens")
    if "cache_creation_input_tokens" in usage:
        written = _count(usage, "cache_creation_input_tokens")
    return Usage(
        total - made,
        made,
        cached,
        _count(out, "reasoning_tokens"),
        written,
        _count(into, "image_tokens"),
        _count(into, "audio_tokens"),
        _count(out, "image_tokens"),
        _count(out, "audio_tokens"),
    )


def merge(old: Usage | None, new: Usage) -> Usage:
    """Streams report usage in parts, each cumulative: the larger count is the later one."""
    if old is None:
        return new
    return Usage(*map(max, old, new))


def _count(holder: Any, key: str) -> int:
    """The count that `holder` has under `key`; 0 where there is none."""
    said = holder.get(key) if isinstance(holder, dict) else None
    return said if type(said) is int and 0 <= said < _TOO_MANY else 0
