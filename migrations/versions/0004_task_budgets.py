"""Budgets of tasks: money for a purpose, whoever calls.

Revision ID: 0004
Revises: 0003
"""

from migrations.script import run_script

revision = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE tasks
    ADD COLUMN daily_budget_micros bigint CHECK (daily_budget_micros >= 0),
    ADD COLUMN weekly_budget_micros bigint CHECK (weekly_budget_micros >= 0),
    ADD COLUMN monthly_budget_micros bigint CHECK (monthly_budget_micros >= 0),
    ADD COLUMN soft_daily_budget_micros bigint CHECK (soft_daily_budget_micros >= 0),
    ADD COLUMN soft_weekly_budget_micros bigint CHECK (soft_weekly_budget_micros >= 0),
    ADD COLUMN soft_monthly_budget_micros bigint CHECK (soft_monthly_budget_micros >= 0);
ALTER TABLE budget_alerts DROP CONSTRAINT budget_alerts_owner_check;
ALTER TABLE budget_alerts ADD CONSTRAINT budget_alerts_owner_check
    CHECK (owner IN ('user', 'token', 'team', 'task'));
"""

DOWN = """
DELETE FROM budget_alerts WHERE owner = 'task';
ALTER TABLE budget_alerts DROP CONSTRAINT budget_alerts_owner_check;
ALTER TABLE budget_alerts ADD CONSTRAINT budget_alerts_owner_check CHECK (owner IN ('user', 'token', 'team'));
ALTER TABLE tasks DROP COLUMN daily_budget_micros, DROP COLUMN weekly_budget_micros,
    DROP COLUMN monthly_budget_micros, DROP COLUMN soft_daily_budget_micros, DROP COLUMN soft_weekly_budget_micros,
    DROP COLUMN soft_monthly_budget_micros;
"""


def upgrade() -> None:
    run_script(UP)


def downgrade() -> None:
    run_script(DOWN)
