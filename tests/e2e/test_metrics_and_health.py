"""What operators' tools see: numbers that add up over workers, and a readiness that tells the truth."""

import time
from collections import Counter
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import PLENTY, MakeGateway
from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.plain_http import call
from tests.e2e.staff import Staff

CALLS, REFUSED = 40, 7


def samples(gateway: GatewayProcess) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The exposition, by name and labels; it must parse."""
    reply = call(gateway.base_url, "GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(reply.body.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def total(found: dict[Any, float], name: str, **labels: str) -> float:
    return sum(
        value for (sample, said), value in found.items() if sample == name and labels.items() <= dict(said).items()
    )


def _settled(process: GatewayProcess) -> list[dict[Any, float]]:
    """Several expositions, once every worker knows of the others' numbers."""
    for _ in range(100):
        asked = [samples(process) for _ in range(8)]
        if all(total(found, "guardflow_requests_total", status="200") == CALLS for found in asked):
            return asked
        time.sleep(0.05)
    raise AssertionError("the workers' numbers do not add up to what was asked")


def test_the_numbers_are_those_of_all_workers_whichever_is_asked(gateway: MakeGateway) -> None:
    process = gateway({"providers": {"echo": {"type": "echo"}}, "limits": PLENTY}, workers=2)
    token = Staff(process.base_url).caller().token
    body = {"model": "echo", "messages": [{"role": "user", "content": "Hello."}]}
    statuses = Counter(
        call(process.base_url, "POST", "/v1/chat/completions", token=token, json=body).status for _ in range(CALLS)
    )
    statuses.update(call(process.base_url, "POST", "/v1/chat/completions", json=body).status for _ in range(REFUSED))
    assert statuses == {200: CALLS, 401: REFUSED}
    asked = _settled(process)
    for found in asked:
        assert total(found, "guardflow_requests_total", status="200") == CALLS
        assert total(found, "guardflow_requests_total", status="401") == REFUSED
        assert total(found, "guardflow_refusals_total", code="invalid_api_key") == REFUSED
        assert total(found, "guardflow_request_seconds_count") == CALLS + REFUSED
        assert total(found, "guardflow_log_rows_accepted") == CALLS + REFUSED
        assert total(found, "guardflow_log_rows_dropped") == 0
        assert total(found, "guardflow_tokens_total") > 0


def test_the_door_says_that_it_is_alive_and_ready_part_by_part(shared: GatewayProcess) -> None:
    alive = call(shared.base_url, "GET", "/health")
    assert (alive.status, alive.json()) == (200, {"status": "ok"})
    ready = call(shared.base_url, "GET", "/ready")
    assert ready.status == 200
    lines = dict(line.split(": ") for line in ready.body.decode().splitlines())
    assert lines == {"gateway": "serving", "postgres": "ok", "redis": "ok", "push": "ok"}


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/api/v1/docs"])
def test_the_documentation_is_served_from_here(shared: GatewayProcess, path: str) -> None:
    reply = call(shared.base_url, "GET", path)
    assert reply.status == 200
    if path != "/openapi.json":
        assert b"https://cdn" not in reply.body
