"""Chance that can be had again: the same user or conversation draws the same numbers, on every worker and node.

A number is made of two: who draws (a conversation) and for what (a target), so that each target's draw is independent
of what other targets there are: taking one away moves only those who were at it (rendezvous hashing; weighted, by the
draw's use as u in u^(1/w)). None of it is secret or meant to be.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from zlib import crc32

from classifiers.base import Author
from gateway.exchange import ModelCall

EDGE_CHARACTERS = 128
"""So many at each end of a text tell it from others, at a bounded cost: templates differ at the end."""
FIRST_TURNS = 4

_64 = 0xFFFF_FFFF_FFFF_FFFF
_UNIT = 2.0**-53
_USER = Author.USER


@lru_cache(maxsize=4096)
def seed_of(name: str) -> int:
    """64 bits, odd: a factor that loses nothing."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") | 1


def drawn(who: int, seeds: Iterable[int]) -> list[float]:
    """For each seed a number in [0, 1): the fraction of who × seed / 2^64 (Knuth's multiplicative hashing). Of callers
    numbered in a row it is more even than chance."""
    return [((who * seed & _64) >> 11) * _UNIT for seed in seeds]


def conversation_of(call: ModelCall) -> int:
    """What stays the same from turn to turn: the key that the client gives to its provider's prompt cache, or else how
    the conversation began, up to the user's first words. That beginning is what a prompt cache holds."""
    named = call.body.get("prompt_cache_key")
    if isinstance(named, str) and named:
        return _sum(named, 2)
    total = 1
    for author, text in call.turns[:FIRST_TURNS]:
        total = _sum(text, total)
        if author is _USER:
            break
    return total


def _sum(text: str, total: int) -> int:
    if len(text) > 2 * EDGE_CHARACTERS:
        text = f"{text[:EDGE_CHARACTERS]}{len(text)}{text[-EDGE_CHARACTERS:]}"
    return crc32(text.encode("utf-8", "surrogatepass"), total) + 1
