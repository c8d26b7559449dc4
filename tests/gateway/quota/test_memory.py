"""What the store in process must do beyond the contract: stay small."""

from gateway.quota.base import RECORD_S
from gateway.quota.memory import IDLE_S, MemoryQuotaStore
from tests.contracts.quota_worlds import NOON, Books, ask, scope


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


async def test_accounts_nobody_uses_are_dropped_unless_something_is_open() -> None:
    clock = Clock()
    store = MemoryQuotaStore(Books(), clock)
    for user_id in range(1, 51):
        wanted = ask(scope(user_id, rpm=5))
        await store.reserve(wanted)
        store.settle(wanted, 1, 0)
    open_call = ask(scope(99, concurrent=1))
    await store.reserve(open_call)
    clock.now += IDLE_S + 1
    for _ in range(60):
        await store.usage(scope(100, rpm=5))
    assert set(store._accounts) == {"u99", "u100"}


async def test_settled_calls_are_remembered_for_a_while_only() -> None:
    clock = Clock()
    store = MemoryQuotaStore(Books(), clock)
    for _ in range(100):
        wanted = ask(scope(rpm=1000))
        await store.reserve(wanted)
        store.settle(wanted, 1, 0)
    assert len(store._settled) == 100
    clock.now += RECORD_S
    store.settle(ask(scope(rpm=1000)), 1, 0)
    assert len(store._settled) == 1
    assert not store.granted
