"""HTTP without a library's good manners: what is given is sent, on a connection of its own, once."""

import http.client
import json as jsonlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Reply:
    """Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return jsonlib.loads(self.body)


def call(
    base_url: str,
    method: str,
    path: str,
    *,
    token: str | None = None,
    json: Any = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 30.0,
) -> Reply:
    """One request. `json` or `body` is what it carries; `token` goes as a bearer."""
    said = {name.lower(): value for name, value in (headers or {}).items()}
    if json is not None:
        body = jsonlib.dumps(json).encode()
    if body is not None:
        said.setdefault("content-type", "application/json")
    if token is not None:
        said["authorization"] = f"Bearer {token}"
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=timeout_s)
    try:
        connection.request(method, path, body=body, headers=said)
        reply = connection.getresponse()
        return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
    finally:
        connection.close()
