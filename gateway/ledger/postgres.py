"""What has been spent, from the rollups that were committed with the log rows."""

from gateway.db import Pool, acquired
from gateway.quota.base import Spent

_SPENT = """
SELECT coalesce(sum(total_tokens) FILTER (WHERE day = today), 0)::bigint AS day_tokens,
    coalesce(sum(total_tokens), 0)::bigint AS month_tokens,
    coalesce(sum(cost_micros), 0)::bigint AS month_cost_micros
FROM usage_daily, (SELECT (now() AT TIME ZONE 'UTC')::date AS today) AS calendar
WHERE user_id = $1 AND ($2::bigint IS NULL OR token_id = $2)
    AND day >= date_trunc('month', today)::date AND day <= today
"""


class PostgresLedger:
    """A quota `Ledger`. Raises `gateway.db.DatabaseDown` when it cannot answer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def spent(self, user_id: int, token_id: int | None) -> Spent:
        async with acquired(self._pool, timeout_s=2.0) as connection:
            record = await connection.fetchrow(_SPENT, user_id, token_id, timeout=2.0)
        return Spent(**dict(record))
