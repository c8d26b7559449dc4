"""Which starts are refused: settings that contradict each other, and what production must not run with.

Pure. Each fault says how to mend it.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import SecretStr

if TYPE_CHECKING:
    from guardflow.settings import Settings

PASSWORD_LENGTH_MIN = 12
SECRET_LENGTH_MIN = 32
# Long enough to pass, and known to everyone: passwords of examples, and what examples of secrets are made of.
_KNOWN_PASSWORDS = {
    *("administrator", "adminadminadmin", "admin123admin123", "changemechangeme", "change-me-please", "123456789012"),
    *("password1234", "password12345", "passwordpassword", "securepassword", "securepassword123", "qwertyuiop123"),
}
_PLACEHOLDERS = (
    *("your-", "your_", "change-this", "change_this", "change-me", "change_me", "changeme", "replace-", "example"),
    *(
        "secret-key",
        "secret_key",
        "secretkey",
        "super-secret",
        "super_secret",
        "supersecret",
        "jwt-secret",
        "jwt_secret",
    ),
)


def faults_of(settings: "Settings") -> list[str]:
    """Everything that forbids a start with `settings`."""
    faults = list(_contradictions(settings))
    if settings.environment == "production":
        faults += [*_weak_secrets(settings), *_open_doors(settings), *_embedded(settings)]
    return faults


def _contradictions(settings: "Settings") -> Iterable[str]:
    ports = {"API_PORT": settings.api_port, "ADMIN_PORT": settings.admin_port, "METRICS_PORT": settings.metrics_port}
    taken: dict[int, str] = {}
    for name, port in ports.items():
        if port and port in taken:
            yield f"{name} and {taken[port]} are both {port}; leave {name} unset to share the API's port"
        elif port:
            taken[port] = name
    if _plain(settings.redis_url).startswith("memory://") and settings.workers > 1:
        yield f"REDIS_URL=memory:// counts within one process, but WORKERS is {settings.workers}; set WORKERS=1"


def _weak_secrets(settings: "Settings") -> Iterable[str]:
    password = _plain(settings.admin_password)
    if password and (len(password) < PASSWORD_LENGTH_MIN or password.lower() in _KNOWN_PASSWORDS):
        yield (
            f"ADMIN_PASSWORD is a default or too short for production; use {PASSWORD_LENGTH_MIN} characters or more, "
            "as `openssl rand -base64 18` prints them"
        )
    secret = _plain(settings.jwt_secret_key)
    if not secret:
        yield "JWT_SECRET_KEY is not set, and production generates none; set it to what `openssl rand -hex 32` prints"
    elif len(secret) < SECRET_LENGTH_MIN or any(part in secret.lower() for part in _PLACEHOLDERS):
        yield (
            f"JWT_SECRET_KEY is an example or too short for production; use {SECRET_LENGTH_MIN} characters or more, "
            "as `openssl rand -hex 32` prints them"
        )


def _open_doors(settings: "Settings") -> Iterable[str]:
    if settings.debug:
        yield "DEBUG is on, which shows what went wrong inside; set DEBUG=false"
    if "*" in settings.cors_origins:
        yield "CORS_ORIGINS=* lets every page call with its visitor's session; list your origins instead"


def _embedded(settings: "Settings") -> Iterable[str]:
    if settings.guardflow_allow_embedded:
        return
    if settings.database_url is None:
        yield "DATABASE_URL is not set; set it, or GUARDFLOW_ALLOW_EMBEDDED=1 to run PostgreSQL out of DATA_DIR"
    if settings.redis_url is None:
        yield "REDIS_URL is not set; set it, or GUARDFLOW_ALLOW_EMBEDDED=1 to run Valkey out of DATA_DIR"
    elif _plain(settings.redis_url).startswith("memory://"):
        yield "REDIS_URL=memory:// forgets every count at a restart; set it, or GUARDFLOW_ALLOW_EMBEDDED=1"


def _plain(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
