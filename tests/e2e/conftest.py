"""A gateway for everyone, with users and models of each test's own; and gateways made to measure."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.scripted_upstream import ScriptedUpstream
from tests.e2e.staff import Caller, Staff

UPSTREAM_KEY = "sk-upstream-canary-000000000000"
PLENTY = {"rpm": 1_000_000, "tpm": 10**12, "daily_tokens": 10**12, "monthly_tokens": 10**12, "concurrent": 100_000}

MakeGateway = Callable[..., GatewayProcess]
_names = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of it is slow: a gateway has to start."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("slow")


@pytest.fixture(scope="session")
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream().running() as running:
        yield running


@pytest.fixture(scope="session")
def shared(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Two workers on embedded state. Providers: `up` and `claude` are scripted, `gone` isn't there, `echo` is ours."""
    config = {
        "providers": {
            "up": {"type": "openai", "base_url": upstream.url, "api_key": "${UPSTREAM_KEY}"},
            "claude": {"type": "anthropic", "base_url": upstream.host, "api_key": "${UPSTREAM_KEY}"},
            "gone": {"type": "openai", "base_url": "http://127.0.0.1:1/v1"},
            "echo": {"type": "echo"},
        },
        "defaults": {"first_byte_timeout_s": 1, "idle_timeout_s": 5, "retries": 0, "max_body_bytes": 1_000_000},
        "limits": PLENTY,
    }
    folder = tmp_path_factory.mktemp("shared")
    process = GatewayProcess(folder, config, workers=2, environ={"UPSTREAM_KEY": UPSTREAM_KEY})
    try:
        yield process.start()
    finally:
        process.stop()


@pytest.fixture(scope="session")
def staff(shared: GatewayProcess) -> Staff:
    return Staff(shared.base_url)


@pytest.fixture(scope="session")
def ledger(shared: GatewayProcess) -> LedgerReader:
    return LedgerReader(shared.database_url)


@pytest.fixture
def caller(staff: Staff) -> Caller:
    """A user of the shared gateway, without limits to speak of."""
    return staff.caller()


@pytest.fixture
def model() -> str:
    """The name of a model that no other test scripts; the gateway has it as `up/…` and `claude/…`."""
    return f"model-{next(_names)}"


@pytest.fixture
def gateway(postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[MakeGateway]:
    """Make and start gateways: `gateway(config, workers=1, environ={}, embedded=False)`. Unless embedded, they run on
    the test's own database and store."""
    made: list[GatewayProcess] = []

    def make(
        config: Mapping[str, Any] | None = None,
        *,
        workers: int = 1,
        environ: Mapping[str, str] | None = None,
        embedded: bool = False,
    ) -> GatewayProcess:
        state = {} if embedded else {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url}
        folder = tmp_path / f"gateway{len(made)}"
        process = GatewayProcess(folder, config, workers=workers, environ={**state, **(environ or {})})
        made.append(process)
        return process.start()

    yield make
    for process in made:
        process.stop()
