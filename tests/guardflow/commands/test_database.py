"""`guardflow db`."""

from pathlib import Path

import pytest

import migrations
from tests.guardflow.process import run

pytestmark = pytest.mark.slow  # each command is a process


def test_upgrade_brings_the_schema_up_and_then_says_that_it_is(tmp_path: Path, empty_postgres_url: str) -> None:
    given = {"DATABASE_URL": empty_postgres_url, "ENVIRONMENT": "production"}  # an init job has no other settings
    head = migrations.head_revision()
    first = run(tmp_path, "db", "upgrade", given=given)
    assert (first.returncode, first.stdout.decode()) == (0, f"at revision {head}\n"), first.stderr
    assert run(tmp_path, "db", "upgrade", given=given).stdout.decode() == f"at revision {head} already\n"
