"""Access tokens, as they are made and read."""

from uuid import uuid4

import jwt
import pytest

from admin.errors import Unauthorized
from admin.login.sessions import Claims, JwtSettings, issue, looks_like_session, new_refresh_token, read
from gateway.tokens.base import new_token

SETTINGS = JwtSettings("a secret of more than thirty-two bytes for tests", lifetime_s=60)


def test_what_is_issued_reads_back() -> None:
    claims = Claims(7, uuid4(), 3)
    token = issue(SETTINGS, claims, "admin")
    assert looks_like_session(token)
    assert read(SETTINGS, token) == claims
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}


def test_a_token_of_another_audience_or_past_its_life_is_refused() -> None:
    token = issue(SETTINGS, Claims(7, uuid4(), 3), "admin")
    with pytest.raises(Unauthorized, match="not valid"):
        read(JwtSettings(SETTINGS.secret, audience="elsewhere"), token)
    stale = issue(JwtSettings(SETTINGS.secret, lifetime_s=-60), Claims(7, uuid4(), 3), "admin")
    with pytest.raises(Unauthorized, match="expired"):
        read(SETTINGS, stale)


def test_only_symmetric_algorithms_and_a_secret_are_taken() -> None:
    for algorithm in ("none", "RS256", "ES256"):
        with pytest.raises(ValueError, match="JWT_ALGORITHM"):
            JwtSettings("secret", algorithm=algorithm)
    with pytest.raises(ValueError, match="JWT_SECRET_KEY"):
        JwtSettings("")


def test_the_secret_is_not_in_the_repr() -> None:
    assert SETTINGS.secret not in repr(SETTINGS)


def test_api_and_refresh_tokens_do_not_look_like_sessions() -> None:
    assert not looks_like_session(new_token())
    assert not looks_like_session(new_refresh_token())
