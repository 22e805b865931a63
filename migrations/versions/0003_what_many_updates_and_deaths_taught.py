"""Updates of calls that stay on their pages, and a note that answers are read in a process apart.

The index on `calls.changed_at` moved with every change, so each update wrote to all indexes anew. Nothing of ours looks
calls up by it. Without it an update stays on its page (HOT): no index is touched, and the next one finds the space of the
one before without a vacuum. The lock on the table lasts as long as unlinking a file. The column is nullable: the release
before goes on working with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_calls_changed_at", table_name="calls", schema="truedy", if_exists=True)
    column = sa.Column("reads_apart_until", sa.TIMESTAMP(timezone=True), nullable=True)
    op.add_column("source_state", column, schema="replicator")


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
