"""How much a call may use, guessed before it is made: what is held until it is known what it came to.

Never for the bill. A guess errs upwards where it can, since what is too little lets a call pass its limits.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from classifiers.base import Turn
from gateway.exchange import Json

IMAGE_TOKENS = 1_000
"""A rough reservation for an image: what it really costs comes back as usage."""
AUDIO_BYTES_PER_TOKEN = 1_000
"""A second of sound is about 10 tokens, and 16 kB at the 128 kbit/s of a usual file."""
TRANSCRIPT_TOKENS = 2_000
"""The most that OpenAI's models write down of one file."""
SPEECH_TOKENS_PER_CHARACTER = 2
"""A second of speech is about 15 characters, and 20 tokens."""


def estimate(body: Json, given: Any, turns: Sequence[Turn]) -> int:
    """Input tokens for admission: about 4 characters each in ASCII, 3 bytes otherwise, and a little for each turn."""
    total = 3
    for turn in turns:
        said = turn.text
        total += 4 + (len(said) // 4 if said.isascii() else len(said.encode("utf-8", "replace")) // 3)
    if "tools" in body:
        total += len(orjson.dumps(body["tools"])) // 4
    return total + _images_and_ids(given) if isinstance(given, list) else total


def _images_and_ids(given: list[Any]) -> int:
    """Tokens of what is no text: images by the piece, token-id arrays (plain or nested) by their length."""
    total = 0
    for item in given:
        if isinstance(item, dict):
            content = item.get("content")
            if isinstance(content, list):
                total += IMAGE_TOKENS * sum(
                    1 for part in content if isinstance(part, dict) and "image" in str(part.get("type", ""))
                )
        elif isinstance(item, int):
            total += 1
        elif isinstance(item, list):
            total += len(item)
    return total
