"""Which models are OpenAI's own: they refuse what other servers of the same dialect need, and the other way round."""

import re

_OWN = re.compile(r"(?:openai/|ft:)?(?:gpt-(?!oss)|chatgpt-|codex-|computer-use-|o\d)", re.IGNORECASE)


def is_openais(model: str) -> bool:
    """By the name alone: the dialect has no other sign. Open weights (gpt-oss) are served by others."""
    return _OWN.match(model) is not None
