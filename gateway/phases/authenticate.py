"""Who is calling? One extractor of credentials for every route, so that no header is a door of its own."""

from collections.abc import Mapping
from datetime import datetime

from gateway.errors import InvalidApiKey, Overloaded, UserBlocked
from gateway.exchange import Principal
from gateway.tokens.base import LENGTH, PREFIX, TokensUnavailable, digest, is_well_formed
from gateway.tokens.cached import CachedTokenStore

_MALFORMED = f"This is not a Guardflow API key: those start with '{PREFIX}' and are {LENGTH} characters long."


async def authenticate(headers: Mapping[str, str], tokens: CachedTokenStore, now: datetime) -> Principal:
    """The principal of the token in `headers`. Raises InvalidApiKey, UserBlocked; Overloaded when it can't be known."""
    token = credential(headers)
    if not token:
        raise InvalidApiKey("No API key was given. Send one as 'Authorization: Bearer gf_…'.")
    if not token.isascii():
        raise InvalidApiKey(_MALFORMED)
    key = digest(token)
    who = tokens.peek(key)
    if who is None:
        who = await _look_up(token, key, tokens)
    if who is None:
        raise InvalidApiKey("This API key is unknown or was revoked.")
    if who.token_expires_at is not None and who.token_expires_at <= now:
        raise InvalidApiKey("This API key has expired.")
    if who.blocked_until is not None or not who.is_active:
        _refuse_blocked(who, now)
    return who


def credential(headers: Mapping[str, str]) -> str | None:
    """The key, from the first of: `Authorization: Bearer`, `x-api-key`, `x-goog-api-key`."""
    authorization = headers.get("authorization")
    if authorization is not None:
        if authorization.startswith("Bearer "):
            return authorization[7:].strip()
        scheme, _, value = authorization.partition(" ")
        return value.strip() if scheme.lower() == "bearer" else None
    return headers.get("x-api-key") or headers.get("x-goog-api-key")


async def _look_up(token: str, key: bytes, tokens: CachedTokenStore) -> Principal | None:
    if not is_well_formed(token):  # a made-up key costs no look-up
        raise InvalidApiKey(_MALFORMED)
    try:
        return await tokens.find(key)
    except TokensUnavailable as error:
        raise Overloaded("API keys can't be checked at the moment.", retry_after_s=5) from error


def _refuse_blocked(who: Principal, now: datetime) -> None:
    if not who.is_active:
        raise UserBlocked("This account is deactivated.")
    if who.blocked_until is not None and who.blocked_until > now:
        reason = f" Reason: {who.block_reason}." if who.block_reason else ""
        until = who.blocked_until.strftime("%Y-%m-%d %H:%M UTC")
        forever = who.blocked_until.year >= 9999
        raise UserBlocked(f"This account is blocked{'' if forever else ' until ' + until}.{reason}")
