"""Chance that can be had again: the same user or conversation draws the same numbers, on every worker and node.

A number is made of two: who draws (a conversation) and for what (a target), so that each target's draw is independent
of what other targets there are: taking one away moves only those who were at it (rendezvous hashing; weighted, by the
draw's use as u in u^(1/w)). None of it is secret or meant to be.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from zlib import crc32

from classifiers.base import Author
from gateway.exchange import ModelCall

Chance = Callable[[int], float]
"""A number in [0, 1) for an option's seed."""

FIRST_CHARACTERS = 2_048
"""Of each text that begins a conversation so many count: enough to tell them apart, at a bounded cost."""
FIRST_TURNS = 4

_64 = 0xFFFF_FFFF_FFFF_FFFF
_USER = Author.USER


@lru_cache(maxsize=4096)
def seed_of(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def mixed(a: int, b: int) -> float:
    """A number in [0, 1) of two: the finalizer of SplitMix64, whose every bit depends on every bit given."""
    z = (a ^ (b * 0x9E37_79B9_7F4A_7C15)) & _64
    z = ((z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9) & _64
    z = ((z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB) & _64
    return ((z ^ (z >> 31)) >> 11) * 2.0**-53


def conversation_of(call: ModelCall) -> int:
    """What stays the same from turn to turn: the key that the client gives to its provider's prompt cache, or else how
    the conversation began, up to the user's first words. That beginning is what a prompt cache holds."""
    named = call.body.get("prompt_cache_key")
    if isinstance(named, str) and named:
        return _sum(named, 1)
    total = 0
    for author, text in call.turns[:FIRST_TURNS]:
        total = _sum(text, total)
        if author is _USER:
            break
    return total


def _sum(text: str, total: int) -> int:
    return crc32(text[:FIRST_CHARACTERS].encode("utf-8", "surrogatepass"), total)
