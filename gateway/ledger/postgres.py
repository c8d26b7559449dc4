"""What has been spent, from the rollups that were committed with the log rows."""

from gateway.db import Pool, acquired
from gateway.quota.base import Scope, Spent

_SPENT = """
SELECT coalesce(sum(total_tokens) FILTER (WHERE day = today), 0)::bigint AS day_tokens,
    coalesce(sum(total_tokens) FILTER (WHERE day >= month), 0)::bigint AS month_tokens,
    coalesce(sum(cost_micros) FILTER (WHERE day >= month), 0)::bigint AS month_cost_micros,
    coalesce(sum(cost_micros) FILTER (WHERE day = today), 0)::bigint AS day_cost_micros,
    coalesce(sum(cost_micros) FILTER (WHERE day >= week), 0)::bigint AS week_cost_micros
FROM {table}, (
    SELECT today, date_trunc('week', today)::date AS week, date_trunc('month', today)::date AS month
    FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS today) AS clock) AS calendar
WHERE {whose} AND day >= least(week, month) AND day <= today
"""
_OF_USER = _SPENT.format(table="usage_daily", whose="user_id = $1 AND ($2::bigint IS NULL OR token_id = $2)")
_OF_TASK = _SPENT.format(table="usage_daily", whose="task_id = $1")
_OF_TEAM = _SPENT.format(table="team_usage_daily", whose="team_id = $1")


class PostgresLedger:
    """A quota `Ledger`. Raises `gateway.db.DatabaseDown` when it cannot answer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def spent(self, scope: Scope) -> Spent:
        async with acquired(self._pool, timeout_s=2.0) as connection:
            if scope.team_id is not None:
                record = await connection.fetchrow(_OF_TEAM, scope.team_id, timeout=2.0)
            elif scope.task_id is not None:
                record = await connection.fetchrow(_OF_TASK, scope.task_id, timeout=2.0)
            else:
                record = await connection.fetchrow(_OF_USER, scope.user_id, scope.token_id, timeout=2.0)
        return Spent(**dict(record))
