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
from typing import Any, TypeAlias

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from gateway.logsink.base import LogRow

MAX_MODELS = 200
MAX_CODES = 100
MAX_TALLIES = 1000
"""So many kinds of requests wait to be folded at most, whatever clients and upstreams make up in the meantime."""
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


_REQUEST_BOUNDS = HISTOGRAMS["request_seconds"][1]
_FIRST_BYTE_BOUNDS = HISTOGRAMS["first_byte_seconds"][1]
_OVERHEAD_BOUNDS = HISTOGRAMS["overhead_seconds"][1]

_Kind: TypeAlias = tuple[str, str | None, str | None, int, str | None, str | None]
"""What requests that are counted together share: endpoint, model, provider, status, error code, action."""


class _Tally:
    """What requests of one kind came to since they were last folded into the counters."""

    __slots__ = ("attempts", "completion_tokens", "cost_micros", "prompt_tokens", "requests", "unpriced")

    def __init__(self) -> None:
        self.requests = self.attempts = self.prompt_tokens = self.completion_tokens = 0
        self.cost_micros = self.unpriced = 0


class Metrics:
    """One worker's numbers. Keys are a series' label values joined by a separator."""

    def __init__(self) -> None:
        # Per histogram: one count a bucket, the overflow, and the sum.
        self.histograms = {name: [0.0] * (len(buckets) + 2) for name, (_, buckets) in HISTOGRAMS.items()}
        self.gauges: dict[str, float] = dict.fromkeys(GAUGES, 0.0)
        self._counters: dict[str, dict[str, float]] = {name: {} for name in COUNTERS}
        self._tallies: dict[_Kind, _Tally] = {}
        self._models: set[str] = set()
        self._codes: set[str] = set()

    def observe(self, row: LogRow) -> None:
        """Count one finished request by its log row."""
        provider = row["provider"]
        model = None if provider is None else row["model"]  # a name that nobody served is anybody's invention
        kind = (row["endpoint"], model, provider, row["status"], row["error_code"], row["action"])
        tally = self._tallies.get(kind) or self._new_tally(kind)
        tally.requests += 1
        tally.attempts += row["attempts"]
        tally.prompt_tokens += row["prompt_tokens"]
        tally.completion_tokens += row["completion_tokens"]
        if (cost := row["cost_micros"]) is not None:
            tally.cost_micros += cost
        elif row["prompt_tokens"] or row["completion_tokens"]:
            tally.unpriced += 1

        histograms, total_s, overhead_s = self.histograms, row["total_ms"] / 1000, row["overhead_ms"] / 1000
        counts = histograms["request_seconds"]
        counts[bisect_left(_REQUEST_BOUNDS, total_s)] += 1
        counts[-1] += total_s
        counts = histograms["overhead_seconds"]
        counts[bisect_left(_OVERHEAD_BOUNDS, overhead_s)] += 1
        counts[-1] += overhead_s
        if row["ttfb_ms"] is not None:
            first_byte_s = row["ttfb_ms"] / 1000
            counts = histograms["first_byte_seconds"]
            counts[bisect_left(_FIRST_BYTE_BOUNDS, first_byte_s)] += 1
            counts[-1] += first_byte_s

    @property
    def counters(self) -> dict[str, dict[str, float]]:
        """By name and series, up to the last request observed."""
        self._fold_tallies()
        return self._counters

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

    def _new_tally(self, kind: _Kind) -> _Tally:
        if len(self._tallies) >= MAX_TALLIES:
            self._fold_tallies()
        tally = self._tallies[kind] = _Tally()
        return tally

    def _fold_tallies(self) -> None:
        tallies, self._tallies = self._tallies, {}
        for kind, tally in tallies.items():
            self._fold(kind, tally)

    def _fold(self, kind: _Kind, tally: _Tally) -> None:
        endpoint, name, provider, status, code, action = kind
        model = "none" if name is None else _bounded(name, self._models, MAX_MODELS)
        self._add("requests", tally.requests, endpoint, model, str(status))
        if code is not None:
            self._add("refusals", tally.requests, _bounded(code, self._codes, MAX_CODES))
        if action is not None:
            self._add("actions", tally.requests, action)
        if provider is not None:
            self._add("attempts", tally.attempts, provider)
            self._add("tokens", tally.prompt_tokens, model, "prompt")
            self._add("tokens", tally.completion_tokens, model, "completion")
            if tally.cost_micros:
                self._add("cost_micros", tally.cost_micros, model)
            if tally.unpriced:
                self._add("unpriced", tally.unpriced, model)

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
            into.histograms[name] = [a + b for a, b in zip(into.histograms[name], counts, strict=True)]
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
