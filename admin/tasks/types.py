"""Tasks: what tokens are given for. No allowed intents means any."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from admin.paging import PageQuery
from admin.schema import BudgetsBody, BudgetsNoun, LongText, Name

Intents = Annotated[list[Name], Field(max_length=100)]


class CreateTask(BudgetsBody):
    name: Name
    description: LongText = ""
    allowed_intents: Intents = Field(default_factory=list)
    is_active: bool = True


class PatchTask(BudgetsBody):
    """What is left out stays as it is. Null takes a budget away."""

    name: Name | None = None
    description: LongText | None = None
    allowed_intents: Intents | None = None
    is_active: bool | None = None

    @model_validator(mode="after")
    def _no_null(self) -> Self:
        for name in sorted(self.model_fields_set - set(BudgetsBody.model_fields)):
            if getattr(self, name) is None:
                raise ValueError(f"{name} can't be null")
        return self


class TaskQuery(PageQuery):
    is_active: bool | None = None


class Task(BudgetsNoun):
    id: int
    name: str
    description: str
    allowed_intents: list[str]
    is_active: bool
    created_at: datetime
