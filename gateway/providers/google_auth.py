"""Access to Vertex AI by a service account: a signed claim for a token that lives an hour.

Invariant: one exchange is under way at a time, whoever waits for it. A token is renewed while it is still good, and
used to its end where that fails. How the exchange travels is the caller's: `post` is an argument, and so is the clock.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import jwt
import orjson

from gateway.errors import Refusal, UpstreamDenied, UpstreamError
from gateway.providers.base import UpstreamFailed

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
RENEW_BEFORE_S = 300.0
REST_S = 5.0
"""After a failure nothing is asked for so long: who comes meanwhile fails alike, or uses the token there is."""

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_CLAIM_LIFE_S = 3600
_HEADERS = (("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json"))
_FIELDS = ("client_email", "private_key", "private_key_id", "token_uri", "project_id")
_LOCAL = (("http", "127.0.0.1"), ("http", "localhost"))
_OUR_FAULT = (400, 401, 403)

Post = Callable[[str, Sequence[tuple[str, str]], bytes], Awaitable[tuple[int, bytes]]]
"""Sends a body with headers to a URL; gives the status and the body of the reply. Raises UpstreamFailed."""


class ServiceAccount(NamedTuple):
    """What Google's key file says. `project` is where the models are billed."""

    email: str
    private_key: str
    key_id: str
    token_uri: str
    project: str

    def __repr__(self) -> str:
        return f"ServiceAccount({self.email})"


def read_service_account(text: str | bytes) -> ServiceAccount:
    """Raises ValueError, whose text is free of secrets, for what is no key file with a usable key."""
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("a service account's key file is JSON") from None
    fields = said if isinstance(said, dict) else {}
    values = {name: value for name in _FIELDS if isinstance(value := fields.get(name), str) and value}
    if missing := [name for name in _FIELDS if name not in values]:
        raise ValueError(f"a service account's key file lacks {', '.join(missing)}")
    account = ServiceAccount(*(values[name] for name in _FIELDS))
    uri = urlsplit(account.token_uri)
    if uri.scheme != "https" and (uri.scheme, uri.hostname) not in _LOCAL:
        raise ValueError("a service account's token_uri must be https: the claim that is sent there opens the account")
    try:
        _claim(account, 0)
    except (jwt.InvalidKeyError, ValueError, TypeError):
        raise ValueError("a service account's private_key is no RSA key in PEM") from None
    return account


class GoogleTokens:
    """The tokens of one account. MUST be used on one event loop."""

    def __init__(
        self, account: ServiceAccount, post: Post, clock: Callable[[], float] = time.time, scope: str = SCOPE
    ) -> None:
        self._account = account
        self._post = post
        self._clock = clock
        self._scope = scope
        self._token = ""
        self._good_until = 0.0
        self._rest_until = 0.0
        self._failure: Refusal | UpstreamFailed | None = None
        self._renewing = asyncio.Lock()

    async def token(self) -> str:
        """A token that is good. Raises UpstreamDenied or UpstreamError, and what `post` raises."""
        now = self._clock()
        if now < self._good_until - RENEW_BEFORE_S:
            return self._token
        if now < self._good_until and (self._renewing.locked() or now < self._rest_until):
            return self._token
        async with self._renewing:
            await self._renew()
        return self._token

    async def _renew(self) -> None:
        now = self._clock()
        if now < self._good_until - RENEW_BEFORE_S:  # another one has, while we waited
            return
        if self._failure is not None and now < self._rest_until:
            raise self._failure.with_traceback(None)
        try:
            self._token, life_s = await self._exchange(now)
            self._good_until, self._failure = now + life_s, None
        except (Refusal, UpstreamFailed) as failure:
            self._failure, self._rest_until = failure, self._clock() + REST_S
            if self._clock() >= self._good_until:
                raise

    async def _exchange(self, now: float) -> tuple[str, float]:
        claim = _claim(self._account, int(now), self._scope)
        body = urlencode({"grant_type": _GRANT, "assertion": claim}).encode()
        status, reply = await self._post(self._account.token_uri, _HEADERS, body)
        if status in _OUR_FAULT:
            raise UpstreamDenied("The model's provider refused the gateway's credentials.")
        said = _token_of(reply) if status == 200 else None
        if said is None:
            raise UpstreamError("The model's provider gives the gateway no access at the moment.")
        return said


def _claim(account: ServiceAccount, now: int, scope: str = SCOPE) -> str:
    claims = {
        "iss": account.email, "scope": scope, "aud": account.token_uri, "iat": now, "exp": now + _CLAIM_LIFE_S,
    }  # fmt: skip
    return jwt.encode(claims, account.private_key, algorithm="RS256", headers={"kid": account.key_id})


def _token_of(reply: bytes) -> tuple[str, float] | None:
    try:
        said = orjson.loads(reply)
    except orjson.JSONDecodeError:
        return None
    token, life_s = (said.get("access_token"), said.get("expires_in")) if isinstance(said, dict) else (None, None)
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        return None
    return (token, float(life_s)) if type(life_s) is int and 0 < life_s < 2**31 else None
