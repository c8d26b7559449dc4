"""Tokens for a service account, from a real token server: fetched once, kept, renewed in time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import parse_qs

import jwt
import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from gateway.errors import UpstreamDenied, UpstreamError
from gateway.providers.base import ConnectFailed
from gateway.providers.google_auth import (
    RENEW_BEFORE_S,
    REST_S,
    SCOPE,
    GoogleTokens,
    ServiceAccount,
    read_service_account,
)
from tests.gateway.scripted import Clock

rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
LIFE_S = 3600


class TokenServer:
    """Google's token endpoint, as far as a service account sees it."""

    def __init__(self) -> None:
        self.url = ""
        self.clock = Clock(1_800_000_000.0)
        self.asked: list[dict[str, Any]] = []
        self.heads: list[dict[str, Any]] = []
        self.answer: tuple[int, bytes] | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def serve(self, request: web.Request) -> web.Response:
        form = parse_qs((await request.read()).decode(), strict_parsing=True)
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        [claim] = form["assertion"]
        self.heads.append(jwt.get_unverified_header(claim))
        options = {"verify_exp": False, "verify_iat": False}
        self.asked.append(
            jwt.decode(claim, KEY.public_key(), algorithms=["RS256"], audience=self.url, options=options)  # type: ignore[arg-type]
        )
        await self.open.wait()
        if self.answer is not None:
            return web.Response(status=self.answer[0], body=self.answer[1])
        token = {"access_token": f"ya29.{len(self.asked)}", "expires_in": LIFE_S, "token_type": "Bearer"}
        return web.json_response(token)

    async def was_asked(self, times: int) -> None:
        async with asyncio.timeout(5):
            while len(self.asked) < times:
                await asyncio.sleep(0)

    def account(self) -> ServiceAccount:
        return read_service_account(key_file(token_uri=self.url))

    def tokens(self, session: ClientSession) -> GoogleTokens:
        async def post(url: str, headers: Sequence[tuple[str, str]], body: bytes) -> tuple[int, bytes]:
            async with session.post(url, headers=dict(headers), data=body) as reply:
                return reply.status, await reply.read()

        return GoogleTokens(self.account(), post, self.clock)


def key_file(**changes: Any) -> bytes:
    return orjson.dumps(
        {
            "type": "service_account",
            "client_email": "us@project.iam.gserviceaccount.com",
            "private_key": PEM,
            "private_key_id": "key-1",
            "token_uri": "https://oauth2.googleapis.com/token",
            "project_id": "project",
            **changes,
        }
    )


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    one = TokenServer()
    app = web.Application()
    app.router.add_post("/token", one.serve)
    async with TestServer(app) as running:
        one.url = str(running.make_url("/token"))
        yield one


@pytest.fixture
async def tokens(server: TokenServer) -> AsyncIterator[GoogleTokens]:
    async with ClientSession() as session:
        yield server.tokens(session)


async def test_the_claim_says_who_we_are_and_what_we_want(server: TokenServer, tokens: GoogleTokens) -> None:
    assert await tokens.token() == "ya29.1"
    assert server.asked == [
        {
            "iss": "us@project.iam.gserviceaccount.com",
            "scope": SCOPE,
            "aud": server.url,
            "iat": 1_800_000_000,
            "exp": 1_800_003_600,
        }
    ]
    assert server.heads[0] == {"alg": "RS256", "kid": "key-1", "typ": "JWT"}


async def test_a_token_is_kept_until_shortly_before_its_end(server: TokenServer, tokens: GoogleTokens) -> None:
    await tokens.token()
    server.clock.now += LIFE_S - RENEW_BEFORE_S - 1
    assert await tokens.token() == "ya29.1"
    server.clock.now += 2
    assert await tokens.token() == "ya29.2"
    assert len(server.asked) == 2


async def test_all_who_wait_share_one_exchange(server: TokenServer, tokens: GoogleTokens) -> None:
    assert set(await asyncio.gather(*(tokens.token() for _ in range(20)))) == {"ya29.1"}
    assert len(server.asked) == 1


async def test_one_renews_while_the_others_use_what_there_is(server: TokenServer, tokens: GoogleTokens) -> None:
    await tokens.token()
    server.clock.now += LIFE_S - 1
    server.open.clear()
    renewing = asyncio.create_task(tokens.token())
    await server.was_asked(2)
    assert await tokens.token() == "ya29.1"
    server.open.set()
    assert await renewing == "ya29.2"


async def test_who_gives_up_waiting_takes_nobody_along(server: TokenServer, tokens: GoogleTokens) -> None:
    server.open.clear()
    first, second = asyncio.create_task(tokens.token()), asyncio.create_task(tokens.token())
    await server.was_asked(1)
    first.cancel()
    server.open.set()
    assert (await second).startswith("ya29.")
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refused_account_is_our_fault_and_is_not_asked_for_at_once_again(
    server: TokenServer, tokens: GoogleTokens, status: int
) -> None:
    server.answer = (status, b'{"error":"invalid_grant"}')
    for _ in range(3):
        with pytest.raises(UpstreamDenied):
            await tokens.token()
    assert len(server.asked) == 1
    server.clock.now += REST_S + 1
    server.answer = None
    assert await tokens.token() == "ya29.2"


@pytest.mark.parametrize(
    "answer",
    [
        (500, b""),
        (302, b""),
        (200, b"{broken"),
        (200, b"[]"),
        (200, b'{"access_token":"x"}'),
        (200, b'{"access_token":"","expires_in":10}'),
        (200, b'{"access_token":"a\\r\\nb","expires_in":10}'),
        (200, b'{"access_token":"x","expires_in":-1}'),
        (200, b'{"access_token":"x","expires_in":true}'),
        (200, b'{"access_token":5,"expires_in":10}'),
    ],
)
async def test_an_answer_without_a_usable_token_is_the_servers_failure(
    server: TokenServer, tokens: GoogleTokens, answer: tuple[int, bytes]
) -> None:
    server.answer = answer
    with pytest.raises(UpstreamError) as caught:
        await tokens.token()
    assert not isinstance(caught.value, UpstreamDenied)


async def test_a_token_is_used_to_its_end_where_it_cant_be_renewed(server: TokenServer, tokens: GoogleTokens) -> None:
    await tokens.token()
    server.answer = (503, b"")
    server.clock.now += LIFE_S - 60
    assert [await tokens.token() for _ in range(3)] == ["ya29.1"] * 3
    assert len(server.asked) == 2
    server.clock.now += 61
    with pytest.raises(UpstreamError):
        await tokens.token()


async def test_a_server_that_cant_be_reached_fails_only_who_has_no_token() -> None:
    tried: list[str] = []
    clock = Clock()

    async def post(url: str, headers: Sequence[tuple[str, str]], body: bytes) -> tuple[int, bytes]:
        tried.append(url)
        if len(tried) == 1:
            return 200, b'{"access_token":"good","expires_in":3600}'
        raise ConnectFailed("scripted")

    tokens = GoogleTokens(read_service_account(key_file()), post, clock)
    assert await tokens.token() == "good"
    clock.now += LIFE_S - 1
    assert await tokens.token() == "good"
    clock.now += 1
    for _ in range(2):
        with pytest.raises(ConnectFailed):
            await tokens.token()
    assert tried == ["https://oauth2.googleapis.com/token"] * 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{broken", "is JSON"),
        (b"[]", "lacks client_email"),
        (key_file(private_key_id=None), "lacks private_key_id"),
        (key_file(project_id=""), "lacks project_id"),
        (key_file(private_key="-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----"), "no RSA key"),
        (key_file(private_key="secret"), "no RSA key"),
        (key_file(token_uri="http://example.org/token"), "must be https"),
        (key_file(token_uri="http://127.0.0.1.example.org/token"), "must be https"),
    ],
)
def test_what_is_no_key_file_is_refused_without_its_secret(text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        read_service_account(text)
    assert "secret" not in str(caught.value)


def test_an_account_shows_no_key() -> None:
    assert "PRIVATE" not in repr(read_service_account(key_file()))
