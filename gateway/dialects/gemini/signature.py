"""Signatures where Gemini's clients see them. Their type is bytes, so one of another origin is wrapped in base64."""

import binascii
from base64 import b64decode, b64encode

from gateway.dialects.gemini.names import standard_base64
from gateway.dialects.signature import Origin, origin_of, own, signed_by


def read_signature(said: str | None) -> str | None:
    if not said:
        return None
    try:
        inside = b64decode(standard_base64(said), validate=True).decode()
    except (binascii.Error, ValueError):
        return signed_by(Origin.GEMINI, said)
    return inside if origin_of(inside) is not None else signed_by(Origin.GEMINI, said)


def write_signature(signature: str) -> str:
    return own(Origin.GEMINI, signature) or b64encode(signature.encode()).decode()
