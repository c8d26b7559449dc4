"""What a hit of the cache costs against a miss: CPU time of the gateway, and latency at one connection.

Where the provider answers at once, all that a hit saves is our own work: the worst case. One that takes 20 ms, or
streams for half a second, is faster than any model. Misses ask something new each time; `plain` is the same load on a
model without a cache.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, cycle
from pathlib import Path

import uvloop

from loadtests import ratio
from loadtests.generator import Aim, Outcome, load
from loadtests.processes import NotReady
from loadtests.prompts import bodies

BUDGET = 0.5
"""Of a miss, in latency, where the provider takes any time at all."""
_KINDS = ("plain", "miss", "hit")
_STREAM = "[[mock chunks=100 gap=5]]"
_SCENARIOS = (("0.3 KB", 300, ""), ("32 KB", 32_000, ""), ("20 ms", 300, "[[mock delay=20]]"), ("stream", 300, _STREAM))
_AT_ONCE = 2
_CONFIG = """\
providers: {mock: {type: openai, base_url: "http://127.0.0.1:%d/v1", api_key: sk-mock}}
models:
  mock: {targets: [{provider: mock, model: mock}], cache: {mode: exact}}
  else: {targets: [{provider: mock, model: mock}]}
limits: {rpm: 100000000, tpm: 1000000000000, daily_tokens: 1000000000000, monthly_tokens: 1000000000000,
         concurrent: 100000}
"""


def asked(kind: str, texts: list[bytes], numbers: Iterator[int]) -> Iterator[bytes]:
    """The same texts for all. A number in the system's message makes a call one that nobody has made."""
    if kind == "hit":
        return cycle(texts)
    fresh = (text.replace(b"briefly", b"briefly %d" % number, 1) for text, number in zip(cycle(texts), numbers))
    return (body.replace(b'"mock"', b'"else"', 1) for body in fresh) if kind == "plain" else fresh


async def compare(bench: ratio.Bench, size: int, marker: str, rounds: int, seconds: float) -> dict[str, float]:
    """The ratio of hit to miss in CPU time and in latency; both, for a look, of each kind."""
    stream = marker == _STREAM
    texts, numbers = bodies(size, 64 if stream else 300, marker=marker, stream=stream), count()
    cpu_us: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    p50_ms: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    await _turn(bench, cycle(texts), 32, 2 * seconds)
    for number in range(rounds):
        for kind in _KINDS if number % 2 else reversed(_KINDS):
            requests, began = asked(kind, texts, numbers), bench.gateway.cpu_s()
            outcome = await _turn(bench, requests, 32, seconds)
            cpu_us[kind].append((bench.gateway.cpu_s() - began) / outcome.done * 1e6)
            quiet = await _turn(bench, requests, 1, seconds / 2)
            p50_ms[kind].append(statistics.median(quiet.latencies) * 1e3)
    told = {f"{kind} µs": statistics.median(cpu_us[kind]) for kind in _KINDS}
    told |= {f"{kind} ms": statistics.median(p50_ms[kind]) for kind in _KINDS}
    pairs = zip(cpu_us["hit"], cpu_us["miss"], strict=True)
    return told | {
        "CPU": statistics.median(hit / miss for hit, miss in pairs),
        "latency": told["hit ms"] / told["miss ms"],
    }


async def _turn(bench: ratio.Bench, requests: Iterator[bytes], connections: int, seconds: float) -> Outcome:
    aim = Aim("127.0.0.1", bench.gateway.port, bench.key)
    outcome = await load(aim, requests, connections=connections, seconds=seconds)
    if outcome.failed or not outcome.done:
        raise NotReady(f"{outcome.failed} calls failed, statuses {outcome.statuses}\n{bench.gateway.tail()}")
    return outcome


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=1.0)
    arguments.add_argument("--check", action="store_true", help="fail when a hit takes more than half of a miss")
    options = arguments.parse_args()
    latencies = []
    with tempfile.TemporaryDirectory(prefix="guardflow-load-") as folder, ExitStack() as stack:
        try:
            bench = ratio.Bench(Path(folder), stack, _CONFIG)
            bench.proxy.pause()
            for name, size, marker in _SCENARIOS:
                told = uvloop.run(compare(bench, size, marker, options.rounds, options.seconds))
                latencies.append(told["latency"])
                print(f"{name:<8}" + ", ".join(f"{what} {value:.2f}" for what, value in told.items()), flush=True)
        except NotReady as error:
            print(error, file=sys.stderr)
            return 1
    return 1 if options.check and max(latencies[_AT_ONCE:]) > BUDGET else 0


if __name__ == "__main__":
    sys.exit(main())
