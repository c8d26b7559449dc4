"""Alerts: a budget, soft or hard, was reached. There is one for each period and amount."""

from datetime import date, datetime
from typing import Literal

from admin.paging import PageQuery
from admin.schema import Id, Noun

Owner = Literal["user", "token", "team", "task"]
Level = Literal["soft", "hard"]


class AlertQuery(PageQuery):
    owner: Owner | None = None
    owner_id: Id | None = None
    level: Level | None = None


class BudgetAlert(Noun):
    """`since` is the first day of the period; `spent_micros` what had been spent when the alert was raised."""

    id: int
    at: datetime
    owner: Owner
    owner_id: int
    period: Literal["day", "week", "month"]
    since: date
    level: Level
    budget_micros: int
    spent_micros: int
