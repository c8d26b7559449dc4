"""What one scope has used and holds, in process: the arithmetic of the Lua scripts in Python.

Day, week and month are turned on every look, so a sum is never of another day, week or month than it says.
"""

import math
from dataclasses import dataclass, field

from gateway.exchange import Limits
from gateway.quota.base import QuotaUsage, Spent, WindowUsage
from gateway.quota.calendar import day_of, month_of, next_day, next_month, next_week, wait_for, week_of
from gateway.quota.window import SlidingWindow

CONCURRENT_WAIT_S = 1.0
ELSEWHERE = ""
"""The name in the window of calls that have none here."""


@dataclass(frozen=True, slots=True)
class Want:
    """What a call wants, and the `least` of tokens it can do with. Fewer tokens cost in proportion."""

    tokens: int
    least: int
    cost_micros: int

    def share_of(self, tokens: int) -> int:
        return math.ceil(self.cost_micros * tokens / self.tokens) if self.tokens else self.cost_micros

    def fit(self, tokens: int, left: int | None) -> int | None:
        """The most of `tokens` that `left` has room for; None where not even the least fits."""
        if left is None or tokens <= left:
            return tokens
        return left if self.least <= left else None

    def fit_budget(self, tokens: int, left: int | None) -> int | None:
        if left is None or self.share_of(tokens) <= left:
            return tokens
        room = left * self.tokens // self.cost_micros if self.tokens and self.cost_micros else -1
        return min(room, tokens) if room >= self.least else None


@dataclass(frozen=True, slots=True)
class Denied:
    """The limit in the way, and how long it will be."""

    limit: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class Hold:
    """An open reservation, and the day and month it counts in."""

    tokens: int
    cost_micros: int
    day: int
    month: int


@dataclass(slots=True)
class Account:
    """The counters of one scope. Call `turn` before anything else."""

    seeded: bool = False
    day: int = -1
    month: int = -1
    spent: Spent = field(default_factory=Spent)
    held: Spent = field(default_factory=Spent)
    holds: dict[str, Hold] = field(default_factory=dict)
    window: SlidingWindow = field(default_factory=SlidingWindow)

    def turn(self, now: float) -> None:
        """Bring the account to `now`."""
        today = day_of(now)
        if today != self.day:
            month = month_of(today)
            same = {"week": week_of(today) == week_of(self.day), "month": month == self.month}
            self.spent, self.held = _carried(self.spent, **same), _carried(self.held, **same)
            self.day, self.month = today, month
        self.window.slide(now)

    def admits(self, limits: Limits, want: Want, tokens: int, now: float) -> int | Denied:
        """How much of `tokens` is admitted, or the longest-lasting limit in the way: who has no quota left this
        month is not told to come back in a minute."""
        for limit, most, used in self._calendar(limits):
            fit = want.fit_budget if limit.endswith("micros") else want.fit
            fits = fit(tokens, None if most is None else most - used)
            if fits is None:
                return Denied(limit, wait_for(limit, now))
            tokens = fits
        return self._admits_now(limits, want, tokens, now)

    def _calendar(self, limits: Limits) -> tuple[tuple[str, int | None, int], ...]:
        spent, held = self.spent, self.held
        month_cost = spent.month_cost_micros + held.month_cost_micros
        week_cost = spent.week_cost_micros + held.week_cost_micros
        day_cost = spent.day_cost_micros + held.day_cost_micros
        return (
            ("monthly_budget_micros", limits.monthly_budget_micros, month_cost),
            ("monthly_tokens", limits.monthly_tokens, spent.month_tokens + held.month_tokens),
            ("weekly_budget_micros", limits.weekly_budget_micros, week_cost),
            ("daily_budget_micros", limits.daily_budget_micros, day_cost),
            ("daily_tokens", limits.daily_tokens, spent.day_tokens + held.day_tokens),
        )

    def _admits_now(self, limits: Limits, want: Want, tokens: int, now: float) -> int | Denied:
        window = self.window
        if limits.concurrent is not None and len(self.holds) >= limits.concurrent:
            return Denied("concurrent", CONCURRENT_WAIT_S)
        if limits.rpm is not None and window.calls >= limits.rpm:
            return Denied("rpm", window.wait_for_calls(window.calls - limits.rpm + 1, now))
        if limits.tpm is None:
            return tokens
        fits = want.fit(tokens, limits.tpm - window.tokens)
        if fits is None:
            return Denied("tpm", window.wait_for_tokens(want.least + window.tokens - limits.tpm, now))
        return fits

    def admit(self, ask_id: str, tokens: int, cost_micros: int, now: float) -> None:
        self.hold(ask_id, tokens, cost_micros)
        self.window.admit(ask_id, tokens, now)

    def hold(self, ask_id: str, tokens: int, cost_micros: int) -> None:
        """Only hold: the window knows the call already."""
        self.holds[ask_id] = Hold(tokens, cost_micros, self.day, self.month)
        self.held = self._of(self.held, self.day, self.month, tokens, cost_micros)

    def preload(self, calls: int, tokens: int, at: float) -> None:
        """Count in the window what was admitted elsewhere until `at`, in place of what was last said of it."""
        self.window.remove(ELSEWHERE)
        self.window.admit(ELSEWHERE, tokens, at, settled=True, calls=calls)

    def charge(self, ask_id: str, tokens: int, cost_micros: int, now: float) -> None:
        """Replace the hold of `ask_id` by what was used; without one, what was used counts from now."""
        hold = self._release(ask_id)
        if hold is None:
            self.window.admit(ask_id, tokens, now, settled=True)
        else:
            self.window.settle(ask_id, tokens)
        day, month = (self.day, self.month) if hold is None else (hold.day, hold.month)
        if self.seeded:
            self.spent = self._of(self.spent, day, month, tokens, cost_micros)

    def count(self, tokens: int, cost_micros: int, at: float) -> None:
        """Count what was used at `at` by a call that the window has lost."""
        if self.seeded:
            day = day_of(at)
            self.spent = self._of(self.spent, day, month_of(day), tokens, cost_micros)

    def undo(self, ask_id: str) -> None:
        self._release(ask_id)
        self.window.remove(ask_id)

    def _release(self, ask_id: str) -> Hold | None:
        hold = self.holds.pop(ask_id, None)
        if hold is not None:
            self.held = self._of(self.held, hold.day, hold.month, -hold.tokens, -hold.cost_micros)
        return hold

    def _of(self, sums: Spent, day: int, month: int, tokens: int, cost_micros: int) -> Spent:
        """`sums` and an amount of `day` and `month`, as far as these and the week are still running."""
        today, week, this_month = day == self.day, week_of(day) == week_of(self.day), month == self.month
        return Spent(
            sums.day_tokens + tokens * today,
            sums.month_tokens + tokens * this_month,
            sums.month_cost_micros + cost_micros * this_month,
            sums.day_cost_micros + cost_micros * today,
            sums.week_cost_micros + cost_micros * week,
        )

    def usage(self, limits: Limits, now: float) -> QuotaUsage:
        window, spent, held = self.window, self.spent, self.held
        slides, midnight, turn = window.oldest_leaves_at(now), next_day(now), next_month(now)
        settled = window.tokens - window.held
        monthly, weekly, daily = limits.monthly_budget_micros, limits.weekly_budget_micros, limits.daily_budget_micros
        return QuotaUsage(
            requests_per_minute=WindowUsage(limits.rpm, window.calls, 0, slides),
            tokens_per_minute=WindowUsage(limits.tpm, settled, window.held, slides),
            daily_tokens=WindowUsage(limits.daily_tokens, spent.day_tokens, held.day_tokens, midnight),
            monthly_tokens=WindowUsage(limits.monthly_tokens, spent.month_tokens, held.month_tokens, turn),
            concurrent=WindowUsage(limits.concurrent, len(self.holds), 0, now),
            monthly_budget_micros=WindowUsage(monthly, spent.month_cost_micros, held.month_cost_micros, turn),
            daily_budget_micros=WindowUsage(daily, spent.day_cost_micros, held.day_cost_micros, midnight),
            weekly_budget_micros=WindowUsage(weekly, spent.week_cost_micros, held.week_cost_micros, next_week(now)),
        )


def _carried(sums: Spent, *, week: bool, month: bool) -> Spent:
    """What is left of `sums` on another day, of the same week and month or not."""
    of_month = (sums.month_tokens, sums.month_cost_micros) if month else (0, 0)
    return Spent(0, *of_month, 0, sums.week_cost_micros if week else 0)
