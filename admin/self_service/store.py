"""One user's own data. Every statement here is bound to that user."""

from dataclasses import fields
from datetime import date

from admin.self_service.types import DayUsage, Profile, ProfileTask, Stats, UsageStats
from gateway.db import Connection
from gateway.exchange import Limits

_PROFILE = """
SELECT id, email, username, name, role, is_active, allowed_models, created_at,
       (SELECT count(*) FROM api_tokens t WHERE t.user_id = u.id AND t.revoked_at IS NULL
           AND coalesce(t.expires_at > now(), true)) AS active_tokens
FROM users u WHERE id = $1
"""
# Users whom no task was given have every active one.
_TASKS = """
SELECT t.id, t.name, t.allowed_intents FROM tasks t
WHERE t.is_active AND (NOT EXISTS (SELECT FROM user_tasks WHERE user_id = $1)
                       OR EXISTS (SELECT FROM user_tasks WHERE user_id = $1 AND task_id = t.id))
ORDER BY t.id LIMIT 500
"""
_STATS = """
SELECT coalesce(sum(requests), 0)::bigint AS requests, coalesce(sum(total_tokens), 0)::bigint AS total_tokens,
       coalesce(sum(cost_micros), 0)::bigint AS cost_micros
FROM usage_daily WHERE user_id = $1 AND day >= $2
"""
_USAGE = """
SELECT day, sum(requests)::bigint AS requests, sum(prompt_tokens)::bigint AS prompt_tokens,
       sum(completion_tokens)::bigint AS completion_tokens, sum(total_tokens)::bigint AS total_tokens,
       sum(cost_micros)::bigint AS cost_micros, sum(unpriced)::bigint AS unpriced
FROM usage_daily WHERE user_id = $1 AND day >= $2 AND day < $3 GROUP BY day ORDER BY day
"""
_COLUMNS = ", ".join(field.name for field in fields(Limits))
_LIMITS = f"SELECT {_COLUMNS} FROM quotas WHERE user_id = $1"  # noqa: S608 - constants
_TEAM = f"""
SELECT id, name, {_COLUMNS} FROM teams WHERE id = (SELECT team_id FROM team_members WHERE user_id = $1)
"""  # noqa: S608 - constants


async def profile(conn: Connection, user_id: int, today: date) -> Profile:
    row = dict(await conn.fetchrow(_PROFILE, user_id))
    stats = Stats(
        today=await _stats(conn, user_id, today),
        month=await _stats(conn, user_id, today.replace(day=1)),
        total=await _stats(conn, user_id, date.min),
        active_tokens=row.pop("active_tokens"),
    )
    tasks = [ProfileTask(**task) for task in await conn.fetch(_TASKS, user_id)]
    return Profile(**row, tasks=tasks, stats=stats)


async def usage(conn: Connection, user_id: int, since: date, until: date) -> list[DayUsage]:
    return [DayUsage(**row) for row in await conn.fetch(_USAGE, user_id, since, until)]


async def limits(conn: Connection, user_id: int) -> Limits:
    row = await conn.fetchrow(_LIMITS, user_id)
    return Limits(**row) if row else Limits()


async def team(conn: Connection, user_id: int) -> tuple[int, str, Limits] | None:
    """The number, name and limits of the user's team."""
    row = await conn.fetchrow(_TEAM, user_id)
    if row is None:
        return None
    team_id, name, *limits = row
    return team_id, name, Limits(*limits)


async def _stats(conn: Connection, user_id: int, since: date) -> UsageStats:
    return UsageStats(**await conn.fetchrow(_STATS, user_id, since))
