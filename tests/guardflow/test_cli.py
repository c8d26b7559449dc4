"""The program: what it exits with, and that it says one clear line when it fails."""

from pathlib import Path

import pytest

from tests.guardflow.process import run


@pytest.mark.parametrize("arguments", [["nonsense"], ["serve", "--port", "x"], ["tokens", "revoke"], ["train", "tea"]])
def test_wrong_usage_is_2(tmp_path: Path, arguments: list[str]) -> None:
    failed = run(tmp_path, *arguments)
    assert failed.returncode == 2
    assert failed.stderr.startswith(b"Usage:")


def test_a_failure_is_1_and_a_line_without_a_traceback(tmp_path: Path) -> None:
    failed = run(tmp_path, "db", "upgrade", given={"DATABASE_URL": "mysql://x"})
    assert failed.returncode == 1
    assert failed.stdout == b""
    assert (
        failed.stderr.decode()
        == "Error: The settings can't be used:\n  - DATABASE_URL should start with postgresql://\n"
    )


def test_help_is_quick_to_come_since_it_loads_no_driver_and_no_model(tmp_path: Path) -> None:
    import subprocess
    import sys

    from tests.guardflow.process import environment

    program = (
        "import sys; from guardflow.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'aiohttp', 'asyncpg', 'alembic', 'numpy', 'pydantic', 'sklearn', 'redis'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], env=environment(tmp_path, {}), capture_output=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    for command in (b"serve", b"check-config", b"db", b"users", b"tokens", b"classify", b"train", b"evaluate"):
        assert b"\n  " + command in shown.stdout


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    from importlib.metadata import version

    assert run(tmp_path, "--version").stdout.decode().split()[-1] == version("guardflow")
