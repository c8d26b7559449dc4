"""The base models and field types of bodies, queries and replies.

Bodies are strict: unknown fields and wrong types are refused, and no text holds a NUL, which Postgres cannot store.
"""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

BIGINT_MAX = 2**63 - 1
LIMIT_MAX = 10**15
"""Above what anyone can use, below 2**53: the quota store counts in doubles."""


class Body(BaseModel):
    """What a client sends to change something. A field left out is not the same as null: see `model_fields_set`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """The parameters of a URL. A misspelt filter is refused: ignored, it would answer another question."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Noun(BaseModel):
    """What a store returns and a reply shows. Never holds a secret."""

    model_config = ConfigDict(frozen=True)


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    return text


def _utc(moment: datetime) -> datetime:
    if not 1970 <= moment.year < 9999:
        raise ValueError("must be between the years 1970 and 9998")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _unspaced(moment: object) -> object:
    """In a URL, the `+` of an unescaped offset arrives as a space."""
    return re.sub(r" (\d\d:?\d\d)$", r"+\1", moment) if isinstance(moment, str) else moment


Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_storable)]
LongText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(_storable)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_storable)]
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_storable)
]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$"),
    AfterValidator(_storable),
]
Password = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_storable)]
Count = Annotated[int, Field(ge=0, le=LIMIT_MAX)]
Id = Annotated[int, Field(ge=1, le=BIGINT_MAX)]
Names = Annotated[list[Name], Field(max_length=500)]
Moment = Annotated[datetime, AfterValidator(_utc)]
QueryMoment = Annotated[datetime, BeforeValidator(_unspaced), AfterValidator(_utc)]


class BudgetsBody(Body):
    """Micro-dollars a UTC day, week (from Monday on) or month. A soft budget refuses nothing and raises an alert."""

    daily_budget_micros: Count | None = None
    weekly_budget_micros: Count | None = None
    monthly_budget_micros: Count | None = None
    soft_daily_budget_micros: Count | None = None
    soft_weekly_budget_micros: Count | None = None
    soft_monthly_budget_micros: Count | None = None


class LimitsBody(BudgetsBody):
    """The limits of a user, a token or a team, by their names on the outside. Quotas are in tokens, budgets in
    micro-dollars. Null: the default."""

    daily_quota: Count | None = None
    monthly_quota: Count | None = None
    rpm: Count | None = None
    tpm: Count | None = None
    concurrent: Count | None = None


LIMIT_COLUMNS = {
    "daily_quota": "daily_tokens",
    "monthly_quota": "monthly_tokens",
    "rpm": "rpm",
    "tpm": "tpm",
    "concurrent": "concurrent",
    "monthly_budget_micros": "monthly_budget_micros",
    "daily_budget_micros": "daily_budget_micros",
    "weekly_budget_micros": "weekly_budget_micros",
    "soft_daily_budget_micros": "soft_daily_budget_micros",
    "soft_weekly_budget_micros": "soft_weekly_budget_micros",
    "soft_monthly_budget_micros": "soft_monthly_budget_micros",
}
"""From the outside name of a limit to its column."""


class BudgetsNoun(Noun):
    daily_budget_micros: int | None
    weekly_budget_micros: int | None
    monthly_budget_micros: int | None
    soft_daily_budget_micros: int | None
    soft_weekly_budget_micros: int | None
    soft_monthly_budget_micros: int | None


class LimitsNoun(BudgetsNoun):
    daily_quota: int | None
    monthly_quota: int | None
    rpm: int | None
    tpm: int | None
    concurrent: int | None
