"""Plain numbers on the hot path, Prometheus at scrape time.

A request adds to the tally of its kind, found by one look-up; tallies become counters when somebody looks. A worker
writes a snapshot to a file each second; any worker that is scraped sums the snapshots of all. A restarted worker goes
on from its predecessor's snapshot, so counters never fall. Labels are bounded: model names past the first MAX_MODELS
count as `other`, and so do error codes (an upstream may send its own) past MAX_CODES; everything else comes from our
own code or configuration.
"""

import contextlib
import math
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from gateway.logsink.base import LogRow

MAX_MODELS = 200
MAX_CODES = 100
MAX_WAITING = 256
"""So many rows wait to be counted at most."""
GONE_AFTER_S = 15.0
"""A worker that has not saved for so long is no more: what it counted stays, what it held does not."""
_SEP = "\x1f"

COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "requests": ("Requests answered", ("endpoint", "model", "status")),
    "tokens": ("Tokens charged", ("model", "kind")),
    "cost_micros": ("Micro-dollars charged", ("model",)),
    "unpriced": ("Requests that used tokens at an unknown price", ("model",)),
    "budget_alerts": ("Budgets that were reached", ("owner", "level")),
    "refusals": ("Requests refused, by reason", ("code",)),
    "actions": ("Verdicts of the policy", ("action",)),
    "cache": ("Calls that may be answered from the cache, by what became of that", ("outcome",)),
    "upstream_errors": ("Failed attempts at a provider", ("provider", "code")),
    "attempts": ("Attempts at providers", ("provider",)),
}
HISTOGRAMS: dict[str, tuple[str, tuple[float, ...]]] = {
    "request_seconds": ("Whole time of a request", (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)),
    "first_byte_seconds": ("Time to the upstream's first byte", (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)),
    "overhead_seconds": (
        "The gateway's own share of a request",
        (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5),
    ),
}
GAUGES: dict[str, str] = {
    "in_flight": "Requests under way",
    "spool_rows": "Log rows accepted and not yet in Postgres",
    "log_rows_accepted": "Log rows accepted since the worker's start",
    "log_rows_written": "Log rows written since the worker's start",
    "log_rows_dropped": "Log rows lost because the spool was full",
    "pending_settles": "Charges waiting for Redis",
    "upstream_connections": "Open connections to providers",
    "degraded_redis": "1 while quotas run without Redis",
    "degraded_postgres": "1 while Postgres is away",
    "degraded_push": "1 while changes of tokens and users are polled, not pushed",
    "ejected_targets": "Targets held back by their breaker",
}


class Metrics:
    """One worker's numbers. Keys are a series' label values joined by a separator."""

    def __init__(self) -> None:
        # Per histogram: one count a bucket, the overflow, and the sum.
        self._histograms = {name: [0.0] * (len(buckets) + 2) for name, (_, buckets) in HISTOGRAMS.items()}
        self._counters: dict[str, dict[str, float]] = {name: {} for name in COUNTERS}
        self.gauges: dict[str, float] = dict.fromkeys(GAUGES, 0.0)
        self._waiting: list[LogRow] = []
        self._models: set[str] = set()
        self._codes: set[str] = set()

    def observe(self, row: LogRow) -> None:
        """Count one finished request by its log row. That is done for many at once: on the request's own way the same
        work would cost several times as much, in caches gone cold."""
        self._waiting.append(row)
        if len(self._waiting) >= MAX_WAITING:
            self._count()

    @property
    def counters(self) -> dict[str, dict[str, float]]:
        """By name and series, up to the last request observed."""
        self._count()
        return self._counters

    @property
    def histograms(self) -> dict[str, list[float]]:
        self._count()
        return self._histograms

    def recall(self) -> None:
        """Labels that came out of a snapshot are known ones."""
        self._models |= {key.split(_SEP)[1] for key in self.counters["requests"]}
        self._codes |= set(self.counters["refusals"])

    def upstream_error(self, provider: str, code: str) -> None:
        self._add("upstream_errors", 1, provider, code)

    def cache(self, outcome: str) -> None:
        self._add("cache", 1, outcome)

    def budget_alert(self, owner: str, level: str) -> None:
        self._add("budget_alerts", 1, owner, level)

    def _count(self) -> None:
        rows, self._waiting = self._waiting, []
        for row in rows:
            self._count_one(row)

    def _count_one(self, row: LogRow) -> None:
        provider = row["provider"]
        # A name that nobody served is anybody's invention.
        model = "none" if provider is None else _bounded(row["model"], self._models, MAX_MODELS)
        self._add("requests", 1, row["endpoint"], model, str(row["status"]))
        if row["error_code"] is not None:
            self._add("refusals", 1, _bounded(row["error_code"], self._codes, MAX_CODES))
        if row["action"] is not None:
            self._add("actions", 1, row["action"])
        if provider is not None:
            self._add("attempts", row["attempts"], provider)
            self._add("tokens", row["prompt_tokens"], model, "prompt")
            self._add("tokens", row["completion_tokens"], model, "completion")
            if row["cost_micros"]:
                self._add("cost_micros", row["cost_micros"], model)
            elif row["cost_micros"] is None and (row["prompt_tokens"] or row["completion_tokens"]):
                self._add("unpriced", 1, model)
        self._time("request_seconds", row["total_ms"])
        self._time("overhead_seconds", row["overhead_ms"])
        self._time("first_byte_seconds", row["ttfb_ms"])

    def _time(self, name: str, milliseconds: float | None) -> None:
        if milliseconds is not None:
            counts, seconds = self._histograms[name], milliseconds / 1000
            counts[bisect_left(HISTOGRAMS[name][1], seconds)] += 1
            counts[-1] += seconds

    def _add(self, name: str, amount: float, *labels: str) -> None:
        series = self._counters[name]
        key = _SEP.join(labels)
        series[key] = series.get(key, 0.0) + amount


def _bounded(label: str, known: set[str], most: int) -> str:
    if label not in known:
        if len(known) >= most:
            return "other"
        known.add(label)
    return label


class MetricsFiles:
    """The workers' snapshots in one folder, `<index>.json` each."""

    def __init__(self, folder: Path, index: int, metrics: Metrics) -> None:
        self._folder = folder
        self._own = folder / f"{index}.json"
        self._metrics = metrics
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def resume(self) -> None:
        """Go on from where the worker of this index stopped. Gauges start afresh."""
        for snapshot, _ in self._read([self._own]):
            _merge(self._metrics, snapshot, gauges=False)
        self._metrics.recall()

    def save(self) -> None:
        m = self._metrics
        whole = {"counters": m.counters, "histograms": m.histograms, "gauges": m.gauges}
        fresh = self._own.with_suffix(".tmp")
        fresh.write_bytes(orjson.dumps(whole))
        fresh.replace(self._own)

    def exposition(self) -> bytes:
        """The sum over all workers, in Prometheus' text format."""
        total = Metrics()
        _merge(total, {"counters": self._metrics.counters, "histograms": self._metrics.histograms}, gauges=False)
        _merge(total, {"gauges": self._metrics.gauges}, gauges=True)
        others = [path for path in self._folder.glob("*.json") if path != self._own]
        for snapshot, saved_at in self._read(others):
            _merge(total, snapshot, gauges=time.time() - saved_at < GONE_AFTER_S)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Exposed(total))
        return generate_latest(registry)

    @staticmethod
    def _read(paths: Iterable[Path]) -> Iterator[tuple[dict[str, Any], float]]:
        """Each snapshot and when it was saved."""
        for path in paths:
            with contextlib.suppress(OSError, orjson.JSONDecodeError):  # another worker may be starting or leaving
                snapshot = orjson.loads(path.read_bytes())
                if isinstance(snapshot, dict):
                    yield snapshot, path.stat().st_mtime


def _merge(into: Metrics, snapshot: dict[str, Any], *, gauges: bool) -> None:
    counters = into.counters
    for name, series in snapshot.get("counters", {}).items():
        mine = counters.get(name, {})
        for key, value in series.items():
            mine[key] = mine.get(key, 0.0) + value
    for name, counts in snapshot.get("histograms", {}).items():
        if len(into.histograms.get(name, ())) == len(counts):
            into.histograms[name][:] = [a + b for a, b in zip(into.histograms[name], counts, strict=True)]
    for name, value in snapshot.get("gauges", {}).items() if gauges else ():
        into.gauges[name] = into.gauges.get(name, 0.0) + value


class _Exposed(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        counters = self._metrics.counters
        for name, (text, labels) in COUNTERS.items():
            counter = CounterMetricFamily(f"guardflow_{name}", text, labels=labels)
            for key, value in counters[name].items():
                counter.add_metric(key.split(_SEP), value)
            yield counter
        for name, text in GAUGES.items():
            yield GaugeMetricFamily(f"guardflow_{name}", text, value=self._metrics.gauges.get(name, 0.0))
        for name, (text, bounds) in HISTOGRAMS.items():
            counts = self._metrics.histograms[name]
            cumulative, buckets = 0.0, []
            for bound, count in zip((*bounds, math.inf), counts[:-1], strict=True):
                cumulative += count
                buckets.append(("+Inf" if bound == math.inf else repr(float(bound)), cumulative))
            yield HistogramMetricFamily(f"guardflow_{name}", text, buckets=buckets, sum_value=counts[-1])
