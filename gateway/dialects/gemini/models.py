"""What a Gemini model takes, by its name: since the third generation thoughts are signed and have levels."""

import re

_GENERATION = re.compile(r"gemini-(\d{1,2})", re.IGNORECASE)
_FIRST_SIGNED = 3


def signs_thoughts(model: str) -> bool:
    """Calls need the signature they came with, and an id; thinking has a level. A name that says nothing is an early
    model's: what those know, later ones do too."""
    found = _GENERATION.search(model)
    return found is not None and int(found[1]) >= _FIRST_SIGNED
