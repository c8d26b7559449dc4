"""The token seam, and the format of a token.

A token is `gf_` + 32 base62 characters (190 bits) + a 6-character base62 CRC-32 of what stands before it. The checksum
lets the gateway, and secret scanners, tell a mistyped or made-up token without a look-up. Only the SHA-256 is stored.
"""

import hashlib
import secrets
import string
import zlib
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, Protocol

from gateway.exchange import Principal

PREFIX = "gf_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_CHARS = 32
_CHECK_CHARS = 6
LENGTH = len(PREFIX) + _SECRET_CHARS + _CHECK_CHARS


def new_token() -> str:
    stem = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARS))
    return stem + _checksum(stem)


def is_well_formed(token: str) -> bool:
    return (
        len(token) == LENGTH
        and token.isascii()
        and token.startswith(PREFIX)
        and _checksum(token[:-_CHECK_CHARS]) == token[-_CHECK_CHARS:]
    )


def digest(token: str) -> bytes:
    """What is stored and looked up: SHA-256, 32 bytes. A salt adds nothing to 190 random bits."""
    hashed: bytes = _sha256(token.encode()).digest()
    return hashed


def _python_sha256() -> Callable[[bytes], Any]:
    """Python's own SHA-256 where it was built with it. OpenSSL's is the faster for what is long; for a token, finding
    the algorithm takes it several times as long as the hash."""
    for name in ("_sha2", "_sha256"):  # since Python 3.12, and before
        with suppress(ImportError):
            found: Callable[[bytes], Any] = import_module(name).sha256
            return found
    return hashlib.sha256


_sha256 = _python_sha256()


def _checksum(stem: str) -> str:
    number, out = zlib.crc32(stem.encode()), ""
    for _ in range(_CHECK_CHARS):
        number, digit = divmod(number, len(_ALPHABET))
        out = _ALPHABET[digit] + out
    return out


class TokensUnavailable(Exception):
    """The store cannot answer now. MUST NOT be taken for an unknown token."""


class TokenStore(Protocol):
    """Who a token belongs to. `find` returns None for a token that is unknown or revoked."""

    async def find(self, token_hash: bytes) -> Principal | None: ...
