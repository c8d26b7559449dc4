"""Whether and when to try again. Pure decisions; the budget counts what is under way.

Retries are held to 20 % of the calls under way, at least 3 (Envoy's retry budget), so that an outage is not made worse
by its victims. Backoff is exponential with full jitter; a `Retry-After` of the upstream comes first.
"""

import random
import re
from dataclasses import dataclass

from gateway.config import ILLNESSES, Trouble
from gateway.errors import CantBeCarried, Refusal, UpstreamDenied, UpstreamError, UpstreamRejected, UpstreamTimeout

BUDGET_SHARE = 0.2
BUDGET_MIN = 3
BASE_BACKOFF_S = 0.25
MAX_BACKOFF_S = 8.0

# Codes where there are any (OpenAI's and Azure's, llama.cpp's), and the words of those who have none (Anthropic,
# Gemini, Bedrock, vLLM).
_CONTEXT_CODES = frozenset(("context_length_exceeded", "exceed_context_size_error", "request_too_large"))
_CONTEXT_WORDS = re.compile(
    r"prompt is too long|maximum context length|context (?:window|size|length)|too many (?:input )?tokens"
    r"|input is too long|token count .{0,40}exceeds",
    re.IGNORECASE,
)
_FILTER_CODES = frozenset(("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"))
_FILTER_WORDS = re.compile(r"content (?:filter|management policy|policy)|safety (?:system|filter)", re.IGNORECASE)


@dataclass(slots=True)
class RetryBudget:
    active: int = 0
    retrying: int = 0

    def take(self) -> bool:
        """Claim one retry; give it back with `release`."""
        if self.retrying >= max(BUDGET_MIN, BUDGET_SHARE * self.active):
            return False
        self.retrying += 1
        return True

    def release(self) -> None:
        self.retrying -= 1


def trouble_of(refusal: Refusal) -> Trouble | None:
    """Which trouble this is to a route's fallbacks; None where nobody else could do better."""
    if isinstance(refusal, UpstreamRejected):
        return "rate_limit" if refusal.status == 429 else _trouble_with_the_content(refusal)
    if isinstance(refusal, UpstreamTimeout):
        return "timeout"
    return "error" if isinstance(refusal, UpstreamError | CantBeCarried) else None


def _trouble_with_the_content(refusal: UpstreamRejected) -> Trouble | None:
    if refusal.status not in (400, 413, 422):
        return None
    said = {refusal.code, refusal.type}
    if refusal.status == 413 or said & _CONTEXT_CODES or _CONTEXT_WORDS.search(refusal.message):
        return "context_length"
    return "content_filter" if said & _FILTER_CODES or _FILTER_WORDS.search(refusal.message) else None


def is_retryable(refusal: Refusal, *, elsewhere: bool) -> bool:
    """May another attempt help, at the same target or `elsewhere`? Our key's fault is only another target's chance,
    and so is what one dialect can't say."""
    if isinstance(refusal, UpstreamRejected):
        return refusal.status == 429
    if isinstance(refusal, UpstreamDenied | CantBeCarried):
        return elsewhere
    return isinstance(refusal, UpstreamError | UpstreamTimeout)


def may_repeat(refusal: Refusal, trouble: Trouble) -> bool:
    """May a target that gave `refusal` be asked again, now that the latest trouble is this? A call that is too long, or
    filtered, stays so."""
    return trouble in ILLNESSES and is_retryable(refusal, elsewhere=False)


def counts_as_failure(refusal: Refusal) -> bool:
    """Is the target itself ill? A rate limit, a bad request or a refused key is not an illness."""
    return isinstance(refusal, UpstreamError | UpstreamTimeout) and not isinstance(refusal, UpstreamDenied)


def backoff_s(attempt: int, refusal: Refusal, rng: random.Random) -> float:
    """Seconds to wait before trying the same target again; `attempt` counts from 1."""
    ceiling = min(MAX_BACKOFF_S, BASE_BACKOFF_S * 2**attempt)
    return max(refusal.retry_after_s or 0.0, rng.uniform(ceiling / 2, ceiling))
