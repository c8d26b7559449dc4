"""${message}.

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""

from migrations.script import run_script

revision = "${up_revision}"
down_revision: str | None = "${down_revision}"
branch_labels = None
depends_on = None

UP = """
"""

DOWN = """
"""


def upgrade() -> None:
    run_script(UP)


def downgrade() -> None:
    run_script(DOWN)
