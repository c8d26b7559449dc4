"""Teams, budgets by day and week, soft budgets and their alerts, and what was used at an unknown price.

Revision ID: 0003
Revises: 0002
"""

from migrations.script import run_script

revision = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None

_BUDGETS = """
    ADD COLUMN daily_budget_micros bigint CHECK (daily_budget_micros >= 0),
    ADD COLUMN weekly_budget_micros bigint CHECK (weekly_budget_micros >= 0),
    ADD COLUMN soft_daily_budget_micros bigint CHECK (soft_daily_budget_micros >= 0),
    ADD COLUMN soft_weekly_budget_micros bigint CHECK (soft_weekly_budget_micros >= 0),
    ADD COLUMN soft_monthly_budget_micros bigint CHECK (soft_monthly_budget_micros >= 0)
"""
_NO_BUDGETS = """
    DROP COLUMN daily_budget_micros, DROP COLUMN weekly_budget_micros, DROP COLUMN soft_daily_budget_micros,
    DROP COLUMN soft_weekly_budget_micros, DROP COLUMN soft_monthly_budget_micros
"""

TEAMS = f"""
ALTER TABLE quotas {_BUDGETS};
ALTER TABLE api_tokens {_BUDGETS};

CREATE TABLE teams (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                  text NOT NULL UNIQUE,
    description           text NOT NULL DEFAULT '',
    allowed_models        text[],
    rpm                   bigint CHECK (rpm >= 0),
    tpm                   bigint CHECK (tpm >= 0),
    daily_tokens          bigint CHECK (daily_tokens >= 0),
    monthly_tokens        bigint CHECK (monthly_tokens >= 0),
    concurrent            bigint CHECK (concurrent >= 0),
    monthly_budget_micros bigint CHECK (monthly_budget_micros >= 0),
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE teams {_BUDGETS};

-- One team a user: whom a call is charged to is never a question.
CREATE TABLE team_members (
    user_id   bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    team_id   bigint NOT NULL REFERENCES teams,
    joined_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX team_members_team_id_idx ON team_members (team_id, user_id);

CREATE TABLE budget_alerts (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT now(),
    owner         text NOT NULL CHECK (owner IN ('user', 'token', 'team')),
    owner_id      bigint NOT NULL,
    period        text NOT NULL CHECK (period IN ('day', 'week', 'month')),
    since         date NOT NULL,
    level         text NOT NULL CHECK (level IN ('soft', 'hard')),
    budget_micros bigint NOT NULL,
    spent_micros  bigint NOT NULL,
    UNIQUE (owner, owner_id, period, since, level, budget_micros)
);
CREATE INDEX budget_alerts_at_idx ON budget_alerts (at);
"""

PUSH = """
CREATE OR REPLACE FUNCTION notify_principal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE changed record;
BEGIN
    changed := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    PERFORM pg_notify('guardflow_principals', CASE TG_TABLE_NAME
        WHEN 'users' THEN to_jsonb(changed) ->> 'id'
        WHEN 'tasks' THEN '*'
        WHEN 'teams' THEN '*'
        ELSE to_jsonb(changed) ->> 'user_id' END);
    RETURN NULL;
END $$;
DROP TRIGGER push ON api_tokens;
CREATE TRIGGER push AFTER UPDATE OF revoked_at, expires_at, allowed_models, rpm, tpm, daily_tokens, monthly_tokens,
    concurrent, daily_budget_micros, weekly_budget_micros, monthly_budget_micros OR DELETE
    ON api_tokens FOR EACH ROW EXECUTE FUNCTION notify_principal();
CREATE TRIGGER push AFTER UPDATE OR DELETE ON teams FOR EACH ROW EXECUTE FUNCTION notify_principal();
CREATE TRIGGER push AFTER INSERT OR UPDATE OR DELETE ON team_members
    FOR EACH ROW EXECUTE FUNCTION notify_principal();
"""

# What members spent stays their team's when they leave it: the team is written down with each call.
TRAFFIC = """
ALTER TABLE request_logs ADD COLUMN team_id bigint;
ALTER TABLE usage_hourly ADD COLUMN unpriced bigint NOT NULL DEFAULT 0;
ALTER TABLE usage_daily ADD COLUMN unpriced bigint NOT NULL DEFAULT 0;
CREATE TABLE team_usage_daily (
    team_id           bigint NOT NULL,
    day               date NOT NULL,
    user_id           bigint NOT NULL,
    requests          bigint NOT NULL,
    refused           bigint NOT NULL,
    prompt_tokens     bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    total_tokens      bigint NOT NULL,
    cost_micros       bigint NOT NULL,
    unpriced          bigint NOT NULL,
    PRIMARY KEY (team_id, day, user_id)
);
"""

DOWN = f"""
DROP TABLE team_usage_daily;
ALTER TABLE usage_daily DROP COLUMN unpriced;
ALTER TABLE usage_hourly DROP COLUMN unpriced;
ALTER TABLE request_logs DROP COLUMN team_id;
DROP TABLE budget_alerts, team_members, teams;
DROP TRIGGER push ON api_tokens;
CREATE TRIGGER push AFTER UPDATE OF revoked_at, expires_at, allowed_models, rpm, tpm, daily_tokens, monthly_tokens,
    concurrent, monthly_budget_micros OR DELETE ON api_tokens FOR EACH ROW EXECUTE FUNCTION notify_principal();
CREATE OR REPLACE FUNCTION notify_principal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE changed record;
BEGIN
    changed := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    PERFORM pg_notify('guardflow_principals', CASE TG_TABLE_NAME
        WHEN 'users' THEN to_jsonb(changed) ->> 'id'
        WHEN 'tasks' THEN '*'
        ELSE to_jsonb(changed) ->> 'user_id' END);
    RETURN NULL;
END $$;
ALTER TABLE api_tokens {_NO_BUDGETS};
ALTER TABLE quotas {_NO_BUDGETS};
"""


def upgrade() -> None:
    for script in (TEAMS, PUSH, TRAFFIC):
        run_script(script)


def downgrade() -> None:
    run_script(DOWN)
