"""`guardflow.yaml`: providers, models, defaults, limits, policies. Pure: text and environment in, `Config` out.

All faults are reported at once. Keys come from the environment by `${NAME}`; whether a literal key in the file is
tolerated is the caller's decision (never in production), since files get committed.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway.cache.rule import AllCacheConfig, CacheConfig
from gateway.exchange import Limits
from gateway.prices import PeriodsConfig
from gateway.providers.presets import PRESETS

Mode = Annotated[Literal["off", "shadow", "enforce"], BeforeValidator(lambda said: "off" if said is False else said)]
"""Without quotes, `off` is the word for false to YAML."""
OWN_TYPES = ("openai", "anthropic", "gemini", "ollama", "azure", "bedrock", "vertex", "echo")
Strategy = Literal["weighted", "priority", "least_in_flight", "latency", "cheapest"]
Trouble = Literal["error", "timeout", "rate_limit", "context_length", "content_filter"]
"""Why an attempt failed, as far as it matters to where the next one goes."""
ILLNESSES: tuple[Trouble, ...] = ("error", "timeout", "rate_limit")

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
_SECRETS = ("api_key", "api_keys", "access_key", "secret_key", "session_token")
_NEEDED = {"azure": ("base_url",), "bedrock": ("region", "access_key", "secret_key"), "vertex": ("key_file", "region")}


class ConfigError(ValueError):
    """The configuration can't be used. The text lists every fault, a line each."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ProviderConfig(_Strict):
    """`type`: one of `OWN_TYPES`, or a server of OpenAI's dialect that is known by name (`providers/presets.py`). Of
    Bedrock, the credentials and the region; of Vertex, a service account's key file and the location; of Azure, an API
    version where the paths of a dated one are wanted. Keys take turns; `max_concurrent` holds in each worker."""

    type: str
    base_url: str = ""
    api_key: str = Field(default="", repr=False)
    api_keys: tuple[str, ...] = Field(default=(), repr=False)
    max_concurrent: int | None = Field(default=None, ge=1)
    api_version: str | None = None
    region: str = ""
    access_key: str = Field(default="", repr=False)
    secret_key: str = Field(default="", repr=False)
    session_token: str = Field(default="", repr=False)
    key_file: Path | None = None
    connect_timeout_s: float = Field(default=5.0, gt=0, le=120)

    @field_validator("base_url")
    @classmethod
    def _http(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
            raise ValueError("must be an http(s) URL without credentials, query or fragment")
        return url.rstrip("/")

    @field_validator("type")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in OWN_TYPES and kind not in PRESETS:
            raise ValueError(f"must be one of {', '.join((*OWN_TYPES, *PRESETS))}")
        return kind

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in _NEEDED.get(self.type, ()) if not getattr(self, name)]
        if missing:
            raise ValueError(f"a provider of type {self.type} needs {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _one_way_to_name_keys(self) -> Self:
        if self.api_keys and self.api_key:
            raise ValueError("api_key and api_keys are two ways to say one thing")
        if self.api_keys and self.type in ("bedrock", "vertex", "echo"):
            raise ValueError(f"a provider of type {self.type} has no api_keys")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """At least one, empty where none is needed."""
        return self.api_keys or (self.api_key,)

    @property
    def url(self) -> str:
        """Where requests go."""
        match self.type:
            case "ollama":
                return (self.base_url or DEFAULT_BASE_URLS["ollama"]).removesuffix("/v1")
            case "bedrock":
                return self.base_url or f"https://bedrock-runtime.{self.region}.amazonaws.com"
            case "vertex":
                place = "" if self.region == "global" else f"{self.region}-"
                return self.base_url or f"https://{place}aiplatform.googleapis.com"
        preset = PRESETS.get(self.type)
        return self.base_url or (preset.base_url if preset else DEFAULT_BASE_URLS[self.type])


class UpstreamModelConfig(_Strict):
    """A model at a provider. Without a price of its own it costs what the name it serves costs."""

    provider: str
    model: str
    price: PeriodsConfig | None = None


class WhenConfig(_Strict):
    """The calls a target is for: of one of these intents, and for one of these tasks (by name)."""

    intents: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


class TargetConfig(UpstreamModelConfig):
    weight: float = Field(default=1, ge=0)
    priority: int | None = Field(default=None, ge=0)
    when: WhenConfig | None = None


class CanaryConfig(_Strict):
    """A new target that gets the same few per cent of the users, or of the conversations, each time."""

    target: UpstreamModelConfig
    percent: float = Field(ge=0, le=100)
    by: Literal["user", "conversation"] = "user"


class ShadowConfig(_Strict):
    """A target on trial: it gets copies of so many per cent of the calls, and nobody its answers."""

    target: UpstreamModelConfig
    percent: float = Field(default=100, ge=0, le=100)


class FallbackConfig(_Strict):
    """Another name of this file, and the troubles that lead to it. A bare name is one for whatever is an illness."""

    model: str
    on: tuple[Trouble, ...] = Field(default=ILLNESSES, min_length=1)


class ModelConfig(_Strict):
    targets: tuple[TargetConfig, ...] = Field(min_length=1)
    strategy: Strategy = "weighted"
    sticky: Literal["conversation"] | None = None
    canary: CanaryConfig | None = None
    shadow: ShadowConfig | None = None
    hedge: bool = False
    fallbacks: tuple[FallbackConfig, ...] = ()
    price: PeriodsConfig | None = None
    max_output_tokens: int = Field(default=4096, ge=1)
    cache: CacheConfig | None = None

    @field_validator("fallbacks", mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        if not isinstance(given, list):
            return given
        return [{"model": one} if isinstance(one, str) else _spoken(one) for one in given]


def _spoken(given: Any) -> Any:
    """To YAML 1.1 an `on` without quotes is the word for true, as a key too."""
    return {"on" if key is True else key: value for key, value in given.items()} if isinstance(given, dict) else given


class DefaultsConfig(_Strict):
    """`unpriced`: what becomes of calls on a budget to a model whose price is unknown: admitted, they cost nothing of
    it and are counted as unpriced."""

    timeout_s: float = Field(default=600, gt=0)
    first_byte_timeout_s: float = Field(default=60, gt=0)
    idle_timeout_s: float = Field(default=60, gt=0)
    retries: int = Field(default=2, ge=0, le=10)
    max_body_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    max_reply_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    retry_after_max_s: float = Field(default=10, ge=0)
    unpriced: Literal["admit", "refuse"] = "admit"


class LimitsConfig(_Strict):
    rpm: int | None = Field(default=600, ge=0)
    tpm: int | None = Field(default=200_000, ge=0)
    daily_tokens: int | None = Field(default=1_000_000, ge=0)
    monthly_tokens: int | None = Field(default=20_000_000, ge=0)
    concurrent: int | None = Field(default=64, ge=0)
    monthly_budget_micros: int | None = Field(default=None, ge=0)
    daily_budget_micros: int | None = Field(default=None, ge=0)
    weekly_budget_micros: int | None = Field(default=None, ge=0)

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
    prices: dict[str, PeriodsConfig] = {}
    defaults: DefaultsConfig = DefaultsConfig()
    limits: LimitsConfig = LimitsConfig()
    policies: PoliciesConfig = PoliciesConfig()
    cache: AllCacheConfig = AllCacheConfig()


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
        raise ConfigError("the file must be a mapping with providers, models, prices, defaults, limits, policies")
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
    names: tuple[tuple[str, str, str], ...] = (
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
        for secret in _SECRETS if isinstance(body, dict) else ():
            given = body.get(secret)
            for key in given if isinstance(given, list) else [given]:
                if key and not (isinstance(key, str) and _MARKED.fullmatch(key)):
                    yield f"providers.{name}.{secret}: must come from the environment, as ${{NAME}}"


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
        yield from (f"models.{name}: {fault}" for fault in _faults_of(name, model, config))


def _faults_of(name: str, model: ModelConfig, config: Config) -> Iterator[str]:
    on_trial = [trial.target for trial in (model.canary, model.shadow) if trial]
    for target in (*model.targets, *on_trial):
        if config.providers and target.provider not in config.providers:
            yield f"no provider {target.provider!r}"
    if not any(target.weight > 0 for target in model.targets):
        yield "no target has a weight above 0"
    if all(target.when for target in model.targets):
        yield "every target has a `when`: a call that fits none would have nowhere to go"
    if any(target.when and not (target.when.intents or target.when.tasks) for target in model.targets):
        yield "a `when` names neither intents nor tasks"
    if model.sticky and model.strategy in ("least_in_flight", "latency"):
        yield f"sticky says where a conversation stays, {model.strategy} that each call goes elsewhere"
    for fallback in model.fallbacks:
        if fallback.model not in config.models:
            yield f"fallback {fallback.model!r} is no model of this file"
        if fallback.model == name:
            yield "falls back to itself"
