"""`serve` is tested in test_supervisor.py; here, `check-config`."""

from pathlib import Path

from tests.guardflow.process import run


def test_no_file_is_fine(tmp_path: Path) -> None:
    checked = run(tmp_path, "check-config")
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert checked.stdout == b"no file: fine; 1 providers, 0 models\n"


def test_the_file_of_the_folder_is_found_and_its_faults_are_all_told(tmp_path: Path) -> None:
    (tmp_path / "guardflow.yaml").write_text("providers: {a: {type: x}}\nlimits: {rpm: -1}\n")
    checked = run(tmp_path, "check-config")
    assert checked.returncode == 1
    assert checked.stderr.decode().count("  - ") == 2


def test_a_file_may_be_named_and_env_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MY_KEY=k # from the vault\n")
    (tmp_path / "other.yaml").write_text("providers: {a: {type: openai, api_key: '${MY_KEY}'}}\n")
    checked = run(tmp_path, "check-config", "--config", "other.yaml")
    assert checked.stdout == b"other.yaml: fine; 1 providers, 0 models\n", checked.stderr
    assert run(tmp_path, "check-config", "--config", "missing.yaml").returncode == 2


def test_settings_that_serve_would_refuse_are_refused_here_too(tmp_path: Path) -> None:
    checked = run(tmp_path, "check-config", given={"ENVIRONMENT": "production"})
    assert checked.returncode == 1
    assert b"JWT_SECRET_KEY" in checked.stderr
