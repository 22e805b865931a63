"""The book of what is ours and the row that refreshing locks.

Adds a table, a row and an index that some databases lack, so the release before goes on working with this schema. The book is filled by `migrate` itself at
its end (store/objects.py), which also knows what earlier releases made.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "objects",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("oid", sa.BigInteger(), nullable=False),
        sa.Column("comments", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("kind in ('schema', 'relation', 'routine')", name=op.f("ck_objects_kind")),
        sa.PrimaryKeyConstraint("kind", "schema", "name", name=op.f("pk_objects")),
        schema="replicator",
    )
    # It came into migration 0004 after that was first published, so some databases have it and some do not.
    op.create_index(
        "ix_calls_deleted_at", "calls", ["deleted_at"], unique=False, schema="truedy", if_not_exists=True,
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )  # fmt: skip
    op.execute("INSERT INTO replicator.lease (name, epoch) VALUES ('roll-ups', 0) ON CONFLICT DO NOTHING")


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
