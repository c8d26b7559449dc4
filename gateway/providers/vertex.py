"""Gemini on Google's Vertex AI: the same dialect below a project's paths, opened by a service account's tokens."""

from collections.abc import Sequence
from math import inf
from urllib.parse import quote, urlsplit

from gateway.exchange import Endpoint
from gateway.providers.base import UpstreamReply, UpstreamRequest
from gateway.providers.gemini import GeminiProvider
from gateway.providers.google_auth import GoogleTokens
from gateway.wire.upstream import UpstreamPool

MAX_TOKEN_BYTES = 64 * 1024
TOKEN_TIMEOUT_S = 10.0


class VertexProvider(GeminiProvider):
    endpoints = frozenset((Endpoint.GENERATE,))

    def __init__(self, project: str, location: str) -> None:
        super().__init__("")
        place = f"projects/{quote(project, safe='')}/locations/{quote(location, safe='')}"
        self._place = f"/v1/{place}/publishers/google/models"

    def _models(self) -> str:
        return self._place


class AuthorizedUpstream:
    """An upstream whose requests carry a token of the moment."""

    def __init__(self, inner: UpstreamPool, tokens: GoogleTokens) -> None:
        self.inner = inner
        self._tokens = tokens

    async def send(self, request: UpstreamRequest, first_byte_timeout_s: float, ends_at: float = inf) -> UpstreamReply:
        bearer = ("authorization", f"Bearer {await self._tokens.token()}")
        authorized = request._replace(headers=(*request.headers, bearer))
        return await self.inner.send(authorized, first_byte_timeout_s, ends_at)

    async def close(self) -> None:
        await self.inner.close()


async def post(url: str, headers: Sequence[tuple[str, str]], body: bytes) -> tuple[int, bytes]:
    """Over a connection that is opened for it: a token is asked for once an hour."""
    parts = urlsplit(url)
    pool = UpstreamPool(f"{parts.scheme}://{parts.netloc}")
    try:
        reply = await pool.send(UpstreamRequest(parts.path or "/", tuple(headers), body), TOKEN_TIMEOUT_S)
        return reply.status, await reply.read(MAX_TOKEN_BYTES, TOKEN_TIMEOUT_S)
    finally:
        await pool.close()
