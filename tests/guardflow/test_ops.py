"""What operators' tools are told, over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.health import Health, Phase
from gateway.metrics import Metrics, MetricsFiles
from guardflow.ops import add_health, add_metrics, json_errors, sign

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def client(health: Health, metrics: Metrics, tmp_path: Path) -> AsyncIterator[Client]:
    def update() -> None:
        metrics.gauges["in_flight"] += 1

    app = web.Application(middlewares=[json_errors])
    app.on_response_prepare.append(sign)
    add_health(app, health)
    add_metrics(app, MetricsFiles(tmp_path, 0, metrics), update)
    async with TestClient(TestServer(app)) as running:
        yield running


async def test_the_process_is_alive_in_every_phase(client: Client, health: Health) -> None:
    for health.phase in Phase:
        response = await client.get("/health")
        assert (response.status, await response.json()) == (200, {"status": "ok"})


async def test_only_who_serves_is_ready(client: Client, health: Health) -> None:
    seen = {}
    for health.phase in Phase:
        response = await client.get("/ready")
        seen[await response.text()] = response.status
    assert seen == {"gateway: starting\n": 503, "gateway: serving\n": 200, "gateway: draining\n": 503}


async def test_a_part_that_is_away_is_named_and_leaves_it_ready(client: Client, health: Health) -> None:
    health.phase = Phase.SERVING
    health.parts = {"postgres": lambda: True, "redis": lambda: False}
    response = await client.get("/ready")
    assert (response.status, await response.text()) == (200, "gateway: serving\npostgres: ok\nredis: degraded\n")


async def test_metrics_are_brought_up_to_date_for_whoever_reads_them(client: Client, metrics: Metrics) -> None:
    metrics.upstream_error("openai", "upstream_timeout")
    await client.get("/metrics")
    response = await client.get("/metrics")
    lines = (await response.text()).splitlines()
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert "guardflow_in_flight 2.0" in lines
    found = [line for line in lines if line.startswith("guardflow_upstream_errors_total{")]
    assert len(found) == 1
    assert 'provider="openai"' in found[0]


async def test_a_path_that_nothing_stands_behind_is_refused_in_the_apis_shape(client: Client) -> None:
    response = await client.get("/nope")
    answer = await response.json()
    assert response.status == 404
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert answer["error"]["code"] == "not_found"
    assert answer["error"]["message"] == "There is nothing at GET /nope."
    assert response.headers["x-request-id"].startswith("req_")


async def test_a_wrong_method_is_told_the_right_ones(client: Client) -> None:
    response = await client.post("/health")
    answer = await response.json()
    assert response.status == 405
    assert response.headers["allow"] == "GET, HEAD"
    assert answer["error"]["code"] == "method_not_allowed"
    assert answer["error"]["message"] == "POST is not possible at /health; GET, HEAD is."


async def test_no_answer_tells_what_it_is_made_of(client: Client) -> None:
    for path in ("/health", "/ready", "/metrics", "/nope"):
        assert (await client.get(path)).headers.getall("server") == ["guardflow"]
