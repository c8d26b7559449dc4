"""What users see of themselves."""

from datetime import date, datetime

from pydantic import Field

from admin.schema import Noun, Query, QueryMoment


class UsageStats(Noun):
    requests: int
    total_tokens: int
    cost_micros: int


class Stats(Noun):
    """Of the running UTC day and month, and of all time."""

    today: UsageStats
    month: UsageStats
    total: UsageStats
    active_tokens: int


class ProfileTask(Noun):
    id: int
    name: str
    allowed_intents: list[str]


class Profile(Noun):
    id: int
    email: str
    username: str | None
    name: str
    role: str
    is_active: bool
    allowed_models: list[str] | None
    tasks: list[ProfileTask]
    created_at: datetime
    stats: Stats


class OwnUsageQuery(Query):
    """Without `from`: the last 30 days."""

    since: QueryMoment | None = Field(default=None, alias="from")
    until: QueryMoment | None = Field(default=None, alias="to")


class DayUsage(Noun):
    """`unpriced` are the requests that used tokens at an unknown price: `cost_micros` is without them."""

    day: date
    requests: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_micros: int
    unpriced: int


class UsageTotals(Noun):
    requests: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_micros: int
    unpriced: int


class OwnUsage(Noun):
    data: list[DayUsage]
    totals: UsageTotals


class Window(Noun):
    """One limit. `used` counts settled calls, `reserved` those under way; null is unlimited."""

    limit: int | None
    used: int
    reserved: int
    remaining: int | None
    resets_at: datetime


class Windows(Noun):
    daily: Window
    monthly: Window
    requests_per_minute: Window
    tokens_per_minute: Window
    concurrent: Window
    monthly_budget_micros: Window
    weekly_budget_micros: Window
    daily_budget_micros: Window


class TeamQuota(Windows):
    id: int
    name: str


class Quota(Windows):
    """One's own limits, and those one shares with a team."""

    team: TeamQuota | None
