"""Who did what to which object, and why: an append-only account. It never holds a secret."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from admin.paging import PageQuery
from admin.schema import Id, Noun, QueryMoment, Text


@dataclass(frozen=True, slots=True)
class Actor:
    """Who answers for a write. The command line and the gateway itself have no user."""

    user_id: int | None
    kind: Literal["user", "system", "cli"]
    ip: str | None = None


CLI = Actor(user_id=None, kind="cli")
SYSTEM = Actor(user_id=None, kind="system")


class AuditEntry(Noun):
    id: int
    at: datetime
    actor_id: int | None
    actor_kind: str
    action: str
    object_type: str
    object_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    ip: str | None


class AuditQuery(PageQuery):
    actor_id: Id | None = None
    action: Text | None = None
    object_type: Text | None = None
    object_id: Text | None = None
    since: QueryMoment | None = Field(default=None, alias="from")
    until: QueryMoment | None = Field(default=None, alias="to")
