"""One row for every request: how far it got, what it cost, what the client was told."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from classifiers.base import Intent, Judgement, Misuse
from gateway.errors import ClientGone, InvalidApiKey, Refusal, UpstreamError
from gateway.exchange import Action, Endpoint, Exchange, Meter, Target, Usage, Verdict
from gateway.logsink.base import COLUMNS
from gateway.logsink.memory import MemoryLogSink
from gateway.metrics import Metrics
from gateway.phases.record import make_row, record
from tests.gateway.scripted import ALICE, make_call, make_inbound, priced

VERDICT = Verdict(Judgement(Intent("coding", 0.87654), Misuse(0.123456, "benign")), 0.333333, Action.FLAG, "r", True)


def row_of(ex: Exchange, committed: bool = False) -> dict[str, Any]:
    row = make_row(ex, committed, ex.inbound.started + 2.0)
    assert tuple(row) == COLUMNS
    assert orjson.loads(orjson.dumps(row)) == {**row, "at": ex.inbound.at.isoformat()}
    return row


def test_a_request_refused_at_the_door_has_a_row_of_nothing() -> None:
    ex = Exchange(make_inbound(), refusal=InvalidApiKey("no"))
    row = row_of(ex)
    assert row["id"] == ex.inbound.id
    assert row["request_id"] == "req_" + ex.inbound.id
    told = {name: value for name, value in row.items() if value not in (None, 0, False, [])}
    assert set(told) == {"id", "at", "request_id", "endpoint", "status", "error_code", "total_ms", "overhead_ms"}
    assert (row["status"], row["error_code"], row["total_ms"]) == (401, "invalid_api_key", 2000)


def test_an_answered_call_has_a_row_of_everything() -> None:
    inbound, target = make_inbound(), Target("a", "gpt", priced(2, 10))
    meter = Meter(
        Usage(100, 20, 7, 3), answered=True, complete=True, first_byte_at=inbound.started + 0.5, upstream_s=1.9,
        attempts=2, flags={"b", "a"}, cost_micros=400, target=target,
    )  # fmt: skip
    call = make_call(stream=True)._replace(task_id=7)
    row = row_of(Exchange(inbound, replace(ALICE, team_id=5), call, VERDICT, meter=meter))
    expected = {
        "user_id": 1, "token_id": 11, "task_id": 7, "team_id": 5, "endpoint": "chat/completions", "model": "m",
        "upstream_model": "gpt", "provider": "a", "status": 200, "error_code": None, "stream": True,
        "intent": "coding", "intent_confidence": 0.8765, "deviation_score": 0.3333, "misuse_score": 0.1235,
        "misuse_label": "benign", "action": "flag", "prompt_tokens": 100,
        "completion_tokens": 20, "total_tokens": 120, "cached_tokens": 7, "reasoning_tokens": 3, "cost_micros": 400,
        "ttfb_ms": 500, "total_ms": 2000, "overhead_ms": 100, "attempts": 2,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-4)
    assert row["flags"] == ["a", "b"]


@pytest.mark.parametrize(
    ("refusal", "committed", "status"),
    [
        (None, True, 200), (None, False, 200), (UpstreamError("x"), False, 502), (UpstreamError("x"), True, 200),
        (ClientGone("x"), True, 499), (ClientGone("x"), False, 499),
    ],
)  # fmt: skip
def test_the_status_is_what_the_client_got(refusal: Refusal | None, committed: bool, status: int) -> None:
    row = row_of(Exchange(make_inbound(), refusal=refusal), committed)
    assert (row["status"], row["error_code"]) == (status, refusal.code if refusal else None)


def test_an_unknown_price_is_no_price() -> None:
    meter = Meter(Usage(1, 1), target=Target("a", "m"))
    assert row_of(Exchange(make_inbound(), meter=meter))["cost_micros"] is None


def test_the_model_that_was_looked_up_is_named() -> None:
    inbound = make_inbound(Endpoint.MODELS)._replace(model_id="gpt")
    assert row_of(Exchange(inbound))["model"] == "gpt"


def test_the_row_goes_to_the_log_and_the_metrics() -> None:
    log, metrics = MemoryLogSink(), Metrics()
    record(Exchange(make_inbound(), refusal=InvalidApiKey("no")), False, log, metrics)
    assert [row["status"] for row in log.rows] == [401]
    assert sum(metrics.counters["requests"].values()) == 1
