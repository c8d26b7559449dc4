"""Who may do what: one table from role to permissions. What the table does not say is denied."""

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    ADMIN = "admin"
    ML_ENGINEER = "ml_engineer"
    RISK_OFFICER = "risk_officer"
    USER = "user"
    SERVICE = "service"


class Access(StrEnum):
    """Doors that ask for no permission, each for a reason that its route can be asked for."""

    PUBLIC = "public"
    """Anyone: what one needs in order to sign in."""
    SIGNED_IN = "signed-in"
    """Any staff session, about itself."""
    CALLER = "caller"
    """Any API token or session, about its own user."""


class Permission(StrEnum):
    """`<resource>:<action>`, in alphabetical order. `tokens:own` is about one's own tokens only."""

    ANALYTICS_READ = "analytics:read"
    AUDIT_READ = "audit:read"
    LOGS_READ = "logs:read"
    POLICIES_READ = "policies:read"
    PROVIDERS_READ = "providers:read"
    SETTINGS_READ = "settings:read"
    SETTINGS_RELOAD = "settings:reload"
    TASKS_READ = "tasks:read"
    TASKS_WRITE = "tasks:write"
    TEAMS_READ = "teams:read"
    TEAMS_WRITE = "teams:write"
    TOKENS_OWN = "tokens:own"
    TOKENS_WRITE = "tokens:write"
    USERS_BLOCK = "users:block"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"


GRANTS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.ML_ENGINEER: frozenset(
        {
            Permission.ANALYTICS_READ,
            Permission.POLICIES_READ,
            Permission.PROVIDERS_READ,
            Permission.SETTINGS_READ,
            Permission.TASKS_READ,
            Permission.TOKENS_OWN,
        }
    ),
    Role.RISK_OFFICER: frozenset(
        {
            Permission.ANALYTICS_READ,
            Permission.AUDIT_READ,
            Permission.LOGS_READ,
            Permission.POLICIES_READ,
            Permission.TASKS_READ,
            Permission.TEAMS_READ,
            Permission.TOKENS_OWN,
        }
    ),
    Role.USER: frozenset(),
    Role.SERVICE: frozenset(),
}

_RANK = {Role.SERVICE: 0, Role.USER: 0, Role.ML_ENGINEER: 1, Role.RISK_OFFICER: 1, Role.ADMIN: 2}


def may(role: Role, permission: Permission) -> bool:
    return permission in GRANTS.get(role, frozenset())


def may_act_on(actor: Role, target: Role) -> bool:
    """Nobody acts on their equals or betters, or hands out such a role; admins act on anyone."""
    return actor is Role.ADMIN or _RANK[actor] > _RANK[target]
