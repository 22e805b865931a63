"""The mirror of the source (schema truedy) and our books (schema replicator).

Rules of this folder: numbered in order, one story a file, tables only (views live in sql/views and are re-applied
after the migrations). Old code may still run while this one does: add first, remove in a later release. No data of
users is dropped. CREATE INDEX on a large table needs its own migration and a note about its lock.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SEEDS = """
-- Raw status to stage: the contract's eight, and words seen elsewhere. Users add theirs; unknown ones show as unmapped.
INSERT INTO replicator.status_stages (status, stage, is_terminal) VALUES
    ('queued', 'open', false), ('ringing', 'open', false), ('in_progress', 'open', false),
    ('in-progress', 'open', false), ('completed', 'answered', true), ('ended', 'answered', true),
    ('voicemail', 'machine', true), ('no_answer', 'not_answered', true), ('busy', 'busy', true),
    ('failed', 'not_placed', true), ('cancelled', 'cancelled', true), ('canceled', 'cancelled', true);
INSERT INTO replicator.reporting DEFAULT VALUES;
"""


def upgrade() -> None:
    op.create_table(
        "budget_windows",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("window_number", sa.BigInteger(), nullable=False),
        sa.Column("charged", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "window_number", name=op.f("pk_budget_windows")),
        schema="replicator",
    )
    op.create_table(
        "budgets",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("request_limit", sa.Integer(), nullable=True),
        sa.Column("window_seconds", sa.Numeric(), nullable=False),
        sa.Column("not_before", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("offset_low_seconds", sa.Numeric(), nullable=True),
        sa.Column("offset_high_seconds", sa.Numeric(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_budgets")),
        schema="replicator",
    )
    op.create_table(
        "coverage",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("since", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("verified_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("is_proven", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("since < until", name=op.f("ck_coverage_not_empty")),
        sa.PrimaryKeyConstraint("account", "since", name=op.f("pk_coverage")),
        schema="replicator",
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("command", sa.Text(), nullable=True),
        sa.Column("acquired_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
        schema="replicator",
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("call_id", sa.UUID(), nullable=True),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raw", postgresql.BYTEA(), nullable=False),
        sa.Column("raw_sha256", postgresql.BYTEA(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_seen_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("account", "raw_sha256", "reason", name=op.f("uq_quarantine_account_raw_sha256_reason")),
        schema="replicator",
    )
    op.create_table(
        "reporting",
        sa.Column("is_only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("settle_hours", sa.Integer(), server_default="72", nullable=False),
        sa.Column("stale_open_hours", sa.Integer(), server_default="6", nullable=False),
        sa.CheckConstraint("is_only", name=op.f("ck_reporting_one_row")),
        sa.PrimaryKeyConstraint("is_only", name=op.f("pk_reporting")),
        schema="replicator",
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("replicator_version", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column(
            "started_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("finished_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("requests", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("pages", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows_received", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("calls_inserted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("calls_changed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("calls_unchanged", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("calls_late", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows_quarantined", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("transcripts_stored", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("segments_stored", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recordings_stored", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("details_absent", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refusals", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("outcome in ('done', 'bounded', 'stopped', 'failed', 'lost')", name=op.f("ck_runs_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        schema="replicator",
    )
    op.create_table(
        "source_state",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("head_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("total_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_source_state")),
        schema="replicator",
    )
    op.create_table(
        "status_stages",
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("is_terminal", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "stage in ('open', 'answered', 'machine', 'not_answered', 'busy', 'not_placed', 'cancelled')",
            name=op.f("ck_status_stages_stage"),
        ),
        sa.PrimaryKeyConstraint("status", name=op.f("pk_status_stages")),
        schema="replicator",
    )
    op.create_table(
        "views",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", postgresql.BYTEA(), nullable=False),
        sa.Column(
            "applied_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_views")),
        schema="replicator",
    )
    op.create_table(
        "call_versions",
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("observed_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("is_late", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=False),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "version", name=op.f("pk_call_versions")),
        schema="truedy",
    )
    op.create_table(
        "calls",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.UUID(), nullable=True),
        sa.Column("phone_number", sa.Text(), nullable=True),
        sa.Column("from_number", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.Column("cost_usd", sa.Numeric(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("recording_url", sa.Text(), nullable=True),
        sa.Column("context", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=False),
        sa.Column("problems", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("has_escapes", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("observed_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("first_seen_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("changed_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("first_missing_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        schema="truedy",
        postgresql_with={"fillfactor": "90"},
    )
    op.create_index("ix_calls_changed_at", "calls", ["changed_at"], unique=False, schema="truedy")
    op.create_index("ix_calls_created_at", "calls", ["created_at"], unique=False, schema="truedy")
    op.create_table(
        "recordings",
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("call_created_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("deadline_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("asked_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("fetched_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("has_escapes", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("recording_url", sa.Text(), nullable=True),
        sa.Column("url_expires_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('pending', 'present', 'absent_final', 'denied', 'gave_up')", name=op.f("ck_recordings_state")
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_recordings")),
        schema="truedy",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_recordings_queue",
        "recordings",
        [sa.literal_column("call_created_at DESC NULLS LAST")],
        unique=False,
        schema="truedy",
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "transcript_segments",
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("speaker", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("start_seconds", sa.Numeric(), nullable=True),
        sa.Column("end_seconds", sa.Numeric(), nullable=True),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "position", name=op.f("pk_transcript_segments")),
        schema="truedy",
    )
    op.create_table(
        "transcript_versions",
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("fetched_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "replaced_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("segments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("call_id", "fetched_at", name=op.f("pk_transcript_versions")),
        schema="truedy",
    )
    op.create_table(
        "transcripts",
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("call_created_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("deadline_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("asked_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("fetched_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("has_escapes", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("segment_count", sa.Integer(), nullable=True),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=True),
        sa.Column("problems", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.CheckConstraint(
            "state in ('pending', 'present', 'absent_final', 'denied', 'gave_up')", name=op.f("ck_transcripts_state")
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_transcripts")),
        schema="truedy",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_transcripts_queue",
        "transcripts",
        [sa.literal_column("call_created_at DESC NULLS LAST")],
        unique=False,
        schema="truedy",
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.execute(SEEDS)


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
