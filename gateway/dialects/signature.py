"""Whose signature it is. What a provider signs, only that provider takes back: another refuses the whole call for it.

A conversation may change its provider between two turns (a fallback, another model), so each signature carries its
origin while it is in the form between dialects, and a writer leaves out those of others. In a client's own dialect the
signatures of its own provider stand bare, so that a conversation may come and go untranslated as well.
"""

from enum import StrEnum


class Origin(StrEnum):
    """COMPATIBLE: any server of OpenAI's chat completions that signs thoughts, as OpenAI itself doesn't."""

    ANTHROPIC = "anthropic"
    COMPATIBLE = "compatible"
    BEDROCK = "bedrock"
    GEMINI = "gemini"
    OPENAI = "openai"


_ORIGINS: frozenset[str] = frozenset(Origin)


def signed_by(origin: Origin, signature: str | None) -> str | None:
    """`signature` with its origin; one that has an origin keeps it, an empty one is none."""
    if not signature or origin_of(signature) is not None:
        return signature or None
    return f"{origin}:{signature}"


def own(origin: Origin, signature: str | None) -> str | None:
    """The bare signature, where it is of `origin`."""
    if signature is None or origin_of(signature) is not origin:
        return None
    return signature.partition(":")[2] or None


def bare(origin: Origin, signature: str | None) -> str | None:
    """What a client of `origin`'s dialect sees: its own provider's signatures bare, others' with their origin."""
    return own(origin, signature) or signature


def origin_of(signature: str) -> Origin | None:
    name, colon, _ = signature.partition(":")
    return Origin(name) if colon and name in _ORIGINS else None
