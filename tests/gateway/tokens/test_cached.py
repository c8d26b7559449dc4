import asyncio
from dataclasses import replace

import pytest

from gateway.exchange import Principal
from gateway.tokens.base import TokensUnavailable, digest, new_token
from gateway.tokens.cached import CachedTokenStore
from gateway.tokens.memory import MemoryTokenStore

ANN = Principal(user_id=1, token_id=10, email="ann@example.com", name="Ann", role="user")
TOKEN = new_token()
KEY = digest(TOKEN)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class GatedTokenStore(MemoryTokenStore):
    """A database that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def find(self, token_hash: bytes) -> Principal | None:
        answer = await super().find(token_hash)
        await self.gate.wait()
        return answer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inner() -> MemoryTokenStore:
    store = MemoryTokenStore()
    store.add(TOKEN, ANN)
    return store


@pytest.fixture
def cache(inner: MemoryTokenStore, clock: Clock) -> CachedTokenStore:
    store = CachedTokenStore(inner, clock=clock)
    store.set_pushed(True)
    clock.now += 1
    return store


async def test_a_known_token_costs_no_look_up(cache: CachedTokenStore, inner: MemoryTokenStore) -> None:
    assert cache.peek(KEY) is None
    assert await cache.find(KEY) is ANN
    assert cache.peek(KEY) is ANN
    assert await cache.find(KEY) is ANN
    assert inner.lookups == 1


async def test_an_entry_ends_with_its_ttl(cache: CachedTokenStore, inner: MemoryTokenStore, clock: Clock) -> None:
    await cache.find(KEY)
    clock.now += 29.9
    assert cache.peek(KEY) is ANN
    inner.revoke(TOKEN)
    clock.now += 0.2
    assert cache.peek(KEY) is None
    assert await cache.find(KEY) is None


async def test_without_the_push_an_entry_is_believed_for_a_second(
    cache: CachedTokenStore, inner: MemoryTokenStore, clock: Clock
) -> None:
    await cache.find(KEY)
    cache.set_pushed(False)
    clock.now += 0.9
    assert cache.peek(KEY) is ANN
    clock.now += 0.2
    assert cache.peek(KEY) is None


async def test_a_new_cache_does_not_trust_a_push_it_has_not_got(inner: MemoryTokenStore, clock: Clock) -> None:
    cache = CachedTokenStore(inner, clock=clock)
    await cache.find(KEY)
    clock.now += 1.1
    assert cache.peek(KEY) is None


async def test_a_push_that_comes_back_makes_every_entry_be_asked_again(
    cache: CachedTokenStore, inner: MemoryTokenStore, clock: Clock
) -> None:
    await cache.find(KEY)
    cache.set_pushed(False)
    inner.revoke(TOKEN)
    cache.set_pushed(True)
    assert cache.peek(KEY) is None
    assert await cache.find(KEY) is None


async def test_one_users_change_leaves_the_others_alone(
    cache: CachedTokenStore, inner: MemoryTokenStore, clock: Clock
) -> None:
    other, second = new_token(), new_token()
    inner.add(other, replace(ANN, user_id=2, token_id=20))
    inner.add(second, replace(ANN, token_id=11))
    for token in (TOKEN, second, other):
        await cache.find(digest(token))
    cache.invalidate(1)
    assert cache.peek(KEY) is None
    assert cache.peek(digest(second)) is None
    assert cache.peek(digest(other)) is not None
    cache.invalidate()
    assert cache.peek(digest(other)) is None


async def test_callers_at_one_time_share_one_look_up(clock: Clock) -> None:
    inner = GatedTokenStore()
    inner.add(TOKEN, ANN)
    cache = CachedTokenStore(inner, clock=clock)
    callers = [asyncio.create_task(cache.find(KEY)) for _ in range(100)]
    await asyncio.sleep(0)
    callers[0].cancel()
    inner.gate.set()
    found = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [ANN] * 99
    assert inner.lookups == 1


async def test_an_unknown_token_is_asked_for_once_in_a_while(
    cache: CachedTokenStore, inner: MemoryTokenStore, clock: Clock
) -> None:
    key = digest(new_token())
    for _ in range(10):
        assert await cache.find(key) is None
    assert inner.lookups == 1
    clock.now += 5.1
    await cache.find(key)
    assert inner.lookups == 2


async def test_memory_is_bounded_for_known_and_unknown_tokens(inner: MemoryTokenStore, clock: Clock) -> None:
    cache = CachedTokenStore(inner, clock=clock, max_entries=20)
    token = ""
    for n in range(100):
        token = new_token()
        inner.add(token, replace(ANN, user_id=n))
        await cache.find(digest(token))
        await cache.find(digest(new_token()))
    assert len(cache) == len(cache._tokens_of) == 20
    assert len(cache._unknown) == 5
    assert cache.peek(digest(token)) is not None, "the newest stays"


async def test_a_look_up_that_began_before_a_change_is_not_kept(clock: Clock) -> None:
    inner = GatedTokenStore()
    inner.add(TOKEN, ANN)
    cache = CachedTokenStore(inner, clock=clock)
    before = asyncio.create_task(cache.find(KEY))
    await asyncio.sleep(0.01)
    inner.revoke(TOKEN)
    cache.invalidate(1)
    after = asyncio.create_task(cache.find(KEY))
    await asyncio.sleep(0.01)
    inner.gate.set()
    assert await before is ANN
    assert await after is None
    assert cache.peek(KEY) is None


async def test_while_the_database_is_away_a_known_token_works_for_five_minutes(
    cache: CachedTokenStore, inner: MemoryTokenStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await cache.find(KEY)
    inner.is_down = True
    for _ in range(29):
        clock.now += 10
        assert await cache.find(KEY) is ANN
        await asyncio.sleep(0)
    assert cache.is_down
    clock.now += 11
    with pytest.raises(TokensUnavailable):
        await cache.find(KEY)
    inner.is_down = False
    clock.now += 2
    assert await cache.find(KEY) is ANN
    assert not cache.is_down
    assert caplog.messages == ["tokens cannot be looked up: switched off", "tokens are looked up again"]


async def test_while_the_database_is_away_an_unknown_token_is_not_called_unknown(
    cache: CachedTokenStore, inner: MemoryTokenStore, clock: Clock
) -> None:
    inner.is_down = True
    for _ in range(2):
        with pytest.raises(TokensUnavailable):
            await cache.find(digest(new_token()))
    assert inner.lookups == 1, "the second is refused without asking"
    inner.is_down = False
    clock.now += 1.1
    assert await cache.find(KEY) is ANN


async def test_what_is_known_to_have_changed_is_not_believed_while_the_database_is_away(
    cache: CachedTokenStore, inner: MemoryTokenStore, clock: Clock
) -> None:
    await cache.find(KEY)
    inner.is_down = True
    cache.invalidate(1)
    with pytest.raises(TokensUnavailable):
        await cache.find(KEY)


async def test_a_push_connection_lost_with_the_database_keeps_known_tokens_working(
    cache: CachedTokenStore, inner: MemoryTokenStore, clock: Clock
) -> None:
    await cache.find(KEY)
    inner.is_down = True
    cache.set_pushed(False)
    cache.set_pushed(True)
    assert await cache.find(KEY) is ANN


async def test_a_database_that_hangs_delays_one_caller_a_tenth_of_a_second(clock: Clock) -> None:
    inner = GatedTokenStore()
    inner.add(TOKEN, ANN)
    inner.gate.set()
    cache = CachedTokenStore(inner, clock=clock)
    await cache.find(KEY)
    inner.gate.clear()
    clock.now += 60
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert await cache.find(KEY) is ANN
    assert 0.05 < loop.time() - started < 1
    started = loop.time()
    for _ in range(100):
        assert await cache.find(KEY) is ANN
    assert loop.time() - started < 0.05
    assert inner.lookups == 2
    inner.gate.set()
    await asyncio.sleep(0.01)
    assert not cache.is_down
