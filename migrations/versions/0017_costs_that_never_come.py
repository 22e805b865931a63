"""A cost that has not come for so many days is given up, so that days and months become final."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "reporting",
        sa.Column("cost_give_up_days", sa.Integer, nullable=False, server_default="30"),
        schema="replicator",
    )
    op.create_check_constraint(op.f("ck_reporting_give_up"), "reporting", "cost_give_up_days >= 0", schema="replicator")


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
