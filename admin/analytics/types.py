"""Usage by day, hour, user, model, intent or task: sums of rollups, so the cost grows with them, not with calls."""

from datetime import date, datetime
from enum import StrEnum

from pydantic import Field

from admin.paging import Limit
from admin.schema import Id, Noun, Query, QueryMoment, Text


class GroupBy(StrEnum):
    DAY = "day"
    HOUR = "hour"
    USER = "user"
    MODEL = "model"
    INTENT = "intent"
    TASK = "task"


class UsageQuery(Query):
    """Without `from`: the last 30 days, or 48 hours by hour. Groups that are no times come largest first."""

    group_by: GroupBy = GroupBy.DAY
    since: QueryMoment | None = Field(default=None, alias="from")
    until: QueryMoment | None = Field(default=None, alias="to")
    user_id: Id | None = None
    token_id: Id | None = None
    task_id: Id | None = None
    model: Text | None = None
    intent: Text | None = None
    limit: Limit = 500


class Totals(Noun):
    """`unpriced` are the requests that used tokens at an unknown price: `cost_micros` is without them."""

    requests: int
    refused: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_micros: int
    unpriced: int


class UsageRow(Totals):
    """Only the key of the grouping is there; null is usage that has none."""

    day: date | None = None
    hour: datetime | None = None
    user_id: int | None = None
    email: str | None = None
    model: str | None = None
    intent: str | None = None
    task_id: int | None = None
    task: str | None = None


class UsageReport(Noun):
    """`has_more`: there are groups beyond `limit`; the totals are of all."""

    group_by: GroupBy
    since: datetime = Field(serialization_alias="from")
    until: datetime = Field(serialization_alias="to")
    data: list[UsageRow]
    totals: Totals
    has_more: bool
