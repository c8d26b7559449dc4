"""Users: whoever owns tokens, limits and traffic; with a password and a role, staff."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from admin.paging import PageQuery
from admin.rbac import Role
from admin.schema import Body, Email, Id, LimitsBody, LimitsNoun, Name, Names, Password, Reason, Text

TaskIds = Annotated[list[Id], Field(max_length=500)]
BLOCK_MINUTES_MAX = 10 * 366 * 24 * 60


class CreateUser(LimitsBody):
    email: Email
    name: Text
    username: Name | None = None
    role: Role = Role.USER
    allowed_models: Names | None = None
    task_ids: TaskIds = Field(default_factory=list)
    password: Password | None = Field(default=None, repr=False)


class PatchUser(LimitsBody):
    """What is left out stays as it is. Null takes a limit or the list of models away, where null makes sense."""

    email: Email | None = None
    name: Text | None = None
    username: Name | None = None
    role: Role | None = None
    is_active: bool | None = None
    allowed_models: Names | None = None
    task_ids: TaskIds | None = None
    password: Password | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _no_null(self) -> Self:
        for name in ("email", "name", "role", "is_active", "task_ids", "password"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} can't be null")
        return self


class BlockUser(Body):
    """Without minutes the block lasts until somebody ends it."""

    reason: Reason
    minutes: Annotated[int, Field(ge=1, le=BLOCK_MINUTES_MAX)] | None = None


class UnblockUser(Body):
    reason: Reason


class UserQuery(PageQuery):
    """`search` is any part of the e-mail or the name."""

    email: Text | None = None
    search: Text | None = None
    role: Role | None = None
    is_active: bool | None = None
    blocked: bool | None = None
    team_id: Id | None = None


class User(LimitsNoun):
    id: int
    email: str
    username: str | None
    name: str
    role: Role
    is_active: bool
    blocked_until: datetime | None
    block_reason: str | None
    allowed_models: list[str] | None
    task_ids: list[int]
    team_id: int | None
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None


class CreatedUser(User):
    """`api_token` is shown this once: only its hash is kept."""

    token_id: int
    api_token: str = Field(repr=False)
