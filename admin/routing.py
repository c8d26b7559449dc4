"""A route of the control plane: the same line mounts the handler, guards it and documents it.

`permission` has no default: a route that nobody guards cannot be written.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from pydantic import BaseModel

from admin.audit.types import Actor
from admin.deps import AdminDeps
from admin.errors import NotFound, Unauthorized
from admin.rbac import Access, Permission, Role, may
from admin.schema import BIGINT_MAX

Handler = Callable[..., Awaitable[BaseModel | None]]
"""`async def handler(call[, body][, query])`: body and query of the models that the route names."""


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is below the prefix that the table is mounted at; `{id}` is a number. `forms`: HTML forms are read too.
    `empty_body`: no body is the same as `{}`."""

    method: str
    path: str
    handler: Handler
    permission: Permission | Access
    summary: str
    takes: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    gives: type[BaseModel] | None = None
    status: int = 200
    forms: bool = False
    empty_body: bool = False


@dataclass(frozen=True, slots=True)
class Staff:
    """A person with a session, as the database knows them now, not as the token was written."""

    user_id: int
    email: str
    role: Role
    session: UUID


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the door. `user_id` is set wherever somebody had to be known."""

    deps: AdminDeps
    staff: Staff | None
    caller_id: int | None
    path_id: int | None
    ip: str
    bearer: str | None

    @property
    def actor(self) -> Actor:
        return Actor(user_id=self.user_id, kind="user", ip=self.ip)

    @property
    def user_id(self) -> int:
        if self.caller_id is None:
            raise Unauthorized("Not authenticated.")
        return self.caller_id

    @property
    def role(self) -> Role:
        if self.staff is None:
            raise Unauthorized("Not authenticated.")
        return self.staff.role

    @property
    def id(self) -> int:
        """The id of the path. One that no row can have is not found, like any other without a row."""
        if self.path_id is None or self.path_id > BIGINT_MAX:
            raise NotFound("No such object.")
        return self.path_id

    def may(self, permission: Permission) -> bool:
        return self.staff is not None and may(self.staff.role, permission)
