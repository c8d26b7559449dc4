"""What a person who started the gateway reads: where it is, how to get in, and a call that answers."""

import contextlib
import http.client
from dataclasses import dataclass
from pathlib import Path

from gateway.config import Config
from guardflow import __version__
from guardflow.bootstrap import Started
from guardflow.secrets import secret_file
from guardflow.settings import Settings

PROBE_TIMEOUT_S = 0.2
_MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5", "gemini": "gemini-2.5-flash", "echo": "echo"}


@dataclass(frozen=True, slots=True)
class Welcome:
    """`password` is None where it was chosen in the settings; `password_file` None where it is not ours to show."""

    version: str
    url: str
    admin_email: str
    password: str | None
    password_file: Path | None
    api_token: str | None
    model: str
    state: str
    ollama: str | None = None

    def __str__(self) -> str:
        rows = [("API", self.url), ("Docs", f"{self.url}/docs"), *self._access()]
        lines = [f"Guardflow {self.version} answers.", "", *(f"  {name:<11}{value}" for name, value in rows)]
        lines += ["", "Try it:", "", *self._curl()]
        if self.api_token is None:
            lines += ["", "A new token: guardflow tokens create --user E-MAIL"]
        if self.ollama:
            lines += ["", f"An Ollama runs here. To offer its models: OLLAMA_BASE_URL={self.ollama} in .env"]
        return "\n".join([*lines, ""])

    def _access(self) -> list[tuple[str, str]]:
        rows = [("State", self.state), ("Admin", self.admin_email)]
        if self.password is not None:
            rows.append(("Password", f"{self.password}   (kept in {self.password_file})"))
        elif self.password_file is not None:
            rows.append(("Password", f"in {self.password_file}"))
        if self.api_token is not None:
            rows.append(("API token", f"{self.api_token}   (shown this once)"))
        return rows

    def _curl(self) -> list[str]:
        body = f'{{"model": "{self.model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
        return [
            f"  curl {self.url}/v1/chat/completions \\",
            f'    -H "Authorization: Bearer {self.api_token or "$TOKEN"}" -H "Content-Type: application/json" \\',
            f"    -d '{body}'",
        ]


def make_welcome(settings: Settings, config: Config, started: Started, *, embedded: bool) -> Welcome:
    file = secret_file(settings.data_dir, "admin_password") if settings.admin_password is None else None
    # A production's log is read by many: there the file is named and its content isn't.
    shown = file is not None and started.made_administrator and settings.environment == "development"
    may_offer = settings.ollama_base_url is None and settings.config_file() is None
    return Welcome(
        version=__version__,
        url=f"http://{_reachable(settings.api_host)}:{settings.api_port}",
        admin_email=settings.admin_email,
        password=file.read_text("utf-8").strip() if file and shown else None,
        password_file=file,
        api_token=started.demo_token,
        model=model_to_try(config),
        state=f"embedded, in {settings.data_dir}" if embedded else "yours",
        ollama=find_ollama() if may_offer else None,
    )


def model_to_try(config: Config) -> str:
    """A model name that the configuration serves."""
    if config.models:
        return next(iter(config.models))
    name, provider = next(iter(config.providers.items()))
    model = _MODELS.get(provider.type, "MODEL")
    return model if len(config.providers) == 1 else f"{name}/{model}"


def find_ollama(host: str = "127.0.0.1", port: int = 11434) -> str | None:
    """The URL of an Ollama on this machine, if one answers at once."""
    connection = http.client.HTTPConnection(host, port, timeout=PROBE_TIMEOUT_S)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", "/api/version")
        if b'"version"' in connection.getresponse().read(1024):
            return f"http://{host}:{port}"
    return None


def _reachable(host: str) -> str:
    """Where a browser here finds what listens on `host`."""
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
