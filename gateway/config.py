"""`guardflow.yaml`: providers, models, defaults, limits, policies. Pure: text and environment in, `Config` out.

All faults are reported at once. Keys come from the environment by `${NAME}`; whether a literal key in the file is
tolerated is the caller's decision (never in production), since files get committed.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gateway.exchange import Limits

Mode = Literal["off", "shadow", "enforce"]
ProviderType = Literal["openai", "anthropic", "gemini", "ollama", "echo"]

DEFAULT_BASE_URLS: Mapping[str, str] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "gemini": "https://generativelanguage.googleapis.com",
    "ollama": "http://127.0.0.1:11434",
    "echo": "http://echo.invalid",
}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# Braces mean something to YAML, where variables are not in quotes: while it reads, these stand for them.
_MARKED = re.compile("\ue000([A-Za-z_][A-Za-z0-9_]*)\ue001")
_NAME = re.compile(r"[A-Za-z0-9._:/@+-]{1,200}")


class ConfigError(ValueError):
    """The configuration can't be used. The text lists every fault, a line each."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ProviderConfig(_Strict):
    type: ProviderType
    base_url: str = ""
    api_key: str = Field(default="", repr=False)
    connect_timeout_s: float = Field(default=5.0, gt=0, le=120)

    @field_validator("base_url")
    @classmethod
    def _http(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
            raise ValueError("must be an http(s) URL without credentials, query or fragment")
        return url.rstrip("/")

    @property
    def url(self) -> str:
        """Where requests go: `ollama` and `gemini` are reached by their OpenAI-compatible paths."""
        base = self.base_url or DEFAULT_BASE_URLS[self.type]
        if self.type == "ollama":
            return base if base.endswith("/v1") else base + "/v1"
        return base + "/v1beta/openai" if self.type == "gemini" else base


class TargetConfig(_Strict):
    provider: str
    model: str
    weight: float = Field(default=1, ge=0)


class PriceConfig(_Strict):
    """USD per million tokens, which is micro-dollars per token."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class ModelConfig(_Strict):
    targets: tuple[TargetConfig, ...] = Field(min_length=1)
    fallbacks: tuple[str, ...] = ()
    price: PriceConfig | None = None
    max_output_tokens: int = Field(default=4096, ge=1)


class DefaultsConfig(_Strict):
    timeout_s: float = Field(default=600, gt=0)
    first_byte_timeout_s: float = Field(default=60, gt=0)
    idle_timeout_s: float = Field(default=60, gt=0)
    retries: int = Field(default=2, ge=0, le=10)
    max_body_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    max_reply_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    retry_after_max_s: float = Field(default=10, ge=0)


class LimitsConfig(_Strict):
    rpm: int | None = Field(default=600, ge=0)
    tpm: int | None = Field(default=200_000, ge=0)
    daily_tokens: int | None = Field(default=1_000_000, ge=0)
    monthly_tokens: int | None = Field(default=20_000_000, ge=0)
    concurrent: int | None = Field(default=64, ge=0)
    monthly_budget_micros: int | None = Field(default=None, ge=0)

    def limits(self) -> Limits:
        return Limits(**self.model_dump())


class MisuseConfig(_Strict):
    """Probabilities of misuse from which an action is due. None: the model's own recommendation, or never."""

    mode: Mode | None = None
    flag: float | None = Field(default=None, ge=0, le=1)
    throttle: float | None = Field(default=None, ge=0, le=1)
    block: float | None = Field(default=None, ge=0, le=1)


class IntentConfig(_Strict):
    """Whether a task's `allowed_intents` bind, and how sure the label must be to refuse a call."""

    mode: Mode | None = None
    min_confidence: float = Field(default=0.7, ge=0, le=1)


class PoliciesConfig(_Strict):
    mode: Mode = "enforce"
    misuse: MisuseConfig = MisuseConfig()
    intent: IntentConfig = IntentConfig()


class Config(_Strict):
    providers: dict[str, ProviderConfig] = {}
    models: dict[str, ModelConfig] = {}
    defaults: DefaultsConfig = DefaultsConfig()
    limits: LimitsConfig = LimitsConfig()
    policies: PoliciesConfig = PoliciesConfig()


def load_config(path: Path | None, environ: Mapping[str, str], *, literal_keys: bool = True) -> Config:
    """Read and check the file, or make the default from the environment's keys when `path` is None."""
    if path is None:
        return Config(providers=_providers_from(environ))
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return parse_config(text, environ, literal_keys=literal_keys)


def parse_config(text: str, environ: Mapping[str, str], *, literal_keys: bool = True) -> Config:
    """Parse YAML (or JSON). Raises ConfigError."""
    try:
        tree = yaml.safe_load(_VARIABLE.sub("\ue000\\1\ue001", text))
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError("not valid YAML: " + _MARKED.sub(r"${\1}", str(error))) from error
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise ConfigError("the file must be a mapping with providers, models, defaults, limits, policies")
    faults = [] if literal_keys else list(_literal_keys(tree))
    tree = _substitute(tree, environ, faults, "")
    config = None
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        faults += [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)]
    if config is not None:
        faults += _cross_check(config)
    if faults or config is None:
        raise ConfigError("\n".join(faults))
    return config if config.providers else config.model_copy(update={"providers": _providers_from(environ)})


def _providers_from(environ: Mapping[str, str]) -> dict[str, ProviderConfig]:
    """Without a file, every provider whose key is set; with none, echo, so that a first call works offline."""
    found: dict[str, ProviderConfig] = {}
    names: tuple[tuple[str, ProviderType, str], ...] = (
        ("openai", "openai", "OPENAI"), ("anthropic", "anthropic", "ANTHROPIC"), ("gemini", "gemini", "GOOGLE"),
    )  # fmt: skip
    for name, kind, prefix in names:
        if key := environ.get(f"{prefix}_API_KEY"):
            found[name] = ProviderConfig(type=kind, base_url=environ.get(f"{prefix}_BASE_URL", ""), api_key=key)
    if url := environ.get("OLLAMA_BASE_URL"):
        found["ollama"] = ProviderConfig(type="ollama", base_url=url)
    return found or {"echo": ProviderConfig(type="echo")}


def _literal_keys(tree: dict[str, Any]) -> Iterator[str]:
    providers = tree.get("providers")
    for name, body in (providers if isinstance(providers, dict) else {}).items():
        key = body.get("api_key") if isinstance(body, dict) else None
        if key and not (isinstance(key, str) and _MARKED.fullmatch(key)):
            yield f"providers.{name}.api_key: must come from the environment, as ${{NAME}}"


def _substitute(node: Any, environ: Mapping[str, str], faults: list[str], where: str) -> Any:
    """Replace `${NAME}` in every string; a missing name is a fault."""
    if isinstance(node, dict):
        return {key: _substitute(value, environ, faults, f"{where}{key}.") for key, value in node.items()}
    if isinstance(node, list):
        return [_substitute(value, environ, faults, f"{where}{i}.") for i, value in enumerate(node)]
    if not isinstance(node, str):
        return node

    def value_of(match: re.Match[str]) -> str:
        value = environ.get(match[1])
        if not value:
            faults.append(f"{where.rstrip('.')}: the environment variable {match[1]} is not set")
        return value or ""

    return _MARKED.sub(value_of, node)


def _cross_check(config: Config) -> Iterator[str]:
    for name in [*config.providers, *config.models]:
        if not _NAME.fullmatch(name):
            yield f"{name!r}: names are 1 to 200 of A-Z a-z 0-9 . _ : / @ + -"
    for name, model in config.models.items():
        for target in model.targets:
            if config.providers and target.provider not in config.providers:
                yield f"models.{name}: no provider {target.provider!r}"
        if not any(target.weight > 0 for target in model.targets):
            yield f"models.{name}: no target has a weight above 0"
        for fallback in model.fallbacks:
            if fallback not in config.models:
                yield f"models.{name}: fallback {fallback!r} is no model of this file"
            if fallback == name:
                yield f"models.{name}: falls back to itself"
