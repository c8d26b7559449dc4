"""API tokens. The token itself is shown when it is made and never again: only its hash is kept."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from admin.paging import PageQuery
from admin.schema import Body, Id, LimitsBody, LimitsNoun, Moment, Name, Names, Text

OVERLAP_MINUTES_MAX = 30 * 24 * 60


class CreateToken(LimitsBody):
    """Without `user_id` it is for oneself. Its limits bind beside the user's own; its models narrow the user's."""

    user_id: Id | None = None
    name: Text = ""
    allowed_models: Names | None = None
    expires_at: Moment | None = None


class PatchToken(LimitsBody):
    name: Name | None = None
    allowed_models: Names | None = None
    expires_at: Moment | None = None

    @model_validator(mode="after")
    def _no_null(self) -> Self:
        if "name" in self.model_fields_set and self.name is None:
            raise ValueError("name can't be null")
        return self


class RotateToken(Body):
    """For how long the old token works beside the new one, at most until it would have expired anyway."""

    overlap_minutes: Annotated[int, Field(ge=0, le=OVERLAP_MINUTES_MAX)] = 60


class TokenQuery(PageQuery):
    user_id: Id | None = None
    active: bool | None = None


class Token(LimitsNoun):
    id: int
    user_id: int
    name: str
    prefix: str
    last4: str
    allowed_models: list[str] | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class CreatedToken(Token):
    api_token: str = Field(repr=False)


class RotatedToken(CreatedToken):
    replaces: Token
