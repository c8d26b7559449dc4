"""Policies, providers and settings in force, to read; and reading the configuration file anew."""

import logging

from admin.audit.store import record
from admin.deps import View
from admin.errors import NotFound, Unprocessable
from admin.rbac import Permission
from admin.routing import Call, Route
from admin.store import transaction
from admin.system.types import Reloaded, Snapshot
from gateway.config import ConfigError

logger = logging.getLogger("guardflow.admin")


async def policies(call: Call) -> Snapshot:
    return _shown(call.deps.policies_view)


async def providers(call: Call) -> Snapshot:
    return _shown(call.deps.providers_view)


async def settings(call: Call) -> Snapshot:
    return _shown(call.deps.settings_view)


async def reload(call: Call) -> Reloaded:
    """A file that can't be used is refused with what is wrong with it; the configuration in force stays."""
    if call.deps.reload_config is None:
        raise NotFound("This process has no configuration to read anew.")
    try:
        await call.deps.reload_config()
    except ConfigError as error:
        raise Unprocessable(str(error)) from error
    async with transaction(call.deps.pool) as conn:
        await record(conn, call.actor, "settings:reload", "configuration")
    logger.info("the configuration was read anew by user %s", call.user_id)
    return Reloaded(detail="The configuration was read anew.")


def _shown(view: View | None) -> Snapshot:
    if view is None:
        raise NotFound("Nothing to show here.")
    return Snapshot(view())


_PROVIDERS, _SETTINGS = Permission.PROVIDERS_READ, Permission.SETTINGS_READ

ROUTES = (
    Route("GET", "/policies", policies, Permission.POLICIES_READ, "The policies in force", gives=Snapshot),
    Route("GET", "/providers", providers, _PROVIDERS, "The providers and models in force", gives=Snapshot),
    Route("GET", "/settings", settings, _SETTINGS, "The settings in force, less secrets", gives=Snapshot),
    Route(
        "POST",
        "/settings/reload",
        reload,
        Permission.SETTINGS_RELOAD,
        "Read the configuration file anew",
        gives=Reloaded,
    ),
)
