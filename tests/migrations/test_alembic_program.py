"""`alembic` on the command line, from the repository's root."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import migrations

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent


def alembic(folder: Path, *arguments: str, url: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=folder,
        env={"PATH": "/bin", "PYTHONPATH": str(ROOT), "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_step_down_and_up_again(postgres_url: str) -> None:
    down = alembic(ROOT, "downgrade", "-1", url=postgres_url)
    assert down.returncode == 0, down.stderr
    assert migrations.current_revision(postgres_url) != migrations.head_revision()
    up = alembic(ROOT, "upgrade", "head", url=postgres_url)
    assert up.returncode == 0, up.stderr
    assert migrations.current_revision(postgres_url) == migrations.head_revision()


def test_the_whole_schema_can_be_printed_without_a_database() -> None:
    printed = alembic(ROOT, "upgrade", "head", "--sql")
    assert printed.returncode == 0, printed.stderr
    assert "CREATE TABLE users" in printed.stdout
    assert "to_char(first, 'YYYYMM')" in printed.stdout
    assert "format('CREATE TABLE IF NOT EXISTS %I PARTITION" in printed.stdout


def test_a_new_revision_gets_the_next_number(tmp_path: Path, postgres_url: str) -> None:
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    made = alembic(tmp_path, "revision", "-m", "Add x to y", url=postgres_url)
    assert made.returncode == 0, made.stderr
    head = migrations.head_revision()
    file = tmp_path / "migrations" / "versions" / f"{int(head) + 1:04d}_add_x_to_y.py"
    assert f'down_revision: str | None = "{head}"' in file.read_text()
    assert alembic(tmp_path, "upgrade", "head", url=postgres_url).returncode == 0
    assert migrations.current_revision(postgres_url) == f"{int(head) + 1:04d}"


def test_without_a_database_it_says_so_in_words(tmp_path: Path) -> None:
    for url, said in [("", "DATABASE_URL is not set"), ("mysql://x", "DATABASE_URL should start with postgresql://")]:
        failed = alembic(ROOT, "current", url=url)
        assert failed.returncode != 0
        assert said in failed.stdout
        assert "Traceback" not in failed.stderr
