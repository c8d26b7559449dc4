"""Teams in Postgres. One that has members is not deleted: they would be left without its limits."""

from datetime import date
from typing import Any

import asyncpg

from admin.errors import Conflict, NotFound, invalid_field
from admin.paging import PageQuery, decode
from admin.schema import LIMIT_COLUMNS
from admin.store import Where, contains, limits_of, update
from admin.teams.types import CreateTeam, Member, MemberUsage, PatchTeam, Team, TeamQuery
from gateway.db import Connection

_SELECT = f"""
SELECT g.id, g.name, g.description, g.allowed_models, {limits_of("g")}, g.created_at, g.updated_at,
       (SELECT count(*) FROM team_members m WHERE m.team_id = g.id) AS members
FROM teams g
"""  # noqa: S608 - constants
_INSERT = f"""
INSERT INTO teams (name, description, allowed_models, {", ".join(LIMIT_COLUMNS.values())})
VALUES ($1, $2, $3, {", ".join(f"${place}" for place in range(4, len(LIMIT_COLUMNS) + 4))}) RETURNING id
"""  # noqa: S608 - constants
_MEMBERS = """
SELECT m.user_id, u.email, u.name, m.joined_at FROM team_members m JOIN users u ON u.id = m.user_id
"""
_JOIN = "INSERT INTO team_members (team_id, user_id) SELECT $1, id FROM users WHERE id = ANY($2) ON CONFLICT DO NOTHING"
_ELSEWHERE = "SELECT user_id FROM team_members WHERE user_id = ANY($2) AND team_id <> $1 ORDER BY user_id"
_USAGE = """
SELECT t.user_id, u.email, sum(t.requests)::bigint AS requests, sum(t.refused)::bigint AS refused,
       sum(t.prompt_tokens)::bigint AS prompt_tokens, sum(t.completion_tokens)::bigint AS completion_tokens,
       sum(t.total_tokens)::bigint AS total_tokens, sum(t.cost_micros)::bigint AS cost_micros,
       sum(t.unpriced)::bigint AS unpriced
FROM team_usage_daily t LEFT JOIN users u ON u.id = t.user_id
WHERE t.team_id = $1 AND t.day BETWEEN $2 AND $3 GROUP BY 1, 2 ORDER BY cost_micros DESC, total_tokens DESC, 1
"""


async def find(conn: Connection, query: TeamQuery) -> list[Team]:
    where = Where()
    where.add("g.name ILIKE {}", contains(query.search))
    if key := decode(query.cursor, int):
        where.add("g.id < {}", *key)
    tail = f" ORDER BY g.id DESC LIMIT {query.limit + 1}"
    return [Team(**row) for row in await conn.fetch(_SELECT + where.sql() + tail, *where.values)]


async def get(conn: Connection, team_id: int) -> Team:
    row = await conn.fetchrow(_SELECT + " WHERE g.id = $1", team_id)
    if row is None:
        raise NotFound("No such team.")
    return Team(**row)


async def lock(conn: Connection, team_id: int) -> Team:
    """The team as it is until the transaction ends."""
    await conn.execute("SELECT FROM teams WHERE id = $1 FOR UPDATE", team_id)
    return await get(conn, team_id)


async def add(conn: Connection, new: CreateTeam) -> Team:
    limits = (getattr(new, name) for name in LIMIT_COLUMNS)
    try:
        team_id = await conn.fetchval(_INSERT, new.name, new.description, new.allowed_models, *limits)
    except asyncpg.UniqueViolationError as error:
        raise _taken() from error
    return await get(conn, team_id)


async def change(conn: Connection, team_id: int, patch: PatchTeam) -> Team:
    said = sorted(patch.model_fields_set)
    columns: dict[str, Any] = {LIMIT_COLUMNS.get(name, name): getattr(patch, name) for name in said}
    try:
        await conn.execute(update("teams", columns, also="updated_at = now()"), team_id, *columns.values())
    except asyncpg.UniqueViolationError as error:
        raise _taken() from error
    return await get(conn, team_id)


async def remove(conn: Connection, team: Team) -> None:
    if team.members:
        raise Conflict("The team has members: take them out first.")
    await conn.execute("DELETE FROM teams WHERE id = $1", team.id)


async def members(conn: Connection, team_id: int, query: PageQuery) -> list[Member]:
    where = Where()
    where.add("m.team_id = {}", team_id)
    if key := decode(query.cursor, int):
        where.add("m.user_id > {}", *key)
    tail = f" ORDER BY m.user_id LIMIT {query.limit + 1}"
    return [Member(**row) for row in await conn.fetch(_MEMBERS + where.sql() + tail, *where.values)]


async def take_in(conn: Connection, team_id: int, user_ids: list[int]) -> list[Member]:
    """The users, as members. Nobody is taken from another team."""
    await conn.execute(_JOIN, team_id, user_ids)
    if elsewhere := await conn.fetch(_ELSEWHERE, team_id, user_ids):
        raise Conflict(f"In another team already: {', '.join(str(row['user_id']) for row in elsewhere)}.")
    return await _of(conn, team_id, user_ids)


async def let_go(conn: Connection, team_id: int, user_ids: list[int]) -> list[Member]:
    """Those who were members until now."""
    gone = await _of(conn, team_id, user_ids)
    await conn.execute("DELETE FROM team_members WHERE team_id = $1 AND user_id = ANY($2)", team_id, user_ids)
    return gone


async def usage(conn: Connection, team_id: int, since: date, until: date) -> list[MemberUsage]:
    return [MemberUsage(**row) for row in await conn.fetch(_USAGE, team_id, since, until)]


async def _of(conn: Connection, team_id: int, user_ids: list[int]) -> list[Member]:
    where = " WHERE m.team_id = $1 AND m.user_id = ANY($2) ORDER BY m.user_id"
    found = [Member(**row) for row in await conn.fetch(_MEMBERS + where, team_id, user_ids)]
    if missing := sorted(set(user_ids) - {member.user_id for member in found}):
        raise invalid_field("user_ids", f"no such user or member: {', '.join(map(str, missing))}")
    return found


def _taken() -> Conflict:
    return Conflict("There is already a team with this name.")
