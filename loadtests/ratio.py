"""`make load`: what a request costs in the gateway with everything on, against a bare proxy that does nothing.

Both run on one core, in alternating turns, against the same mock provider; the load, the provider and the gateway's
database and store have the other core. Ratios of CPU time travel to other machines; microseconds do not.
"""

import argparse
import json
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import uvloop

from loadtests.generator import Aim, Outcome, load
from loadtests.processes import ROOT, NotReady, Target, turn_of
from loadtests.prompts import bodies

RATIO_BUDGET = 0.8
ADDED_P50_BUDGET_MS = 1.0
_CONFIG = """\
providers: {mock: {type: openai, base_url: "http://127.0.0.1:%d/v1", api_key: sk-mock}}
models: {mock: {targets: [{provider: mock, model: mock}], price: {input: 0.15, output: 0.6}}}
limits: {rpm: 100000000, tpm: 1000000000000, daily_tokens: 1000000000000, monthly_tokens: 1000000000000,
         concurrent: 100000}
"""
_SERVE = ["-c", "from guardflow.cli import main; main()", "serve"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load. `each` requests per connection, or as many as go into a turn."""

    name: str
    size: int
    connections: int = 32
    each: int = -1
    marker: str = ""
    stream: bool = False
    unit: str = "request"
    units: int = 1

    def requests(self) -> Iterator[bytes]:
        count = max(64, min(2000, 4_000_000 // self.size))
        return cycle(bodies(self.size, count, marker=self.marker, stream=self.stream))


SCENARIOS = (
    Scenario("0.3 KB", 300),
    Scenario("2 KB", 2_000),
    Scenario("32 KB", 32_000),
    Scenario("stream", 300, 64, 2, "[[mock chunks=100 gap=5]]", stream=True, unit="chunk", units=100),
)
QUIET = Scenario("one connection", 300, 1)


@dataclass(slots=True)
class Row:
    """One scenario's outcome: microseconds of CPU a unit, turn by turn."""

    scenario: str
    unit: str
    proxy_us: list[float] = field(default_factory=list)
    gateway_us: list[float] = field(default_factory=list)
    per_s: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        pairs = zip(self.gateway_us, self.proxy_us, strict=True)
        return statistics.median(gateway / proxy for gateway, proxy in pairs)


@dataclass(slots=True)
class Report:
    """All of it. `p50_ms` by target, at one connection."""

    rows: list[Row] = field(default_factory=list)
    p50_ms: dict[str, float] = field(default_factory=dict)
    rss_mb: float = 0.0

    @property
    def added_ms(self) -> float:
        return self.p50_ms["gateway"] - self.p50_ms["direct"]

    def missed(self) -> list[str]:
        missed = [f"{row.scenario}: {row.ratio:.2f}" for row in self.rows[:1] if row.ratio > RATIO_BUDGET]
        return missed + ([f"added p50: {self.added_ms:.2f} ms"] * (self.added_ms > ADDED_P50_BUDGET_MS))

    def table(self) -> str:
        lines = ["| load | bare proxy | gateway | ratio | gateway, at full load |", "|---|---|---|---|---|"]
        for row in self.rows:
            costs = f"{min(row.proxy_us):.0f} µs | {min(row.gateway_us):.0f} µs | **{row.ratio:.2f}**"
            lines.append(f"| {row.scenario}, a {row.unit} | {costs} | {max(row.per_s):.0f} {row.unit}s/s |")
        p50 = self.p50_ms
        lines += ["", "CPU time of the best turn; the ratio is the median over the turns."]
        lines += [
            f"One connection, p50: direct {p50['direct']:.2f} ms, bare proxy {p50['bare proxy']:.2f} ms, gateway "
            f"{p50['gateway']:.2f} ms; **added by the gateway {self.added_ms:.2f} ms**.",
            f"Memory of the gateway's processes: {self.rss_mb:.0f} MB.",
        ]
        return "\n".join(lines)


class Bench:
    """The three processes, up and answering."""

    def __init__(self, folder: Path, stack: ExitStack, config: str = _CONFIG) -> None:
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise NotReady("this needs two cores: one for what is measured, one for all else")
        self._folder, self._stack, self._config = folder, stack, config
        self._measured, self.rest = cores[0], cores[1]
        os.sched_setaffinity(0, {self.rest})
        self.upstream = self._start("mock provider", "-m", "loadtests.upstream", "--port", "{port}", core=self.rest)
        self.upstream.wait_for_port(20)
        url = f"http://127.0.0.1:{self.upstream.port}"
        proxy = ("-m", "loadtests.bare_proxy", "--port", "{port}", "--upstream", url)
        self.proxy = self._start("bare proxy", *proxy, core=self._measured)
        self.proxy.wait_for_port(20)
        self.gateway = self._gateway()
        self.key = self._find_key()
        self.targets = (self.proxy, self.gateway)

    def aim(self, target: Target) -> Aim:
        return Aim("127.0.0.1", target.port, self.key)

    def _start(self, name: str, *arguments: str, core: int, **environ: str) -> Target:
        log = self._folder / f"{name.replace(' ', '-')}.log"
        target = Target(name, [sys.executable, *arguments], core=core, environ=environ, log=log)
        self._stack.callback(target.stop)
        return target

    def _gateway(self) -> Target:
        config = self._folder / "guardflow.yaml"
        config.write_text(self._config % self.upstream.port)
        arguments = [*_SERVE, "--port", "{port}", "--config", str(config)]
        state = {"DATA_DIR": str(self._folder / "state"), "LOG_LEVEL": "WARNING"}
        gateway = self._start("gateway", *arguments, core=self._measured, **state)
        gateway.wait_for_port(90)
        gateway.move_surroundings(self.rest)
        return gateway

    def _find_key(self) -> str:
        """The token that a first start prints."""
        for _ in range(200):
            found = re.search(r"\bgf_[0-9A-Za-z]{20,}", self.gateway.log.read_text("utf-8", "replace"))
            if found:
                return found[0]
            time.sleep(0.05)
        raise NotReady(f"the gateway printed no API token:\n{self.gateway.tail()}")


async def measure(bench: Bench, scenario: Scenario, rounds: int, seconds: float) -> Row:
    row, requests = Row(scenario.name, scenario.unit), scenario.requests()
    for number in range(rounds):
        for target in bench.targets if number % 2 else reversed(bench.targets):
            with turn_of(target, bench.targets):
                began, outcome = target.cpu_s(), await _load(bench, target, scenario, requests, seconds)
                spent = target.cpu_s() - began
            units = outcome.done * scenario.units
            costs = row.gateway_us if target is bench.gateway else row.proxy_us
            costs.append(spent / units * 1e6)
            if target is bench.gateway:
                row.per_s.append(units / spent)
    return row


async def _load(bench: Bench, target: Target, scenario: Scenario, requests: Iterator[bytes], seconds: float) -> Outcome:
    limit = 3600.0 if scenario.each > 0 else seconds
    outcome = await load(
        bench.aim(target), requests, connections=scenario.connections, seconds=limit, each=scenario.each
    )
    if outcome.failed or not outcome.done:
        raise NotReady(f"{target.name}: {outcome.failed} of {outcome.failed + outcome.done} calls failed, "
                       f"statuses {outcome.statuses}\n{target.tail()}")  # fmt: skip
    return outcome


async def quiet_latency(bench: Bench, rounds: int, seconds: float) -> dict[str, float]:
    """p50 at one connection in milliseconds: the best of the rounds, for noise only adds."""
    found: dict[str, list[float]] = {}
    requests = QUIET.requests()
    for _ in range(rounds):
        for name, target in (("direct", bench.upstream), *((target.name, target) for target in bench.targets)):
            with turn_of(target, bench.targets):
                outcome = await _load(bench, target, QUIET, requests, seconds)
            found.setdefault(name, []).append(statistics.median(outcome.latencies) * 1e3)
    return {name: min(medians) for name, medians in found.items()}


async def run(bench: Bench, scenarios: Sequence[Scenario], rounds: int, seconds: float) -> Report:
    report = Report()
    for target in bench.targets:
        with turn_of(target, bench.targets):
            await _load(bench, target, SCENARIOS[0], SCENARIOS[0].requests(), 1.0)
    bench.gateway.move_surroundings(bench.rest)
    for scenario in scenarios:
        print(f"… {scenario.name}", file=sys.stderr, flush=True)
        report.rows.append(await measure(bench, scenario, rounds, seconds))
    report.p50_ms = await quiet_latency(bench, 3, min(seconds, 0.7))
    report.rss_mb = bench.gateway.rss_mb()
    return report


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5, help="turns of each target in each scenario")
    arguments.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    arguments.add_argument("--only", choices=[scenario.name for scenario in SCENARIOS], action="append")
    arguments.add_argument("--check", action="store_true", help="fail when a budget is missed")
    arguments.add_argument("--write", action="store_true", help="keep the outcome in loadtests/results/")
    options = arguments.parse_args()
    scenarios = [scenario for scenario in SCENARIOS if not options.only or scenario.name in options.only]
    with tempfile.TemporaryDirectory(prefix="guardflow-load-") as folder, ExitStack() as stack:
        try:
            bench = Bench(Path(folder), stack)
            report = uvloop.run(run(bench, scenarios, options.rounds, options.seconds))
        except NotReady as error:
            print(error, file=sys.stderr)
            return 1
    print(report.table())
    missed = report.missed()
    print("\nWithin the budgets." if not missed else f"\nOver budget: {'; '.join(missed)}.")
    if options.write:
        write(report)
    return 1 if missed and options.check else 0


def write(report: Report) -> None:
    folder, now = ROOT / "loadtests" / "results", datetime.now(UTC)
    folder.mkdir(exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    stem = folder / f"{now:%Y-%m-%d}"
    stem.with_suffix(".md").write_text(f"# {now:%Y-%m-%d}\n\n{machine}\n\n{report.table()}\n")
    stem.with_suffix(".json").write_text(json.dumps({"machine": machine, **asdict(report)}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
