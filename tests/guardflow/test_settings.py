"""Settings: one table, read once, with all faults at once."""

from pathlib import Path

import pytest

from guardflow.settings import Settings, SettingsError, load


def faults(environ: dict[str, str], env_file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as refused:
        load(environ, env_file)
    return str(refused.value)


def test_nothing_set_is_a_working_development_gateway() -> None:
    settings = load({})
    assert settings.environment == "development"
    assert settings.database_url is None
    assert (settings.api_host, settings.api_port, settings.workers) == ("127.0.0.1", 8000, 1)


def test_a_trailing_comment_in_the_file_is_no_part_of_the_value(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text('RETENTION_DAYS=5   # five\nADMIN_PASSWORD="a # b$c"\nOPENAI_API_KEY=sk-${HOME}\n')
    settings = load({}, file)
    assert settings.retention_days == 5
    assert settings.admin_password is not None
    assert settings.admin_password.get_secret_value() == "a # b$c"
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "sk-${HOME}"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("API_PORT=1\nWORKERS=2\n")
    settings = load({"API_PORT": "9", "PATH": "/bin"}, file)
    assert (settings.api_port, settings.workers) == (9, 2)


def test_an_empty_value_is_an_unset_one() -> None:
    assert load({"DATABASE_URL": " ", "API_PORT": "", "OPENAI_API_KEY": ""}) == load({})


def test_all_faults_are_told_at_once() -> None:
    said = faults({
        "API_PORT": "eighty", "WORKERS": "0", "ENVIRONMENT": "staging", "LOG_FORMAT": "xml", "DEBUG": "perhaps",
        "REDIS_URL": "http://x", "OPENAI_BASE_URL": "api.openai.com", "GUARDFLOW_CONFG": "x",
        "SECRET_KEY": "a", "JWT_SECRET_KEY": "b",
    })  # fmt: skip
    for name in ("API_PORT", "WORKERS", "ENVIRONMENT", "LOG_FORMAT", "DEBUG", "REDIS_URL", "OPENAI_BASE_URL",
                 "GUARDFLOW_CONFG", "SECRET_KEY and JWT_SECRET_KEY"):  # fmt: skip
        assert said.count(f"  - {name} ") == 1, name


def test_a_fault_never_shows_a_secret() -> None:
    said = faults({"DATABASE_URL": "mysql://root:hunter2@db/x", "API_PORT": "eighty"})
    assert "hunter2" not in said
    assert "'eighty'" in said


@pytest.mark.parametrize(
    ("name", "meant"),
    [("GUARDFLOW_CONFG", "GUARDFLOW_CONFIG"), ("GUARDFLOW_LOG_LEVEL", "LOG_LEVEL"), ("GUARDFLOW_XYZZY", None)],
)
def test_an_unknown_name_of_ours_is_refused_with_what_was_meant(name: str, meant: str | None) -> None:
    said = faults({name: "x"})
    assert f"{name} is no setting" in said
    assert (f"did you mean {meant}?" in said) if meant else ("did you mean" not in said)


def test_both_names_of_the_secret_are_read_and_must_agree() -> None:
    for environ in ({"SECRET_KEY": "s"}, {"JWT_SECRET_KEY": "s"}, {"SECRET_KEY": "s", "JWT_SECRET_KEY": "s"}):
        secret = load(environ).jwt_secret_key
        assert secret is not None
        assert secret.get_secret_value() == "s"
    assert "differ" in faults({"SECRET_KEY": "a", "JWT_SECRET_KEY": "b"})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_common_spelling_of_a_postgres_url_is_taken(scheme: str) -> None:
    url = load({"DATABASE_URL": f"{scheme}://u:p@db:5432/x?host=/run"}).database_url
    assert url is not None
    assert url.get_secret_value() == "postgresql://u:p@db:5432/x?host=/run"


def test_secrets_are_not_shown_by_the_settings() -> None:
    settings = load(
        {"OPENAI_API_KEY": "sk-hidden", "DATABASE_URL": "postgresql://u:hidden@h/d", "ADMIN_PASSWORD": "hidden"}
    )
    assert "hidden" not in repr(settings)


def test_debug_lowers_the_log_level_unless_it_is_set() -> None:
    assert load({"DEBUG": "True"}).log_level == "DEBUG"
    assert load({"DEBUG": "True", "LOG_LEVEL": "warning"}).log_level == "WARNING"


def test_a_worker_reads_the_very_settings_that_the_supervisor_had() -> None:
    settings = load({
        "CORS_ORIGINS": "https://a.example, https://b.example", "DEBUG": "1", "DATABASE_URL": "postgres://u@/d?host=/s",
        "ADMIN_PORT": "8001", "LOG_LEVEL": "error", "GUARDFLOW_CONFIG": "x.yaml", "JWT_SECRET_KEY": "k",
    })  # fmt: skip
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    environ = settings.environ()
    assert load(environ) == settings
    assert load({**environ, "WORKER_INDEX": "3"}).worker_index == 3
    assert set(environ) == {name.upper() for name in Settings.model_fields} - {"WORKER_INDEX"}
