"""Whether and when to try again. Pure decisions; the budget counts what is under way.

Retries are held to 20 % of the calls under way, at least 3 (Envoy's retry budget), so that an outage is not made worse
by its victims. Backoff is exponential with full jitter; a `Retry-After` of the upstream comes first.
"""

import random
from dataclasses import dataclass

from gateway.errors import Refusal, UpstreamDenied, UpstreamError, UpstreamRejected, UpstreamTimeout

BUDGET_SHARE = 0.2
BUDGET_MIN = 3
BASE_BACKOFF_S = 0.25
MAX_BACKOFF_S = 8.0


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


def is_retryable(refusal: Refusal, *, elsewhere: bool) -> bool:
    """May another attempt help, at the same target or `elsewhere`? Our key's fault is only another target's chance."""
    if isinstance(refusal, UpstreamRejected):
        return refusal.status == 429
    if isinstance(refusal, UpstreamDenied):
        return elsewhere
    return isinstance(refusal, UpstreamError | UpstreamTimeout)


def counts_as_failure(refusal: Refusal) -> bool:
    """Is the target itself ill? A rate limit, a bad request or a refused key is not an illness."""
    return isinstance(refusal, UpstreamError | UpstreamTimeout) and not isinstance(refusal, UpstreamDenied)


def backoff_s(attempt: int, refusal: Refusal, rng: random.Random) -> float:
    """Seconds to wait before trying the same target again; `attempt` counts from 1."""
    ceiling = min(MAX_BACKOFF_S, BASE_BACKOFF_S * 2**attempt)
    return max(refusal.retry_after_s or 0.0, rng.uniform(ceiling / 2, ceiling))
