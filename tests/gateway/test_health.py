"""Alive is not ready, and degraded is ready."""

import pytest

from gateway.health import Health, Phase


@pytest.mark.parametrize(("phase", "status"), [(Phase.STARTING, 503), (Phase.SERVING, 200), (Phase.DRAINING, 503)])
def test_it_is_ready_while_it_serves(phase: Phase, status: int) -> None:
    assert Health(phase).ready() == (status, f"gateway: {phase.value}\n")


def test_it_starts_unready() -> None:
    assert Health().ready()[0] == 503


def test_a_part_that_is_away_is_named_as_long_as_it_is() -> None:
    works = {"postgres": True, "redis": False}
    health = Health(Phase.SERVING, {name: lambda name=name: works[name] for name in works})  # type: ignore[misc]
    assert health.ready() == (200, "gateway: serving\npostgres: ok\nredis: degraded\n")
    works["redis"] = True
    assert health.ready() == (200, "gateway: serving\npostgres: ok\nredis: ok\n")
