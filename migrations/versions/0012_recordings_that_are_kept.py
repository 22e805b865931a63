"""The archive's files, and the queue of recordings that are to be downloaded.

Nothing is queued here: `archive run` queues the recordings from before, where the archive is switched on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant, identity = sa.TIMESTAMP(timezone=True), postgresql.UUID()
    op.create_table(
        "objects",
        sa.Column("id", identity, server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("call_id", identity, nullable=False),
        sa.Column("kind", sa.Text(), server_default="recording", nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("sha256", sa.Text(collation="C")),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("media_type", sa.Text()),
        sa.Column("place", sa.Text()),
        sa.Column("stored_at", instant),
        sa.Column("retain_until", instant),
        sa.Column("queued_at", instant, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("call_created_at", instant),
        sa.Column("deadline_at", instant),
        sa.Column("next_try_at", instant),
        sa.Column("tried_at", instant),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", instant),
        sa.Column("reason", sa.Text()),
        sa.Column("claim", identity),
        sa.Column("claimed_until", instant),
        sa.Column("putting_sha256", sa.Text()),
        sa.Column("putting_bytes", sa.BigInteger()),
        sa.Column("putting_media_type", sa.Text()),
        sa.CheckConstraint("kind = 'recording'", name=op.f("ck_objects_kind")),
        sa.CheckConstraint(
            "state in ('pending', 'stored', 'missing', 'refused', 'erased', 'disposed')", name=op.f("ck_objects_state")
        ),
        sa.CheckConstraint(
            "state <> 'stored' OR (sha256 IS NOT NULL AND bytes IS NOT NULL AND media_type IS NOT NULL "
            "AND place IS NOT NULL AND stored_at IS NOT NULL)",
            name=op.f("ck_objects_whole"),
        ),
        sa.CheckConstraint("(state = 'pending') = (next_try_at IS NOT NULL)", name=op.f("ck_objects_queued")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objects")),
        sa.UniqueConstraint("account", "call_id", "kind", name=op.f("uq_objects_account_call_id_kind")),
        schema="archive",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_objects_queue", "objects", ["account", sa.text("call_created_at DESC NULLS LAST")], schema="archive",
        postgresql_where=sa.text("state = 'pending'"),
    )  # fmt: skip
    op.create_index(
        "ix_objects_putting", "objects", ["account"], schema="archive",
        postgresql_where=sa.text("putting_sha256 IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_objects_sha256", "objects", ["sha256"], schema="archive",
        postgresql_where=sa.text("sha256 IS NOT NULL"),
    )  # fmt: skip


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
