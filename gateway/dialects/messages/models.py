"""What a Claude model takes, by its name: the dialect has changed with the models and has no other sign.

A name that says nothing (another maker's model behind this dialect) is taken for an early one: most know what those do.
"""

import re

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)", re.IGNORECASE)
_FIRST_WITH_FORMATS = (4, 1)
_LAST_WITH_BUDGETS = (4, 5)
_LAST_WITH_SAMPLING = (4, 6)


def takes_budgets(model: str) -> bool:
    """Thinking has a budget in tokens; later models have an effort, and think as they see fit."""
    return _version(model) <= _LAST_WITH_BUDGETS


def takes_sampling(model: str) -> bool:
    """`temperature`, `top_p` and `top_k` are known; later models refuse them."""
    return _version(model) <= _LAST_WITH_SAMPLING


def takes_formats(model: str) -> bool:
    """Output by a schema is known; earlier models refuse to be asked, other makers' may not notice."""
    return _version(model) >= _FIRST_WITH_FORMATS


def _version(model: str) -> tuple[int, int]:
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)
