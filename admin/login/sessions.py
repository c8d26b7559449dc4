"""Access tokens: short-lived JWTs that name a user, a session and the user's session version.

A token is only a claim: the database is asked whether its session still lives, so signing out, a new password, a
changed role or a deactivation end it at once.
"""

import secrets
import time
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import jwt

from admin.errors import Unauthorized
from admin.schema import BIGINT_MAX

ALGORITHMS = ("HS256", "HS384", "HS512")
LEEWAY_S = 5
_VERSION_MAX = 2**31 - 1
_REQUIRED = ["exp", "iat", "iss", "aud", "jti", "sub"]
_FOREIGN_KEYS = {"jku", "jwk", "x5u", "x5c", "kid"}
"""Headers by which a forged token would bring its own key."""


@dataclass(frozen=True, slots=True)
class JwtSettings:
    """One algorithm, chosen here and never by the token."""

    secret: str = field(repr=False)
    algorithm: str = "HS256"
    lifetime_s: int = 30 * 60
    refresh_lifetime_s: int = 14 * 24 * 3600
    issuer: str = "guardflow"
    audience: str = "guardflow"

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"JWT_ALGORITHM must be one of {', '.join(ALGORITHMS)}")
        if not self.secret:
            raise ValueError("JWT_SECRET_KEY must not be empty")


@dataclass(frozen=True, slots=True)
class Claims:
    user_id: int
    session: UUID
    version: int


def issue(settings: JwtSettings, claims: Claims, role: str) -> str:
    """`role` is for the reader of the token; what counts is the database's."""
    now = int(time.time())
    payload = {
        "sub": str(claims.user_id),
        "sid": str(claims.session),
        "ver": claims.version,
        "role": role,
        "iss": settings.issuer,
        "aud": settings.audience,
        "iat": now,
        "exp": now + settings.lifetime_s,
        "jti": uuid4().hex,
    }
    return jwt.encode(payload, settings.secret, settings.algorithm)


def read(settings: JwtSettings, token: str) -> Claims:
    """The claims of a token that is ours and not expired. Raises Unauthorized."""
    try:
        if _FOREIGN_KEYS & jwt.get_unverified_header(token).keys():
            raise Unauthorized("The session token is not valid.")
        payload = jwt.decode(
            token,
            settings.secret,
            algorithms=[settings.algorithm],
            issuer=settings.issuer,
            audience=settings.audience,
            leeway=LEEWAY_S,
            options={"require": _REQUIRED},
        )
        return Claims(_number(payload["sub"], BIGINT_MAX), UUID(payload["sid"]), _number(payload["ver"], _VERSION_MAX))
    except jwt.ExpiredSignatureError as error:
        raise Unauthorized("The session has expired. Sign in again.") from error
    except (jwt.PyJWTError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise Unauthorized("The session token is not valid.") from error


def _number(claim: str | int, most: int) -> int:
    number = int(claim)
    if not 0 <= number <= most:  # what no column can hold would be an error of the database
        raise ValueError("out of range")
    return number


def looks_like_session(token: str) -> bool:
    """A JWT has two dots; an API token has none."""
    return token.count(".") == 2


def new_refresh_token() -> str:
    return "gfr_" + secrets.token_urlsafe(32)
