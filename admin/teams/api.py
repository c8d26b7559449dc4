"""Teams: made, given limits and members, looked at. A change holds for the next call of every member."""

from dataclasses import fields
from datetime import UTC, date, datetime

from admin.analytics.types import Totals
from admin.audit.store import record
from admin.errors import invalid_query
from admin.paging import Page, PageQuery, make_page
from admin.rbac import Permission
from admin.routing import Call, Route
from admin.schema import LIMIT_COLUMNS
from admin.self_service.api import windows
from admin.store import reading, transaction
from admin.teams import store
from admin.teams.types import (
    CreateTeam,
    Member,
    PatchTeam,
    SpanQuery,
    Team,
    TeamQuery,
    TeamUsage,
    TeamWindows,
    Users,
)
from gateway.exchange import Limits
from gateway.quota.base import team_scope

_OUTSIDE = {column: name for name, column in LIMIT_COLUMNS.items()}


async def list_teams(call: Call, query: TeamQuery) -> Page[Team]:
    async with reading(call.deps.pool) as conn:
        rows = await store.find(conn, query)
    return make_page(rows, query.limit, lambda team: (team.id,))


async def get_team(call: Call) -> Team:
    async with reading(call.deps.pool) as conn:
        return await store.get(conn, call.id)


async def create_team(call: Call, body: CreateTeam) -> Team:
    async with transaction(call.deps.pool) as conn:
        team = await store.add(conn, body)
        await record(conn, call.actor, "teams:create", team.id, after=team)
    return team


async def patch_team(call: Call, body: PatchTeam) -> Team:
    async with transaction(call.deps.pool) as conn:
        before = await store.lock(conn, call.id)
        team = await store.change(conn, call.id, body)
        await record(conn, call.actor, "teams:update", call.id, before=before, after=team)
    return team


async def delete_team(call: Call) -> None:
    async with transaction(call.deps.pool) as conn:
        before = await store.lock(conn, call.id)
        await store.remove(conn, before)
        await record(conn, call.actor, "teams:delete", call.id, before=before)


async def list_members(call: Call, query: PageQuery) -> Page[Member]:
    async with reading(call.deps.pool) as conn:
        await store.get(conn, call.id)
        rows = await store.members(conn, call.id, query)
    return make_page(rows, query.limit, lambda member: (member.user_id,))


async def add_members(call: Call, body: Users) -> Team:
    async with transaction(call.deps.pool) as conn:
        await store.lock(conn, call.id)
        for member in await store.take_in(conn, call.id, body.user_ids):
            await record(conn, call.actor, "teams:add_member", call.id, after=member)
        return await store.get(conn, call.id)


async def remove_members(call: Call, body: Users) -> Team:
    async with transaction(call.deps.pool) as conn:
        await store.lock(conn, call.id)
        for member in await store.let_go(conn, call.id, body.user_ids):
            await record(conn, call.actor, "teams:remove_member", call.id, before=member)
        return await store.get(conn, call.id)


async def team_usage(call: Call, query: SpanQuery) -> TeamUsage:
    until: date = query.until or datetime.now(UTC).date()
    since = query.since or until.replace(day=1)
    if since > until:
        raise invalid_query("from", "must not be after `to`")
    async with reading(call.deps.pool) as conn:
        await store.get(conn, call.id)
        rows = await store.usage(conn, call.id, since, until)
    sums = {name: sum(getattr(row, name) for row in rows) for name in Totals.model_fields}
    return TeamUsage(since=since, until=until, data=rows, totals=Totals(**sums))


async def team_quota(call: Call) -> TeamWindows:
    team = await get_team(call)
    limits = Limits(**{limit.name: getattr(team, _OUTSIDE[limit.name]) for limit in fields(Limits)})
    return TeamWindows(**await windows(call, team_scope(team.id, limits)))


_READ, _WRITE = Permission.TEAMS_READ, Permission.TEAMS_WRITE

ROUTES = (
    Route("GET", "/teams", list_teams, _READ, "Teams, newest first", query=TeamQuery, gives=Page[Team]),
    Route("POST", "/teams", create_team, _WRITE, "Make a team", takes=CreateTeam, gives=Team, status=201),
    Route("GET", "/teams/{id}", get_team, _READ, "One team", gives=Team),
    Route("PATCH", "/teams/{id}", patch_team, _WRITE, "Change a team", takes=PatchTeam, gives=Team),
    Route("DELETE", "/teams/{id}", delete_team, _WRITE, "Delete a team that has no members", status=204),
    Route("GET", "/teams/{id}/members", list_members, _READ, "Its members", query=PageQuery, gives=Page[Member]),
    Route("POST", "/teams/{id}/members", add_members, _WRITE, "Take users in", takes=Users, gives=Team),
    Route("POST", "/teams/{id}/members/remove", remove_members, _WRITE, "Let members go", takes=Users, gives=Team),
    Route(
        "GET",
        "/teams/{id}/usage",
        team_usage,
        _READ,
        "What its members used on its account",
        query=SpanQuery,
        gives=TeamUsage,
    ),
    Route("GET", "/teams/{id}/quota", team_quota, _READ, "Its limits and what is left", gives=TeamWindows),
)
