"""AWS Signature Version 4 for a POST: the headers that prove a request is from whom it says, at the time it says.

Pure: credentials, region and clock are given. Invariant: every header given is signed, so it must be sent as it was
signed, `host` included; what is added is never among those given.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"


class AwsCredentials(NamedTuple):
    """`session_token`: of temporary credentials."""

    access_key: str
    secret_key: str
    session_token: str | None = None


def _now() -> datetime:
    return datetime.now(UTC)


class Signer:
    """Signs for one service in one region. The key derived for a day is kept for that day."""

    def __init__(
        self,
        credentials: AwsCredentials,
        region: str,
        service: str = "bedrock",
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._credentials = credentials
        self._region = region
        self._service = service
        self._now = now
        self._key = ("", b"")

    def sign(self, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> tuple[tuple[str, str], ...]:
        """The headers to add. `path` is what is sent, percent-encoded, without a query; `headers` hold `host`, in
        lower-case names."""
        stamp = self._now().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        added = [("x-amz-date", stamp)]
        if self._credentials.session_token:
            added.append(("x-amz-security-token", self._credentials.session_token))
        signed = sorted((name, " ".join(value.split())) for name, value in (*headers, *added))
        names = ";".join(name for name, _ in signed)
        request = "\n".join(
            ("POST", _canonical(path), "", *(f"{name}:{value}" for name, value in signed), "", names, _sha256(body))
        )
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        text = "\n".join((_ALGORITHM, stamp, scope, _sha256(request.encode())))
        signature = hmac.new(self._key_of(stamp[:8]), text.encode(), hashlib.sha256).hexdigest()
        credential = f"{self._credentials.access_key}/{scope}"
        proof = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return (*added, ("authorization", proof))

    def _key_of(self, day: str) -> bytes:
        if self._key[0] != day:
            key = b"AWS4" + self._credentials.secret_key.encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self._key = (day, key)
        return self._key[1]


def _canonical(path: str) -> str:
    """Every service but S3 encodes what is encoded already once more: a `%3A` on the wire is signed as `%253A`."""
    return quote(path or "/", safe="/" + _UNRESERVED)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
