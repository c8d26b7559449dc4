"""Rows of the request log: one for every call, refused ones too. Contents are not in it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from admin.paging import PageQuery
from admin.schema import Id, Noun, QueryMoment, Text


class LogRow(Noun):
    id: UUID
    request_id: str
    at: datetime
    user_id: int | None
    token_id: int | None
    task_id: int | None
    model: str | None
    upstream_model: str | None
    provider: str | None
    status: int
    error_code: str | None
    stream: bool
    intent: str | None
    intent_confidence: float | None
    deviation_score: float | None
    misuse_score: float | None
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_micros: int | None
    ttfb_ms: float | None
    total_ms: float
    overhead_ms: float
    team_id: int | None


class LogQuery(PageQuery):
    user_id: Id | None = None
    token_id: Id | None = None
    task_id: Id | None = None
    team_id: Id | None = None
    model: Text | None = None
    status: Annotated[int, Field(ge=100, le=999)] | None = None
    intent: Text | None = None
    request_id: Text | None = None
    min_misuse: Annotated[float, Field(ge=0, le=1)] | None = None
    since: QueryMoment | None = Field(default=None, alias="from")
    until: QueryMoment | None = Field(default=None, alias="to")
