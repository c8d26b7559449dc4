"""Reading token counts out of what an upstream says: anything but whole, non-negative numbers is no usage at all."""

from typing import Any

from gateway.exchange import Usage


def read(usage: Any, prompt: tuple[str, ...], completion: str) -> Usage | None:
    """The counts under the keys given; several `prompt` keys add up. The first must be there, the rest may."""
    if not isinstance(usage, dict) or usage.get(prompt[0]) is None:
        return None
    counts = [0 if (value := usage.get(key)) is None else value for key in (*prompt, completion)]
    if not all(_is_count(count) for count in counts):
        return None
    return Usage(
        prompt_tokens=sum(counts[:-1]),
        completion_tokens=counts[-1],
        cached_tokens=_detail(usage, ("prompt_tokens_details", "input_tokens_details"), "cached_tokens")
        or _count(usage.get("cache_read_input_tokens")),
        reasoning_tokens=_detail(usage, ("completion_tokens_details", "output_tokens_details"), "reasoning_tokens"),
    )


def merge(old: Usage | None, new: Usage) -> Usage:
    """Streams report usage in parts, each cumulative: the larger count is the later one."""
    if old is None:
        return new
    return Usage(
        max(old.prompt_tokens, new.prompt_tokens),
        max(old.completion_tokens, new.completion_tokens),
        max(old.cached_tokens, new.cached_tokens),
        max(old.reasoning_tokens, new.reasoning_tokens),
    )


def _detail(usage: dict[str, Any], holders: tuple[str, ...], key: str) -> int:
    for holder in holders:
        details = usage.get(holder)
        if isinstance(details, dict):
            return _count(details.get(key))
    return 0


def _count(value: Any) -> int:
    return int(value) if _is_count(value) else 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
