"""Absences and tombstones, verifications, and the renewal policy that the delays are computed from.

Adds tables and nullable columns only: the release before goes on working with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = sa.TIMESTAMP(timezone=True)
    op.create_table(
        "absences",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("call_created_at", instant, nullable=True),
        sa.Column("last_seen_at", instant, nullable=False),
        sa.Column("first_missing_at", instant, nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="suspected", nullable=False),
        sa.Column("misses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("missed_at", instant, nullable=True),
        sa.Column("due_at", instant, nullable=True),
        sa.Column("confirmed_at", instant, nullable=True),
        sa.Column("ended_at", instant, nullable=True),
        sa.CheckConstraint("evidence in ('page', 'answer')", name=op.f("ck_absences_evidence")),
        sa.CheckConstraint(
            "state in ('suspected', 'deleted', 'refuted', 'reappeared')", name=op.f("ck_absences_state")
        ),
        sa.CheckConstraint(
            "(ended_at is not null) = (state in ('refuted', 'reappeared'))", name=op.f("ck_absences_ended")
        ),
        sa.CheckConstraint("(confirmed_at is not null) = (state in ('deleted', 'reappeared'))",
                           name=op.f("ck_absences_confirmed")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absences")),
        schema="replicator",
    )  # fmt: skip
    op.create_index(
        "uq_absences_one_open", "absences", ["call_id"], unique=True, schema="replicator",
        postgresql_where=sa.text("ended_at IS NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_absences_suspected", "absences", ["account", "due_at"], unique=False, schema="replicator",
        postgresql_where=sa.text("state = 'suspected'"),
    )  # fmt: skip
    op.create_table(
        "verifications",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("started_at", instant, nullable=False),
        sa.Column("finished_at", instant, nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("is_equal", sa.Boolean(), nullable=False),
        sa.Column("pages_compared", sa.Integer(), nullable=False),
        sa.Column("calls_compared", sa.Integer(), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verifications")),
        schema="replicator",
    )
    op.create_table(
        "renewal_classes",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("class_number", sa.Integer(), nullable=False),
        sa.Column("min_age_seconds", sa.Float(), nullable=False),
        sa.Column("max_age_seconds", sa.Float(), nullable=True),
        sa.Column("every_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "class_number", name=op.f("pk_renewal_classes")),
        schema="replicator",
    )
    for name, kind in (
        ("identified_at", instant),
        ("difference", sa.BigInteger()),
        ("released_deletions", sa.Integer()),
        ("released_at", instant),
        ("requests_per_minute", sa.Float()),
        ("live_calls", sa.BigInteger()),
        ("sliced_at", instant),
    ):
        op.add_column("source_state", sa.Column(name, kind, nullable=True), schema="replicator")
    for name in ("calls_suspected", "calls_deleted", "absences_ended"):
        counter = sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
        op.add_column("runs", counter, schema="replicator")


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
