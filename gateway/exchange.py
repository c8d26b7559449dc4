"""The types that flow through a request, in the order in which they are made.

All are frozen but two: the `Meter`, which the relay fills as bytes pass, and the `Exchange`, which only
`lifecycle.py` writes. On the Exchange a field is None until its phase has run: that is how far the request got.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from classifiers.base import Judgement, Turn
from gateway.multipart import Form

if TYPE_CHECKING:
    from gateway.errors import Refusal
    from gateway.prices import Prices
    from gateway.quota.base import Ask

Json = dict[str, Any]


class Dialect(StrEnum):
    """The wire format a client speaks; its errors and streams come back in it."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"


class Endpoint(StrEnum):
    """What is asked for. The value is the path below `/v1/`; for Gemini's it is what follows the model's name there.
    Models are answered by the gateway itself."""

    CHAT = "chat/completions"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RESPONSES = "responses"
    MODERATIONS = "moderations"
    IMAGES = "images/generations"
    IMAGE_EDITS = "images/edits"
    IMAGE_VARIATIONS = "images/variations"
    SPEECH = "audio/speech"
    TRANSCRIPTIONS = "audio/transcriptions"
    TRANSLATIONS = "audio/translations"
    RERANK = "rerank"
    MESSAGES = "messages"
    COUNT_TOKENS = "messages/count_tokens"
    GENERATE = "generateContent"
    MODELS = "models"

    @property
    def dialect(self) -> Dialect:
        return _OTHER_DIALECTS.get(self, Dialect.OPENAI)


_OTHER_DIALECTS = {
    Endpoint.MESSAGES: Dialect.ANTHROPIC,
    Endpoint.COUNT_TOKENS: Dialect.ANTHROPIC,
    Endpoint.GENERATE: Dialect.GEMINI,
}

CONVERSATIONS = frozenset((Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.MESSAGES, Endpoint.GENERATE))
"""What can be carried over into another dialect."""

FORMS = frozenset((Endpoint.IMAGE_EDITS, Endpoint.IMAGE_VARIATIONS, Endpoint.TRANSCRIPTIONS, Endpoint.TRANSLATIONS))
"""What is asked for by a form, since a file is part of it."""

UNIT_BILLED = FORMS | {Endpoint.IMAGES, Endpoint.SPEECH, Endpoint.RERANK}
"""What may be billed in other units than tokens: images, seconds, characters, searches."""


class Inbound(NamedTuple):
    """A request as it came in. `headers` are looked up by lower-case name; `read_body` raises the refusals of a body
    that is too large or too slow, and is called once, after the caller is known. `started` is `time.perf_counter()`;
    `query` what follows the path's question mark. Gemini's paths say the model and whether the answer is a stream."""

    id: str
    endpoint: Endpoint
    dialect: Dialect
    headers: Mapping[str, str]
    read_body: Callable[[], Awaitable[bytes]]
    started: float
    at: datetime
    model_id: str | None = None
    query: str = ""
    stream: bool = False

    @property
    def request_id(self) -> str:
        return f"req_{self.id}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one scope (a user, a token or a team) may use; None is unlimited. Budgets in micro-dollars a calendar day,
    week (from Monday on) or month."""

    rpm: int | None = None
    tpm: int | None = None
    daily_tokens: int | None = None
    monthly_tokens: int | None = None
    concurrent: int | None = None
    monthly_budget_micros: int | None = None
    daily_budget_micros: int | None = None
    weekly_budget_micros: int | None = None


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class Task:
    """A purpose that tokens are given for. No `allowed_intents` means any. Its limits are of all who call for it."""

    id: int
    name: str
    allowed_intents: frozenset[str] = frozenset()
    limits: Limits = UNLIMITED


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, and what they may do. `allowed_models` None is every model. `blocked_until` set and in the
    future, or `is_active` false, is refused at the door."""

    user_id: int
    token_id: int
    email: str
    name: str
    role: str
    is_active: bool = True
    blocked_until: datetime | None = None
    block_reason: str | None = None
    token_expires_at: datetime | None = None
    allowed_models: frozenset[str] | None = None
    tasks: Mapping[int, Task] = field(default_factory=dict)
    user_limits: Limits = UNLIMITED
    token_limits: Limits = UNLIMITED
    team_id: int | None = None
    team_limits: Limits = UNLIMITED


class ModelCall(NamedTuple):
    """A parsed call. `body` is the client's JSON less our own fields; `raw` the client's bytes where those may be
    forwarded as they are, else None; of a `form` the fields that the gateway acts on are the body. Tokens are estimates
    for admission, never for the bill."""

    endpoint: Endpoint
    model: str
    body: Json
    raw: bytes | None
    body_bytes: int
    stream: bool
    wants_usage: bool
    task_id: int | None
    turns: Sequence[Turn]
    input_tokens_estimate: int
    max_output_tokens: int | None
    choices: int = 1
    form: Form | None = None

    @property
    def dialect(self) -> Dialect:
        return self.endpoint.dialect


class Action(StrEnum):
    ALLOW = "allow"
    FLAG = "flag"
    THROTTLE = "throttle"
    BLOCK = "block"


class Verdict(NamedTuple):
    """What the call is for and how much it looks like misuse. `deviation` is the probability mass of intents outside
    what the task declares, None without such a task. `action` is what the policy says; `enforced` whether it counts."""

    judgement: Judgement
    deviation: float | None
    action: Action
    rule: str | None
    enforced: bool


class Grant(NamedTuple):
    """An admitted call: what is reserved until it is settled, and what the client is told is left."""

    reserved_tokens: int
    limit_requests: int | None = None
    remaining_requests: int | None = None
    reset_requests_s: float = 0.0
    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens_s: float = 0.0


class Usage(NamedTuple):
    """Tokens as billed by the upstream. All but the first two are parts of these: of the prompt what was read from a
    cache or written to one, images and sound; of the completion reasoning, images and sound."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    image_tokens: int = 0
    audio_tokens: int = 0
    image_output_tokens: int = 0
    audio_output_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(slots=True)
class Meter:
    """What has passed so far. `usage` is the upstream's word; where there is none when the relay ends, our own count of
    the input and of `relayed` takes its place (`flags` say so). `answered`: a good reply of the upstream had begun, so
    there is something to pay for; `complete`: it came to its end. `upstream_s`: seconds spent on the upstream.
    `cost_micros` is known once the call is over, None where nothing was used or the price is unknown."""

    usage: Usage | None = None
    answered: bool = False
    complete: bool = False
    first_byte_at: float | None = None
    upstream_s: float = 0.0
    attempts: int = 0
    relayed: list[bytes] = field(default_factory=list)
    relayed_bytes: int = 0
    counted_tokens: int = 0
    flags: set[str] = field(default_factory=set)
    cost_micros: int | None = None
    target: "Target | None" = None

    def forget(self) -> None:
        """What came so far is nobody's answer: there is nothing to pay for."""
        self.usage, self.first_byte_at = None, None
        self.answered = self.complete = False
        self.relayed, self.relayed_bytes, self.counted_tokens = [], 0, 0


@dataclass(frozen=True, slots=True)
class Target:
    """One model at one provider. Without `prices` it is not known what it costs."""

    provider: str
    upstream_model: str
    prices: "Prices" = ()

    @property
    def key(self) -> str:
        return f"{self.provider}/{self.upstream_model}"


PHASES = ("authenticate", "parse", "route", "classify", "choose", "admit", "relay")


@dataclass(slots=True)
class Exchange:
    """Everything one request came to. Written by `lifecycle.py` alone."""

    inbound: Inbound
    principal: Principal | None = None
    call: ModelCall | None = None
    verdict: Verdict | None = None
    ask: "Ask | None" = None
    grant: Grant | None = None
    meter: Meter = field(default_factory=Meter)
    refusal: "Refusal | None" = None
    ends: list[float] = field(default_factory=list)
    """When each of PHASES ended, as far as the request got."""

    @property
    def seconds(self) -> dict[str, float]:
        """How long each phase took."""
        began = [self.inbound.started, *self.ends]
        return {phase: end - began[i] for i, (phase, end) in enumerate(zip(PHASES, self.ends, strict=False))}
