"""The tables of schema truedy: the mirror of the source, with its own words and the contract's names."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, UUID

from replicator.store.tables.base import Instant, metadata, now

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("id", UUID, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("agent_id", UUID),
    sa.Column("phone_number", sa.Text),
    sa.Column("from_number", sa.Text),
    sa.Column("direction", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("started_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("duration_seconds", sa.Integer),
    sa.Column("cost_usd", sa.Numeric),
    sa.Column("summary", sa.Text),
    sa.Column("recording_url", sa.Text),
    sa.Column("context", JSONB),
    sa.Column("created_at", Instant),
    sa.Column("updated_at", Instant),
    sa.Column("raw", JSONB, nullable=False),
    sa.Column("fingerprint", BYTEA, nullable=False),
    sa.Column("problems", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("has_escapes", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("reading_version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("observed_at", Instant, nullable=False),
    sa.Column("first_seen_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("deleted_at", Instant),
    sa.Column("last_seen_at", Instant),
    sa.Column("first_missing_at", Instant),
    sa.Index("ix_calls_created_at", "created_at"),
    sa.Index("ix_calls_deleted_at", "deleted_at", postgresql_where=sa.text("deleted_at IS NOT NULL")),
    # For the roll-ups of a day; a call without the instant is indexed at minus infinity.
    sa.Index("ix_calls_created_day", sa.text("coalesce(created_at, '-infinity')")),
    sa.Index("ix_calls_traffic_day", sa.text("coalesce(started_at, created_at, '-infinity')")),
    sa.Index("ix_calls_cost_day", sa.text("coalesce(ended_at, created_at, '-infinity')")),
    # Also ix_calls_other_party, which migration 0004 makes: a person's other calls, by the expression that the views
    # use.
    schema="truedy",
    postgresql_with={"fillfactor": "90"},
)

call_versions = sa.Table(
    "call_versions",
    metadata,
    sa.Column("call_id", UUID, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("updated_at", Instant),
    sa.Column("observed_at", Instant, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False, server_default=now()),
    sa.Column("is_late", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("fingerprint", BYTEA, nullable=False),
    sa.Column("raw", JSONB, nullable=False),
    schema="truedy",
)

transcript_segments = sa.Table(
    "transcript_segments",
    metadata,
    sa.Column("call_id", UUID, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("speaker", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("start_seconds", sa.Numeric),
    sa.Column("end_seconds", sa.Numeric),
    # Null where the columns say all of what was received, which is {"speaker", "text", "timestamp"} then: it would be
    # half of this table, which is most of the database.
    sa.Column("raw", JSONB),
    schema="truedy",
)


def _detail_columns() -> tuple[sa.Column[object], ...]:
    """The columns for the state of one detail, which are also its place in the durable queue."""
    return (
        sa.Column("call_id", UUID, primary_key=True),
        # That of its call, so that a queue is read without other accounts' rows. Null where another program made the
        # row.
        sa.Column("account", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("call_created_at", Instant),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due_at", Instant),
        sa.Column("deadline_at", Instant),
        sa.Column("asked_at", Instant),
        sa.Column("fetched_at", Instant),
        sa.Column("last_error", sa.Text),
        # Answers in a row that it is not there, and when the first of them was asked for.
        sa.Column("absent_looks", sa.Integer, nullable=False, server_default="0"),
        sa.Column("absent_since", Instant),
        # It was not there a day after the end of its call: it is asked for again after all other work.
        sa.Column("waits_last", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("has_escapes", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("raw", JSONB),
    )


DETAIL_STATES = "state in ('pending', 'present', 'absent_final', 'denied', 'gave_up')"

transcripts = sa.Table(
    "transcripts",
    metadata,
    *_detail_columns(),
    sa.Column("summary", sa.Text),
    sa.Column("segment_count", sa.Integer),
    sa.Column("fingerprint", BYTEA),
    sa.Column("problems", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.CheckConstraint(DETAIL_STATES, name="state"),
    sa.Index(
        "ix_transcripts_queue",
        "account",
        sa.text("call_created_at DESC NULLS LAST"),
        postgresql_where=sa.text("due_at IS NOT NULL AND NOT waits_last"),
    ),
    sa.Index(
        "ix_transcripts_queue_last",
        "account",
        "due_at",
        postgresql_where=sa.text("due_at IS NOT NULL AND waits_last"),
    ),
    schema="truedy",
    postgresql_with={"fillfactor": "80"},
)

transcript_versions = sa.Table(
    "transcript_versions",
    metadata,
    sa.Column("call_id", UUID, primary_key=True),
    sa.Column("fetched_at", Instant, primary_key=True),
    sa.Column("replaced_at", Instant, nullable=False, server_default=now()),
    sa.Column("fingerprint", BYTEA),
    sa.Column("summary", sa.Text),
    sa.Column("segments", JSONB, nullable=False),
    sa.Column("raw", JSONB),
    schema="truedy",
)

recordings = sa.Table(
    "recordings",
    metadata,
    *_detail_columns(),
    sa.Column("recording_url", sa.Text),
    sa.Column("url_expires_at", Instant),
    sa.CheckConstraint(DETAIL_STATES, name="state"),
    sa.Index(
        "ix_recordings_queue",
        "account",
        sa.text("call_created_at DESC NULLS LAST"),
        postgresql_where=sa.text("due_at IS NOT NULL AND NOT waits_last"),
    ),
    sa.Index(
        "ix_recordings_queue_last",
        "account",
        "due_at",
        postgresql_where=sa.text("due_at IS NOT NULL AND waits_last"),
    ),
    schema="truedy",
    postgresql_with={"fillfactor": "80"},
)
