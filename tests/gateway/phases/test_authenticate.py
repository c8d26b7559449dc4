"""One extractor of credentials: no header is a door of its own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import InvalidApiKey, Overloaded, UserBlocked
from gateway.exchange import Principal
from gateway.phases.authenticate import authenticate, credential
from gateway.tokens.base import new_token
from gateway.tokens.cached import CachedTokenStore
from gateway.tokens.memory import MemoryTokenStore
from tests.gateway.scripted import ALICE, TOKEN

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def store() -> MemoryTokenStore:
    made = MemoryTokenStore()
    made.add(TOKEN, ALICE)
    return made


async def enter(store: MemoryTokenStore, headers: dict[str, str]) -> Principal:
    return await authenticate(headers, CachedTokenStore(store), NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer  {TOKEN} "},
        {"x-api-key": TOKEN},
        {"x-goog-api-key": TOKEN},
        {"x-api-key": TOKEN, "x-goog-api-key": "wrong"},
        {"authorization": f"Bearer {TOKEN}", "x-api-key": "wrong"},
    ],
)
async def test_a_known_token_opens_by_every_header(store: MemoryTokenStore, headers: dict[str, str]) -> None:
    assert await enter(store, headers) is ALICE


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer   "},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Basic x", "x-api-key": TOKEN},
        {"x-api-key": ""},
        {"cookie": f"token={TOKEN}"},
        {"authorization": "Bearer sk-proj-abcdef"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": "Bearer \udcff\udcfe"},
        {"authorization": "Bearer gf_" + "é" * 38},
        {"authorization": "Bearer gf_" + "٣" * 38},
    ],
)
async def test_everything_else_is_refused_without_a_look_up(store: MemoryTokenStore, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidApiKey):
        await enter(store, headers)
    assert store.lookups == 0


async def test_a_well_formed_token_that_nobody_has_is_refused(store: MemoryTokenStore) -> None:
    with pytest.raises(InvalidApiKey, match="unknown or was revoked"):
        await enter(store, {"x-api-key": new_token()})
    assert store.lookups == 1


async def test_a_store_that_is_down_is_not_an_unknown_token(store: MemoryTokenStore) -> None:
    store.is_down = True
    with pytest.raises(Overloaded) as caught:
        await enter(store, {"x-api-key": TOKEN})
    assert caught.value.retry_after_s == 5


@pytest.mark.parametrize(("seconds", "opens"), [(1, True), (0, False), (-1, False)])
async def test_an_expired_token_is_refused(store: MemoryTokenStore, seconds: int, opens: bool) -> None:
    store.add(TOKEN, replace(ALICE, token_expires_at=NOW + timedelta(seconds=seconds)))
    if opens:
        await enter(store, {"x-api-key": TOKEN})
    else:
        with pytest.raises(InvalidApiKey, match="expired"):
            await enter(store, {"x-api-key": TOKEN})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"is_active": False}, "deactivated"),
        ({"blocked_until": NOW + timedelta(minutes=5)}, "blocked until 2026-11-22 12:05 UTC."),
        ({"blocked_until": datetime(9999, 1, 1, tzinfo=UTC), "block_reason": "spam"}, "is blocked. Reason: spam."),
    ],
)
async def test_a_blocked_user_is_told_until_when_and_why(
    store: MemoryTokenStore, changes: dict[str, object], message: str
) -> None:
    store.add(TOKEN, replace(ALICE, **changes))  # type: ignore[arg-type]
    with pytest.raises(UserBlocked, match=message):
        await enter(store, {"x-api-key": TOKEN})


async def test_a_block_that_is_over_is_none(store: MemoryTokenStore) -> None:
    store.add(TOKEN, replace(ALICE, blocked_until=NOW))
    assert (await enter(store, {"x-api-key": TOKEN})).user_id == ALICE.user_id


def test_the_first_credential_decides() -> None:
    assert credential({"authorization": "Bearer a", "x-api-key": "b"}) == "a"
    assert credential({"x-api-key": "b", "x-goog-api-key": "c"}) == "b"
