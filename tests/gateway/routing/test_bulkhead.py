"""So many at once, and no more."""

from gateway.routing.bulkhead import Bulkhead


def test_it_is_full_until_somebody_leaves() -> None:
    bulkhead = Bulkhead(2)
    bulkhead.enter()
    assert not bulkhead.is_full
    bulkhead.enter()
    assert bulkhead.is_full
    bulkhead.leave()
    assert not bulkhead.is_full


def test_without_a_limit_it_is_never_full() -> None:
    bulkhead = Bulkhead()
    for _ in range(1_000):
        bulkhead.enter()
    assert not bulkhead.is_full
    assert Bulkhead(0).is_full
