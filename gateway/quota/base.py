"""The quota seam: reserve before the upstream is asked, settle when the bill is known.

Windows: requests and tokens per minute are true sliding windows of 60 s; tokens a day or month and money a day, week
or month are UTC calendar windows; concurrency is the number of open reservations. All are checked and reserved in one
step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.errors import InsufficientQuota, RateLimitExceeded, Refusal
from gateway.exchange import UNLIMITED, Grant, Limits

LEASE_S = 90.0
"""A reservation that is neither settled nor renewed for this long belonged to a process that died: it is released."""

WINDOW_S = 60.0

RECORD_S = 900.0
"""For how long an ask is remembered after its last sign of life, so that reserving or settling twice counts once."""

MOST = 10**12
"""No call uses or costs more than this: sums of such numbers stay exact in the doubles of Lua."""


class Scope(NamedTuple):
    """Whose limits: a user, one of the user's tokens (`token_id` set), or a team or task (theirs set, no user).

    The scopes of a user share a hash slot; teams and tasks have their own, so these need a Redis that is whole."""

    user_id: int
    token_id: int | None
    limits: Limits
    team_id: int | None = None
    task_id: int | None = None

    @property
    def name(self) -> str:
        if self.team_id is not None:
            return f"g{self.team_id}"
        if self.task_id is not None:
            return f"k{self.task_id}"
        return f"u{self.user_id}" if self.token_id is None else f"t{self.token_id}"

    @property
    def slot(self) -> str:
        return f"u{self.user_id}" if self.team_id is None and self.task_id is None else self.name

    @property
    def limited(self) -> bool:
        """Whether there is anything to count: a scope without limits costs nothing."""
        return self.limits is not UNLIMITED and self.limits != UNLIMITED


def team_scope(team_id: int, limits: Limits) -> Scope:
    return Scope(0, None, limits, team_id)


def task_scope(task_id: int, limits: Limits) -> Scope:
    return Scope(0, None, limits, task_id=task_id)


class Ask(NamedTuple):
    """What a call wants: one request, `tokens` (input estimate + bounded output) and `cost_micros`. The `id` is ASCII.

    `min_tokens` is the input alone: where `tokens` does not fit but `min_tokens` + 1 does, the reservation is what is
    left, and the Grant says how much (a call without max_tokens is not refused for what it may never use)."""

    id: str
    scopes: Sequence[Scope]
    tokens: int
    min_tokens: int
    cost_micros: int = 0


@dataclass(frozen=True, slots=True)
class Left:
    """What the log of a process that died says of a call it had admitted, and that ended `age_s` ago."""

    ask_id: str
    user_id: int
    token_id: int
    tokens: int
    cost_micros: int
    age_s: float
    team_id: int | None = None
    task_id: int | None = None

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Everyone it may have been admitted for."""
        scopes = [Scope(self.user_id, None, UNLIMITED), Scope(self.user_id, self.token_id, UNLIMITED)]
        if self.team_id is not None:
            scopes.append(team_scope(self.team_id, UNLIMITED))
        if self.task_id is not None:
            scopes.append(task_scope(self.task_id, UNLIMITED))
        return tuple(scopes)


@dataclass(frozen=True, slots=True)
class WindowUsage:
    """One limit as a user sees it. `used` counts settled calls; `reserved` open ones. Resets in unix seconds."""

    limit: int | None
    used: int
    reserved: int
    resets_at: float


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    requests_per_minute: WindowUsage
    tokens_per_minute: WindowUsage
    daily_tokens: WindowUsage
    monthly_tokens: WindowUsage
    concurrent: WindowUsage
    monthly_budget_micros: WindowUsage
    daily_budget_micros: WindowUsage
    weekly_budget_micros: WindowUsage


@dataclass(frozen=True, slots=True)
class Spent:
    """What the ledger (Postgres) says a scope has used in the running UTC day, week and month."""

    day_tokens: int = 0
    month_tokens: int = 0
    month_cost_micros: int = 0
    day_cost_micros: int = 0
    week_cost_micros: int = 0


class Ledger(Protocol):
    """Where counters are rebuilt from. MUST raise, never return zeros, when it cannot answer."""

    async def spent(self, scope: Scope) -> Spent: ...


class QuotaUnavailable(Exception):
    """The store cannot answer. What happens then is decided by the caller, in the open."""


class LedgerUnavailable(QuotaUnavailable):
    """The store is there but has no counters for the scope, and the ledger cannot say what they should be."""


def refuse(limit: str, scope: str, allowed: int, retry_after_s: float) -> Refusal:
    """The refusal for a limit that does not admit a call. `limit` is a field of `Limits`."""
    whose = _WHOSE[scope[0]]
    said = _SAID[limit].format(allowed)
    if limit in ("rpm", "tpm", "concurrent"):
        return RateLimitExceeded(
            f"Rate limit of this {whose} reached: {said}.", param=limit, retry_after_s=retry_after_s
        )
    return InsufficientQuota(f"Quota of this {whose} used up: {said}.", param=limit, retry_after_s=retry_after_s)


def allowed(limits: Limits, limit: str) -> int:
    """The value of the limit named `limit`, which is set."""
    value: int = getattr(limits, limit)
    return value


def bounded(amount: int) -> int:
    """`amount` as it may enter a sum: a negative charge would be a gift."""
    return min(max(amount, 0), MOST)


_WHOSE = {"u": "user", "t": "token", "g": "team", "k": "task"}
_SAID = {
    "rpm": "{} requests per minute",
    "tpm": "{} tokens per minute",
    "concurrent": "{} concurrent requests",
    "daily_tokens": "{} tokens per day",
    "monthly_tokens": "{} tokens per month",
    "monthly_budget_micros": "{} micro-dollars per month",
    "weekly_budget_micros": "{} micro-dollars per week",
    "daily_budget_micros": "{} micro-dollars per day",
}


class QuotaStore(Protocol):
    """Check-and-reserve, settle, look.

    `reserve` MUST check every limit of every scope and reserve in all or none, atomically over all workers; MUST be
    idempotent by `Ask.id`; MUST raise the Refusal of the first limit that does not admit the call (a refused call
    leaves no trace), or QuotaUnavailable within 150 ms; MUST use the store's own clock.
    `settle` MUST NOT block or raise; MUST replace the reservation by what was used, once per id however often it is
    called; MUST keep trying while the store is away. The request stays counted in its window even when it used 0
    tokens: an admitted call was made.
    `recover` settles for a process that died, from its log: once per id, whether or not its own settle had arrived.
    It MUST NOT block or raise, and MUST be told of rows once the ledger has them.
    `usage` reads one scope without changing it.
    `forget` drops a scope's counters of day, week and month, to be rebuilt from the ledger at the next call.
    """

    async def reserve(self, ask: Ask) -> Grant: ...

    def settle(self, ask: Ask, tokens: int, cost_micros: int) -> None: ...

    def recover(self, left: Left) -> None: ...

    async def usage(self, scope: Scope) -> QuotaUsage: ...

    async def forget(self, scope: Scope) -> None: ...

    async def close(self) -> None: ...
