"""`guardflow users` and `guardflow tokens`, as a person types them."""

import json
from pathlib import Path

import pytest

from gateway.tokens.base import is_well_formed
from tests.guardflow.process import run

pytestmark = pytest.mark.slow  # each command is a process


@pytest.fixture
def given(postgres_url: str) -> dict[str, str]:
    return {"DATABASE_URL": postgres_url}


def test_a_user_is_made_and_the_token_printed_this_once(tmp_path: Path, given: dict[str, str]) -> None:
    words = ["users", "create", "--email", "a@example.com", "--name", "A"]
    made = run(tmp_path, *words, "--daily-quota", "10000", "--rpm", "7", "--json", given=given)
    assert made.returncode == 0, made.stderr
    user = json.loads(made.stdout)
    assert (user["email"], user["daily_quota"], user["rpm"], user["tpm"]) == ("a@example.com", 10000, 7, None)
    assert is_well_formed(user["api_token"])
    again = run(tmp_path, *words, given=given)
    assert (again.returncode, again.stderr) == (1, b"Error: There is already a user with this e-mail address.\n")


@pytest.mark.parametrize("wrong", [["--email", "nobody"], ["--rpm", "-1"], ["--role", "king"]])
def test_a_user_that_can_not_be_is_wrong_usage(tmp_path: Path, given: dict[str, str], wrong: list[str]) -> None:
    refused = run(tmp_path, "users", "create", "--email", "a@example.com", "--name", "A", *wrong, given=given)
    assert refused.returncode == 2, refused.stderr


def test_a_token_is_made_rotated_and_revoked(tmp_path: Path, given: dict[str, str]) -> None:
    user = json.loads(run(tmp_path, "users", "create", "--email", "a@b.c", "--name", "A", "--json", given=given).stdout)
    made = run(tmp_path, "tokens", "create", "--user", "a@b.c", "--name", "ci", given=given).stdout.decode()
    assert is_well_formed(made.split()[-1])
    rotated = run(tmp_path, "tokens", "rotate", str(user["token_id"]), "--json", given=given)
    assert json.loads(rotated.stdout)["replaces"]["id"] == user["token_id"]
    revoked = run(tmp_path, "tokens", "revoke", str(user["token_id"]), given=given)
    assert revoked.stdout.decode() == f"token {user['token_id']} is revoked\n"
    missing = run(tmp_path, "tokens", "revoke", "999", given=given)
    assert (missing.returncode, missing.stderr) == (1, b"Error: No such token.\n")
