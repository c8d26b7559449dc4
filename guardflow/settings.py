"""Every setting, once: its name in the environment is the field's, in capitals. Fixed for the life of a process.

The environment wins over `.env`, an empty value is an unset one, and all faults are reported together. Nothing else
in the project reads the environment: inner modules get values.
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from guardflow.failure import Failure

ENV_FILE = Path(".env")
CONFIG_FILE = Path("guardflow.yaml")
ADMIN_EMAIL = "admin@guardflow.local"
_ALIASES = {"SECRET_KEY": "JWT_SECRET_KEY"}


class SettingsError(Failure):
    """Settings that can't be started with; the message lists every fault, a line each."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(["The settings can't be used:", *(f"  - {fault}" for fault in self.faults)]))


def _database(url: str) -> str:
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        raise ValueError("should start with postgresql://")
    return f"postgresql://{rest}"


def _redis(url: str) -> str:
    if url.partition("://")[0] not in {"redis", "rediss", "unix", "memory"}:
        raise ValueError("should start with redis://, rediss:// or unix://, or be memory://")
    return url


def _http(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("should start with http:// or https://")
    return url.rstrip("/")


def _comma_separated(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Port = Annotated[int, Field(ge=0, le=65535)]
BaseUrl = Annotated[str, BeforeValidator(_http)]
Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]


def _setting(default: Any, says: str, *, unset: str | None = None) -> Any:
    """`unset` says what happens without the setting, where the default doesn't."""
    return Field(default, description=says, json_schema_extra={"unset": unset} if unset else None)


class Settings(BaseModel):
    """What a gateway was started with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: Literal["development", "production"] = _setting(
        "development", "`production` refuses every unsafe start, saying what to mend."
    )
    debug: bool = _setting(False, "Logs at DEBUG unless LOG_LEVEL says otherwise. Never in production.")

    api_host: str = _setting("127.0.0.1", "The address to listen on; `0.0.0.0` is every one.")
    api_port: Port = _setting(8000, "The port of the API; 0 takes any free one.")
    workers: Annotated[int, Field(ge=1, le=256)] = _setting(1, "Worker processes; one a core is right.")
    admin_port: Port | None = _setting(
        None, "A port of its own for the admin API and the dashboard.", unset="on the API's port"
    )
    metrics_port: Port | None = _setting(None, "A port of its own for `/metrics`.", unset="on the API's port")
    grace_s: Annotated[int, Field(ge=0, le=3600)] = _setting(
        30, "Seconds that open calls get to finish in after SIGTERM."
    )

    database_url: Annotated[SecretStr, BeforeValidator(_database)] | None = _setting(
        None, "PostgreSQL 14 or newer: `postgresql://user:password@host:5432/name`.", unset="an embedded one"
    )
    redis_url: Annotated[SecretStr, BeforeValidator(_redis)] | None = _setting(
        None,
        "Redis 7 or Valkey 8 or newer: `redis://host:6379/0`. `memory://` keeps quotas inside a single worker.",
        unset="an embedded one",
    )
    data_dir: Path = _setting(Path(".guardflow"), "Embedded state, generated secrets and the spool of log rows.")
    guardflow_allow_embedded: bool = _setting(False, "Allow embedded state in production.")

    jwt_secret_key: SecretStr | None = _setting(
        None, "Signs staff sessions; also read as `SECRET_KEY`. 32 characters or more.", unset="generated and kept"
    )
    jwt_algorithm: Literal["HS256", "HS384", "HS512"] = _setting("HS256", "The signature of staff sessions.")
    access_token_expire_minutes: Annotated[int, Field(ge=1)] = _setting(30, "Life of a staff session's access token.")
    refresh_token_expire_days: Annotated[int, Field(ge=1)] = _setting(14, "Life of a staff session.")
    admin_email: str = _setting(ADMIN_EMAIL, "The first administrator, made at start where missing.")
    admin_password: SecretStr | None = _setting(
        None, "The first administrator's password, set at every start.", unset="generated and kept"
    )
    cors_origins: Names = _setting((), "Origins, comma-separated, whose pages may call the API.")

    openai_api_key: SecretStr | None = _setting(None, "OpenAI, or whatever answers at `OPENAI_BASE_URL`.")
    anthropic_api_key: SecretStr | None = _setting(None, "Anthropic.")
    google_api_key: SecretStr | None = _setting(None, "Google's Gemini API.")
    openai_base_url: BaseUrl = _setting("https://api.openai.com/v1", "Where OpenAI's API is; ends with `/v1`.")
    anthropic_base_url: BaseUrl = _setting("https://api.anthropic.com", "Where Anthropic's API is: the host.")
    google_base_url: BaseUrl = _setting("https://generativelanguage.googleapis.com", "Where Google's API is: the host.")
    ollama_base_url: BaseUrl | None = _setting(None, "An Ollama server, as in `http://127.0.0.1:11434`.")
    guardflow_config: Path | None = _setting(
        None, "The file of providers, models, limits and policies.", unset="`guardflow.yaml` here, if there is one"
    )

    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)] = _setting(
        "INFO", "The least that is logged."
    )
    log_format: Literal["console", "json"] = _setting("console", "How the process's own log looks.")
    log_content: Literal["none", "redacted", "full"] = _setting(
        "none", "How much of prompts and answers is stored. This release stores none, whatever is asked for."
    )
    retention_days: Annotated[int, Field(ge=1)] = _setting(183, "Days that request logs are kept.")

    worker_index: int = 0  # which worker this process is: set by the supervisor, not by people

    def environ(self) -> dict[str, str]:
        """The settings as environment variables, the unset ones empty: what a worker is started with."""
        return {
            name.upper(): as_text(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if field.description
        }

    def config_file(self) -> Path | None:
        """The configuration file to read, if any."""
        return self.guardflow_config or (CONFIG_FILE if CONFIG_FILE.exists() else None)


def process_environ(env_file: Path | None = ENV_FILE) -> dict[str, str]:
    """The environment of this process over what `env_file` says."""
    return merged(os.environ, env_file)  # noqa: TID251 - the one place


def merged(environ: Mapping[str, str], env_file: Path | None) -> dict[str, str]:
    if env_file is None or not env_file.is_file():
        return dict(environ)
    # No interpolation: what is written is what is meant, `$` in a password included.
    said = {name: value for name, value in dotenv_values(env_file, interpolate=False).items() if value is not None}
    return {**said, **environ}


def load(environ: Mapping[str, str], env_file: Path | None = None, *, safe: bool = True) -> Settings:
    """Read the settings, or raise `SettingsError` with everything that is wrong with them.

    Without `safe`, for commands that serve nobody, what is only unsafe is let pass.
    """
    from guardflow.safety import faults_of

    given = {name: value.strip() for name, value in merged(environ, env_file).items() if value.strip()}
    faults = [*_unknown(given), *_contradictions(given)]
    for alias, name in _ALIASES.items():
        if alias in given:
            given.setdefault(name, given[alias])
    values = {field: given[field.upper()] for field in Settings.model_fields if field.upper() in given}
    settings, invalid = _validate(values)
    if settings.debug and "log_level" not in values:
        settings = settings.model_copy(update={"log_level": "DEBUG"})
    unsafe = faults_of(settings) if safe else []
    faults += [*invalid.values(), *(fault for fault in unsafe if fault.split(maxsplit=1)[0] not in invalid)]
    if faults:
        raise SettingsError(faults)
    return settings


def database_url(env_file: Path | None = ENV_FILE) -> str:
    """DATABASE_URL alone, for commands that need nothing else."""
    url = process_environ(env_file).get("DATABASE_URL", "").strip()
    if not url:
        raise SettingsError(["DATABASE_URL is not set; for the embedded database use `guardflow db upgrade`"])
    try:
        return _database(url)
    except ValueError as error:
        raise SettingsError([f"DATABASE_URL {error}"]) from error


def _validate(values: dict[str, str]) -> tuple[Settings, dict[str, str]]:
    """The settings with defaults in the place of what is invalid, and a fault for each of those by its name."""
    try:
        return Settings.model_validate(values), {}
    except ValidationError as error:
        faults = {str(fault["loc"][0]): _sentence(fault["msg"]) for fault in error.errors()}
    valid = {name: value for name, value in values.items() if name not in faults}
    return Settings.model_validate(valid), {
        name.upper(): f"{name.upper()} {says}{_shown(name, values[name])}" for name, says in faults.items()
    }


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Input ").partition(", unable")[0]


def _shown(name: str, value: str) -> str:
    secret = "SecretStr" in str(Settings.model_fields[name].annotation)
    return "" if secret else f", not {value!r}"


def _unknown(given: Mapping[str, str]) -> Iterable[str]:
    known = [field.upper() for field in Settings.model_fields]
    for name in sorted(given):
        if name.startswith("GUARDFLOW_") and name not in known:
            spellings = {other: other for other in known} | {f"GUARDFLOW_{other}": other for other in known}
            close = difflib.get_close_matches(name, spellings, n=1, cutoff=0.8)
            yield f"{name} is no setting" + (f"; did you mean {spellings[close[0]]}?" if close else "")


def _contradictions(given: Mapping[str, str]) -> Iterable[str]:
    for alias, name in _ALIASES.items():
        if given.get(alias, given.get(name)) != given.get(name, given.get(alias)):
            yield f"{alias} and {name} are two names of one setting and differ; keep {name}"


def as_text(value: object) -> str:
    """A value as it is written in the environment."""
    match value:
        case None:
            return ""
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(value)
        case _:
            return str(value)
