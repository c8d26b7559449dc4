"""Users about themselves, by API token or by session: profile, usage, quota. Nobody can ask about another."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

from admin.errors import invalid_query
from admin.rbac import Access
from admin.routing import Call, Route
from admin.self_service import store
from admin.self_service.types import OwnUsage, OwnUsageQuery, Profile, Quota, TeamQuota, UsageTotals, Window, Windows
from admin.store import reading
from gateway.errors import Overloaded
from gateway.exchange import Limits
from gateway.quota.base import QuotaUnavailable, Scope, WindowUsage, team_scope

_NAMES = {"daily": "daily_tokens", "monthly": "monthly_tokens"}
_SPAN = timedelta(days=30)
_SPAN_MAX = timedelta(days=800)


async def profile(call: Call) -> Profile:
    async with reading(call.deps.pool) as conn:
        return await store.profile(conn, call.user_id, datetime.now(UTC).date())


async def usage(call: Call, query: OwnUsageQuery) -> OwnUsage:
    until = query.until or datetime.now(UTC) + timedelta(days=1)
    since = query.since or until - _SPAN
    if not timedelta() < until - since <= _SPAN_MAX:
        raise invalid_query("from", f"must be before `to`, by at most {_SPAN_MAX.days} days")
    async with reading(call.deps.pool) as conn:
        days = await store.usage(conn, call.user_id, since.date(), until.date())
    sums = {name: sum(getattr(day, name) for day in days) for name in UsageTotals.model_fields}
    return OwnUsage(data=days, totals=UsageTotals(**sums))


async def quota(call: Call) -> Quota:
    async with reading(call.deps.pool) as conn:
        own = await store.limits(conn, call.user_id)
        team = await store.team(conn, call.user_id)
    mine = await windows(call, Scope(call.user_id, None, _or_default(own, call.deps.default_limits())))
    shared = None
    if team is not None:
        team_id, name, limits = team
        shared = TeamQuota(id=team_id, name=name, **(await windows(call, team_scope(team_id, limits))))
    return Quota(**mine, team=shared)


async def windows(call: Call, scope: Scope) -> dict[str, Window]:
    """What `scope` may use and has used, by the names of `Windows`."""
    try:
        now = await call.deps.quota.usage(scope)
    except QuotaUnavailable as error:
        raise Overloaded("The quota store does not answer. Try again soon.", retry_after_s=2) from error
    return {name: _window(getattr(now, _NAMES.get(name, name))) for name in Windows.model_fields}


def _or_default(own: Limits, default: Limits) -> Limits:
    """Field by field: what a user has none of is everyone's."""
    said = {field.name: getattr(own, field.name) for field in fields(Limits)}
    return Limits(**{n: getattr(default, n) if limit is None else limit for n, limit in said.items()})


def _window(window: WindowUsage) -> Window:
    left = None if window.limit is None else max(0, window.limit - window.used - window.reserved)
    return Window(
        limit=window.limit,
        used=window.used,
        reserved=window.reserved,
        remaining=left,
        resets_at=datetime.fromtimestamp(window.resets_at, UTC),
    )


_ME = Access.CALLER

ROUTES = (
    Route("GET", "/api/v1/user/profile", profile, _ME, "My profile, and my usage in short", gives=Profile),
    Route("GET", "/api/v1/user/usage", usage, _ME, "My usage by day", query=OwnUsageQuery, gives=OwnUsage),
    Route("GET", "/api/v1/user/quota", quota, _ME, "My limits and what is left", gives=Quota),
)
