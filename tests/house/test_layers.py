"""Who may import whom: a room stands above all that it imports, and no arrow runs back up."""

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, ROOT, imports, sources

OURS = (*PACKAGES, "migrations", "loadtests", "tests")

MAY_IMPORT = {
    "classifiers": {"classifiers"},
    "gateway": {"gateway", "classifiers"},
    "admin": {"admin", "gateway", "classifiers"},
    "workspace": {"workspace", "gateway", "classifiers"},
    "guardflow": {"guardflow", "admin", "workspace", "gateway", "classifiers", "migrations"},
    # Only `alembic` on the command line needs the settings, in env.py.
    "migrations": {"migrations", "guardflow"},
}

DRIVERS = {
    "aiohttp": [
        *("admin/app.py", "admin/http.py", "admin/pages.py", "admin/cors.py"),
        *("guardflow/app.py", "guardflow/ops.py", "guardflow/worker.py", "guardflow/discovery.py"),
    ],
    "asyncpg": ["*/postgres.py", "*/store.py", "gateway/db.py", "migrations/*"],
    "redis": ["*/redis.py"],
    "hiredis": ["gateway/wire/*.py"],
    "httptools": ["gateway/wire/*.py"],
    "argon2": ["admin/login/passwords.py"],
    "jwt": ["admin/login/sessions.py", "gateway/providers/google_auth.py"],
    "yaml": ["gateway/config.py"],
    "click": ["guardflow/cli.py", "guardflow/commands/*.py"],
    "sklearn": ["classifiers/train.py"],
    "sqlalchemy": ["migrations/*"],
    "alembic": ["migrations/*"],
    "uvloop": ["guardflow/worker.py"],
    "dotenv": ["guardflow/settings.py"],
}


def imported(*packages: str) -> Iterator[tuple[Path, str]]:
    return ((path, name) for path in sources(*packages) for name in imports(path))


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_no_arrow_runs_back_up(package: str) -> None:
    wrong = [
        f"{path} imports {name}"
        for path, name in imported(package)
        if (top := name.partition(".")[0]) in OURS and top not in MAY_IMPORT[package]
    ]
    assert wrong == []


def test_the_gateway_knows_of_the_classifiers_only_their_seam() -> None:
    wrong = [
        f"{path} imports {name}"
        for path, name in imported("gateway")
        if name.startswith("classifiers") and not name.startswith("classifiers.base")
    ]
    assert wrong == []


def test_phases_and_the_lifecycle_see_no_socket_and_no_driver() -> None:
    sockets = ("gateway.wire.http", "gateway.wire.client", "gateway.wire.response", "gateway.wire.redis")
    below = (*DRIVERS, *sockets, "gateway.db")
    wrong = [
        f"{path} imports {name}"
        for path in [*sources("gateway/phases"), Path("gateway/lifecycle.py")]
        for name in imports(path)
        if name.startswith(below)
    ]
    assert wrong == []


def test_each_driver_is_in_the_files_that_are_named_for_it() -> None:
    wrong = [
        f"{path} imports {name}"
        for path, name in imported(*PACKAGES, "migrations")
        if (allowed := DRIVERS.get(name.partition(".")[0])) is not None
        and not any(fnmatch(str(path), pattern) for pattern in allowed)
    ]
    assert wrong == []


def test_migrations_ask_the_settings_only_for_the_command_line() -> None:
    asking = {str(path) for path, name in imported("migrations") if name.startswith("guardflow")}
    assert asking == {"migrations/env.py"}


def test_every_file_named_by_a_rule_exists() -> None:
    named = {pattern for patterns in DRIVERS.values() for pattern in patterns if "*" not in pattern}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
