"""Keyed pseudonyms of phone numbers, so that BI tools can join by the other party without seeing a number.

Adds a table and a nullable column only: the release before goes on working with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "parties",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("party_key", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "number", name=op.f("pk_parties")),
        schema="replicator",
    )
    op.add_column("source_state", sa.Column("party_key_id", sa.Text(), nullable=True), schema="replicator")


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
