"""Reading token counts out of what an upstream says: anything but whole, non-negative numbers is no usage at all."""

from typing import Any, TypeGuard

from gateway.exchange import Usage

_TOO_MANY = 2**53
_INTO = ("cached_tokens", "image_tokens", "audio_tokens")
_OUT = ("reasoning_tokens", "image_tokens", "audio_tokens")
_CACHE = ("cache_read_input_tokens", "cache_creation_input_tokens")
_NONE = (0, 0, 0)


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
    cached, image, audio = _counts(into, _INTO) if _says_any(into) else _NONE
    reasoning, made_image, made_audio = _counts(out, _OUT) if _says_any(out) else _NONE
    written = 0
    if "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage:  # Anthropic's
        read_again, written = _counts(usage, _CACHE)
        cached = cached or read_again
    return Usage(total - made, made, cached, reasoning, written, image, audio, made_image, made_audio)


def merge(old: Usage | None, new: Usage) -> Usage:
    """Streams report usage in parts, each cumulative: the larger count is the later one."""
    if old is None:
        return new
    return Usage(*map(max, old, new))


def _says_any(details: Any) -> TypeGuard[dict[str, Any]]:
    """Is there anything but zeros? Mostly there is not."""
    return isinstance(details, dict) and any(details.values())


def _counts(holder: dict[str, Any], keys: tuple[str, ...]) -> list[int]:
    """The counts that `holder` has under `keys`; 0 where there is none."""
    found = [holder.get(key) for key in keys]
    return [said if type(said) is int and 0 <= said < _TOO_MANY else 0 for said in found]
