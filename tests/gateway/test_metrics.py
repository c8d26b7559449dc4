"""Every number that is exposed is true over all workers and their restarts, and the labels are bounded."""

import os
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.logsink.base import COLUMNS
from gateway.metrics import GAUGES, GONE_AFTER_S, HISTOGRAMS, MAX_CODES, MAX_MODELS, MAX_WAITING, Metrics, MetricsFiles

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def row(**changes: Any) -> dict[str, Any]:
    usual = {
        "endpoint": "chat/completions", "model": "m", "provider": "a", "status": 200, "error_code": None,
        "action": "allow", "attempts": 1, "prompt_tokens": 10, "completion_tokens": 5, "cost_micros": 70,
        "total_ms": 30.0, "overhead_ms": 0.3, "ttfb_ms": 20.0,
    }  # fmt: skip
    assert set(usual) <= set(COLUMNS)
    return {**usual, **changes}


def samples(files: MetricsFiles) -> Samples:
    families = text_string_to_metric_families(files.exposition().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found["guardflow_" + name, tuple(sorted(labels.items()))]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def files(tmp_path: Path, metrics: Metrics) -> MetricsFiles:
    return MetricsFiles(tmp_path / "metrics", 0, metrics)


def test_budgets_that_were_reached_are_counted_by_owner_and_level(files: MetricsFiles, metrics: Metrics) -> None:
    for alert in (("team", "soft"), ("team", "soft"), ("user", "hard")):
        metrics.budget_alert(*alert)
    found = samples(files)
    assert value(found, "budget_alerts_total", owner="team", level="soft") == 2
    assert value(found, "budget_alerts_total", owner="user", level="hard") == 1


def test_a_request_is_counted_by_what_its_row_says(files: MetricsFiles, metrics: Metrics) -> None:
    metrics.observe(row())
    metrics.observe(row(status=502, error_code="upstream_error", attempts=3, completion_tokens=0, cost_micros=None))
    found = samples(files)
    assert value(found, "requests_total", endpoint="chat/completions", model="m", status="200") == 1
    assert value(found, "requests_total", endpoint="chat/completions", model="m", status="502") == 1
    assert value(found, "tokens_total", model="m", kind="prompt") == 20
    assert value(found, "tokens_total", model="m", kind="completion") == 5
    assert value(found, "cost_micros_total", model="m") == 70
    assert value(found, "unpriced_total", model="m") == 1
    assert value(found, "refusals_total", code="upstream_error") == 1
    assert value(found, "actions_total", action="allow") == 2
    assert value(found, "attempts_total", provider="a") == 4


def test_a_request_that_reached_nobody_names_no_model(files: MetricsFiles, metrics: Metrics) -> None:
    for i in range(1000):  # a made-up name each
        metrics.observe(
            row(model=f"x{i}", provider=None, status=404, error_code="model_not_found", action=None, ttfb_ms=None)
        )
    found = samples(files)
    assert value(found, "requests_total", endpoint="chat/completions", model="none", status="404") == 1000
    assert not [key for key in found if key[0] == "guardflow_tokens_total"]
    assert value(found, "first_byte_seconds_count") == 0


def test_labels_are_bounded(files: MetricsFiles, metrics: Metrics) -> None:
    for i in range(MAX_MODELS + 50):
        metrics.observe(row(model=f"m{i}", error_code=f"c{i}"))
    found = samples(files)
    assert value(found, "requests_total", endpoint="chat/completions", model="other", status="200") == 50
    assert len([key for key in found if key[0] == "guardflow_requests_total"]) == MAX_MODELS + 1
    assert value(found, "refusals_total", code="other") == MAX_MODELS + 50 - MAX_CODES


def test_what_waits_to_be_counted_is_bounded_and_complete(files: MetricsFiles, metrics: Metrics) -> None:
    for i in range(MAX_WAITING + 50):
        metrics.observe(row(error_code=f"c{i}"))
        assert len(metrics._waiting) < MAX_WAITING
    assert value(samples(files), "requests_total", endpoint="chat/completions", model="m", status="200") == (
        MAX_WAITING + 50
    )
    assert sum(metrics.counters["refusals"].values()) == MAX_WAITING + 50


def test_looking_twice_counts_once(files: MetricsFiles, metrics: Metrics) -> None:
    metrics.observe(row())
    assert samples(files) == samples(files)
    metrics.observe(row())
    assert value(samples(files), "tokens_total", model="m", kind="prompt") == 20


def test_histograms_are_cumulative_and_whole(files: MetricsFiles, metrics: Metrics) -> None:
    for milliseconds in (1.0, 5.0, 5.1, 400_000.0):
        metrics.observe(row(total_ms=milliseconds))
    found = samples(files)
    assert value(found, "request_seconds_bucket", le="0.005") == 2  # a bound is part of its bucket
    assert value(found, "request_seconds_bucket", le="0.025") == 3
    assert value(found, "request_seconds_bucket", le="300.0") == 3
    assert value(found, "request_seconds_bucket", le="+Inf") == value(found, "request_seconds_count") == 4
    assert value(found, "request_seconds_sum") == pytest.approx(400.0111)


def test_everything_is_exposed_from_the_start(files: MetricsFiles) -> None:
    found = samples(files)
    assert all(value(found, name) == 0 for name in GAUGES)
    assert all(value(found, f"{name}_count") == 0 for name in HISTOGRAMS)


def test_any_worker_tells_the_sum_of_all(tmp_path: Path) -> None:
    workers = [Metrics() for _ in range(3)]
    files = [MetricsFiles(tmp_path, i, worker) for i, worker in enumerate(workers)]
    for i, worker in enumerate(workers):
        worker.gauges["in_flight"] = i + 1
        worker.upstream_error("a", "upstream_error")
        for _ in range(i + 1):
            worker.observe(row())
        files[i].save()
    workers[0].observe(row())  # not saved yet, and known to its own worker
    seen = [samples(one) for one in files]
    requests = {"endpoint": "chat/completions", "model": "m", "status": "200"}
    assert [value(found, "requests_total", **requests) for found in seen] == [7, 6, 6]
    assert [value(found, "in_flight") for found in seen] == [6, 6, 6]
    assert value(seen[1], "request_seconds_count") == 6
    assert value(seen[2], "upstream_errors_total", provider="a", code="upstream_error") == 3


def test_counters_never_fall_when_a_worker_starts_anew(tmp_path: Path, files: MetricsFiles, metrics: Metrics) -> None:
    metrics.observe(row(error_code="x"))
    metrics.gauges["in_flight"] = 5
    files.save()
    before = samples(files)
    fresh = Metrics()
    again = MetricsFiles(tmp_path / "metrics", 0, fresh)
    again.resume()
    after = samples(again)
    assert {key: v for key, v in after.items() if "in_flight" not in key[0]} == {
        key: v for key, v in before.items() if "in_flight" not in key[0]
    }
    assert value(after, "in_flight") == 0
    for i in range(MAX_MODELS + 5):
        fresh.observe(row(model=f"new{i}"))
    models = {dict(labels)["model"] for name, labels in samples(again) if name == "guardflow_requests_total"}
    assert len(models) <= MAX_MODELS + 1


def test_a_worker_that_is_no_more_holds_nothing_any_more(tmp_path: Path) -> None:
    gone, here = Metrics(), Metrics()
    MetricsFiles(tmp_path, 1, gone).resume()
    gone.observe(row())
    gone.gauges["in_flight"] = 9
    MetricsFiles(tmp_path, 1, gone).save()
    os.utime(tmp_path / "1.json", (1, 1))
    found = samples(MetricsFiles(tmp_path, 0, here))
    assert GONE_AFTER_S > 1
    assert value(found, "in_flight") == 0
    assert value(found, "request_seconds_count") == 1


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"counters":{"gone":{"a":1}},"histograms":{"x":[1]}}']
)
def test_a_snapshot_that_makes_no_sense_is_left_out(files: MetricsFiles, metrics: Metrics, content: bytes) -> None:
    metrics.observe(row())
    files.save()
    files._own.with_name("7.json").write_bytes(content)
    assert value(samples(files), "request_seconds_count") == 1
    files._own.write_bytes(content)
    MetricsFiles(files._own.parent, 0, Metrics()).resume()


def test_odd_names_stay_one_label(files: MetricsFiles, metrics: Metrics) -> None:
    metrics.observe(row(model='we"ird\\ na\nme'))
    assert [dict(labels)["model"] for name, labels in samples(files) if name == "guardflow_requests_total"] == [
        'we"ird\\ na\nme'
    ]
