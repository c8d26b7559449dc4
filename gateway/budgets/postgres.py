"""Alerts of budgets: each that was reached, soft or hard, once a period and amount, from the rollups.

Off the request's way and without a leader: every worker looks each minute, one at a time, and an alert that is there
already stays as it is. Only owners who used something today are looked at.
"""

import asyncio
import logging
import random
from collections.abc import Callable

import asyncpg

from gateway.db import DatabaseDown, Pool, acquired
from gateway.exchange import Limits
from gateway.tasks import spawn

logger = logging.getLogger("guardflow.budgets")

_LOCK = 0x67665F6275640001
_EVERY_S = 60.0
_TIMEOUT_S = 30.0

# Everyone's limits hold for users without their own; soft budgets are nobody's by default.
_RAISE = """
WITH clock AS (SELECT (now() AT TIME ZONE 'UTC')::date AS today),
periods AS (
    SELECT today, period, since FROM clock, LATERAL (VALUES
        ('day', today), ('week', date_trunc('week', today)::date), ('month', date_trunc('month', today)::date)
    ) AS begun (period, since)
), owners AS (
    SELECT 'user' AS owner, u.id AS owner_id, q.soft_daily_budget_micros, q.soft_weekly_budget_micros,
        q.soft_monthly_budget_micros, coalesce(q.daily_budget_micros, $1::bigint) AS daily_budget_micros,
        coalesce(q.weekly_budget_micros, $2::bigint) AS weekly_budget_micros,
        coalesce(q.monthly_budget_micros, $3::bigint) AS monthly_budget_micros
    FROM users u LEFT JOIN quotas q ON q.user_id = u.id
    WHERE u.id IN (SELECT user_id FROM usage_daily, clock WHERE day = today)
    UNION ALL
    SELECT 'token', id, soft_daily_budget_micros, soft_weekly_budget_micros, soft_monthly_budget_micros,
        daily_budget_micros, weekly_budget_micros, monthly_budget_micros
    FROM api_tokens WHERE id IN (SELECT token_id FROM usage_daily, clock WHERE day = today)
    UNION ALL
    SELECT 'team', id, soft_daily_budget_micros, soft_weekly_budget_micros, soft_monthly_budget_micros,
        daily_budget_micros, weekly_budget_micros, monthly_budget_micros
    FROM teams
    UNION ALL
    SELECT 'task', id, soft_daily_budget_micros, soft_weekly_budget_micros, soft_monthly_budget_micros,
        daily_budget_micros, weekly_budget_micros, monthly_budget_micros
    FROM tasks
), budgets AS (
    SELECT owner, owner_id, period, since, level, micros FROM owners, LATERAL (VALUES
        ('day', 'soft', soft_daily_budget_micros), ('day', 'hard', daily_budget_micros),
        ('week', 'soft', soft_weekly_budget_micros), ('week', 'hard', weekly_budget_micros),
        ('month', 'soft', soft_monthly_budget_micros), ('month', 'hard', monthly_budget_micros)
    ) AS set_to (period, level, micros) JOIN periods USING (period)
    WHERE micros IS NOT NULL
)
INSERT INTO budget_alerts (owner, owner_id, period, since, level, budget_micros, spent_micros)
SELECT owner, owner_id, period, since, level, micros, spent FROM budgets, LATERAL (
    SELECT coalesce(sum(cost_micros), 0)::bigint AS spent FROM (
        SELECT cost_micros FROM usage_daily WHERE owner = 'user' AND user_id = owner_id AND day >= since
        UNION ALL
        SELECT cost_micros FROM usage_daily WHERE owner = 'token' AND token_id = owner_id AND day >= since
        UNION ALL
        SELECT cost_micros FROM usage_daily WHERE owner = 'task' AND task_id = owner_id AND day >= since
        UNION ALL
        SELECT cost_micros FROM team_usage_daily WHERE owner = 'team' AND team_id = owner_id AND day >= since
    ) AS used
) AS sums
WHERE spent > 0 AND spent >= micros
ORDER BY owner, owner_id, period, level
ON CONFLICT DO NOTHING
RETURNING owner, owner_id, period, level, budget_micros, spent_micros
"""


class BudgetAlerts:
    """`defaults` are the limits of users without their own. `on_alert` is told the owner's kind and the level."""

    def __init__(self, pool: Pool, defaults: Callable[[], Limits], on_alert: Callable[[str, str], None]) -> None:
        self._pool = pool
        self._defaults = defaults
        self._on_alert = on_alert
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = spawn(self._look_for_ever(), name="budget-alerts")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> int:
        """Raise what is due, unless another worker is at it; return how many alerts that were."""
        limits = self._defaults()
        hard = (limits.daily_budget_micros, limits.weekly_budget_micros, limits.monthly_budget_micros)
        async with acquired(self._pool) as connection, connection.transaction():
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
                return 0
            raised = await connection.fetch(_RAISE, *hard, timeout=_TIMEOUT_S)
        for owner, owner_id, period, level, budget, spent in raised:
            logger.warning("%s %d spent %d of its %s budget of %d micro-dollars a %s", owner, owner_id, spent, level,
                           budget, period)  # fmt: skip
            self._on_alert(owner, level)
        return len(raised)

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S * random.uniform(0.8, 1.2))  # noqa: S311 - so that workers take turns
            try:
                await self.look()
            except (DatabaseDown, asyncpg.PostgresError) as error:
                logger.warning("budgets were not looked at: %s", error)
