"""Attempts to sign in, counted over all workers; and an index for reading the log newest first.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None

# Unlogged: losing the counts in a crash costs an attacker's delay, not data.
ATTEMPTS = """
CREATE UNLOGGED TABLE login_attempts (
    subject      text PRIMARY KEY,
    failures     integer NOT NULL,
    last_at      timestamptz NOT NULL DEFAULT now(),
    succeeded_at timestamptz
)
"""


def upgrade() -> None:
    op.execute(ATTEMPTS)
    op.execute("CREATE INDEX login_attempts_last_at_idx ON login_attempts (last_at)")
    op.execute("CREATE INDEX request_logs_at_idx ON request_logs (at DESC, id DESC)")


def downgrade() -> None:
    op.execute("DROP INDEX request_logs_at_idx")
    op.execute("DROP TABLE login_attempts")
