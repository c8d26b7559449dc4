"""Teams: users who share limits, budgets and models. A user is in one team at most, so it is plain who pays."""

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from admin.analytics.types import Totals
from admin.paging import PageQuery
from admin.schema import Body, Id, LimitsBody, LimitsNoun, LongText, Name, Names, Noun, Query, Text
from admin.self_service.types import Windows


class CreateTeam(LimitsBody):
    """Its limits are of all members together and bind beside their own; its models narrow theirs."""

    name: Name
    description: LongText = ""
    allowed_models: Names | None = None


class PatchTeam(LimitsBody):
    """What is left out stays as it is. Null takes a limit or the list of models away."""

    name: Name | None = None
    description: LongText | None = None
    allowed_models: Names | None = None

    @model_validator(mode="after")
    def _no_null(self) -> Self:
        for name in ("name", "description"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} can't be null")
        return self


class TeamQuery(PageQuery):
    """`search` is any part of the name."""

    search: Text | None = None


class Team(LimitsNoun):
    id: int
    name: str
    description: str
    allowed_models: list[str] | None
    members: int
    created_at: datetime
    updated_at: datetime


class Users(Body):
    user_ids: Annotated[list[Id], Field(min_length=1, max_length=500)]


class Member(Noun):
    user_id: int
    email: str
    name: str
    joined_at: datetime


class MemberUsage(Totals):
    """What a member used on the team's account, former ones included."""

    user_id: int
    email: str | None


class SpanQuery(Query):
    """UTC days, the last one included. Without `from`: the running month."""

    since: date | None = Field(default=None, alias="from")
    until: date | None = Field(default=None, alias="to")


class TeamUsage(Noun):
    since: date = Field(serialization_alias="from")
    until: date = Field(serialization_alias="to")
    data: list[MemberUsage]
    totals: Totals


class TeamWindows(Windows):
    """The team's limits and what is left of them."""
