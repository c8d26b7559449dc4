"""Which starts are refused, and that each refusal says how to mend it."""

import pytest

from guardflow.settings import SettingsError, load

SAFE = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://guardflow@db/guardflow",
    "REDIS_URL": "redis://redis:6379/0",
    "JWT_SECRET_KEY": "0f8fad5bd9cb469fa16570867728950e",
    "ADMIN_PASSWORD": "staple-battery-horse",
}


def test_a_safe_production_starts() -> None:
    assert load(SAFE).environment == "production"
    assert load({**SAFE, "ADMIN_PASSWORD": ""}).admin_password is None


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        ({"ADMIN_PASSWORD": "admin123"}, "ADMIN_PASSWORD"),
        ({"ADMIN_PASSWORD": "short"}, "openssl rand -base64 18"),
        ({"ADMIN_PASSWORD": "SecurePassword123"}, "ADMIN_PASSWORD"),
        ({"JWT_SECRET_KEY": ""}, "JWT_SECRET_KEY is not set"),
        ({"JWT_SECRET_KEY": "0f8fad5bd9cb469fa165708677289"}, "openssl rand -hex 32"),
        ({"JWT_SECRET_KEY": "your-secret-key-change-this-min-32-characters-long"}, "JWT_SECRET_KEY is an example"),
        ({"DEBUG": "true"}, "set DEBUG=false"),
        ({"CORS_ORIGINS": "https://a.example,*"}, "list your origins"),
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set"),
        ({"REDIS_URL": ""}, "REDIS_URL is not set"),
        ({"REDIS_URL": "memory://"}, "REDIS_URL=memory://"),
    ],
)
def test_an_unsafe_production_is_refused_with_the_way_to_mend_it(change: dict[str, str], mend: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({**SAFE, **change})
    assert len(refused.value.faults) == 1
    assert mend in refused.value.faults[0]


def test_what_production_refuses_development_takes() -> None:
    environ = {
        "ADMIN_PASSWORD": "admin123",
        "JWT_SECRET_KEY": "your_super_secret_jwt_key",
        "DEBUG": "1",
        "CORS_ORIGINS": "*",
    }
    assert load(environ).debug


def test_embedded_state_in_production_takes_an_explicit_word() -> None:
    environ = {**SAFE, "DATABASE_URL": "", "REDIS_URL": "", "GUARDFLOW_ALLOW_EMBEDDED": "1"}
    assert load(environ).database_url is None


def test_commands_that_serve_nobody_are_not_held_up_by_what_is_only_unsafe() -> None:
    assert load({"ENVIRONMENT": "production"}, safe=False).environment == "production"
    with pytest.raises(SettingsError):
        load({"ENVIRONMENT": "production", "API_PORT": "x"}, safe=False)


def test_two_listeners_on_one_port_are_a_contradiction() -> None:
    with pytest.raises(SettingsError, match="METRICS_PORT and ADMIN_PORT are both 9000"):
        load({"ADMIN_PORT": "9000", "METRICS_PORT": "9000"})


def test_counting_in_memory_is_for_a_single_worker() -> None:
    assert load({"REDIS_URL": "memory://"}).workers == 1
    with pytest.raises(SettingsError, match="set WORKERS=1"):
        load({"REDIS_URL": "memory://", "WORKERS": "2"})
