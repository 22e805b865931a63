"""The tables, as SQLAlchemy Core sees them. Migrations make them; a test compares the two.

Schema `truedy` is the mirror, in the source's own words and under the contract's names; `replicator` holds our books.
`analytics` holds views only and is made from sql/views; the roll-ups in schema `rollup` are derived, and made from
sql/rollups. Our own columns look different from the source's: `first_seen_at`, `changed_at`, `observed_at`,
`deleted_at`, `fingerprint`, `raw`.

There are no foreign keys: every row is written by one merge, which keeps them consistent (sql/checks proves it), and
a check per segment row would double the cost of the write path. Amounts are `numeric` without a scale, so that no
digit of the source is rounded.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, UUID

from replicator.store import stages

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Instant = sa.TIMESTAMP(timezone=True)
Count = sa.BigInteger


def _now() -> sa.TextClause:
    return sa.text("clock_timestamp()")


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
    # What the roll-ups of a day read; a call without the instant is found at minus infinity.
    sa.Index("ix_calls_created_day", sa.text("coalesce(created_at, '-infinity')")),
    sa.Index("ix_calls_traffic_day", sa.text("coalesce(started_at, created_at, '-infinity')")),
    sa.Index("ix_calls_cost_day", sa.text("coalesce(ended_at, created_at, '-infinity')")),
    # And ix_calls_other_party, which migration 0004 makes: a person's other calls, by the expression that the views say.
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
    sa.Column("recorded_at", Instant, nullable=False, server_default=_now()),
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
    sa.Column("raw", JSONB, nullable=False),
    schema="truedy",
)


def _detail_columns() -> tuple[sa.Column[object], ...]:
    """The life of one detail, which is also its place in the durable queue."""
    return (
        sa.Column("call_id", UUID, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("call_created_at", Instant),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due_at", Instant),
        sa.Column("deadline_at", Instant),
        sa.Column("asked_at", Instant),
        sa.Column("fetched_at", Instant),
        sa.Column("last_error", sa.Text),
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
        sa.text("call_created_at DESC NULLS LAST"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    ),
    schema="truedy",
    postgresql_with={"fillfactor": "80"},
)

transcript_versions = sa.Table(
    "transcript_versions",
    metadata,
    sa.Column("call_id", UUID, primary_key=True),
    sa.Column("fetched_at", Instant, primary_key=True),
    sa.Column("replaced_at", Instant, nullable=False, server_default=_now()),
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
        sa.text("call_created_at DESC NULLS LAST"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    ),
    schema="truedy",
    postgresql_with={"fillfactor": "80"},
)

coverage = sa.Table(
    "coverage",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("since", Instant, primary_key=True),
    sa.Column("until", Instant, nullable=False),
    sa.Column("verified_at", Instant, nullable=False),
    sa.Column("is_proven", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.CheckConstraint("since < until", name="not_empty"),
    schema="replicator",
)

source_state = sa.Table(
    "source_state",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("base_url", sa.Text, nullable=False),
    sa.Column("head_at", Instant),
    sa.Column("total", Count),
    sa.Column("total_at", Instant),
    sa.Column("identified_at", Instant),
    sa.Column("difference", Count),
    sa.Column("released_deletions", sa.Integer),
    sa.Column("released_at", Instant),
    sa.Column("requests_per_minute", sa.Float),
    sa.Column("live_calls", Count),
    sa.Column("sliced_at", Instant),
    sa.Column("reads_apart_until", Instant),
    sa.Column("party_key_id", sa.Text),
    schema="replicator",
)

parties = sa.Table(
    "parties",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("party_key", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    schema="replicator",
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", Count, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("call_id", UUID),
    sa.Column("field", sa.Text),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("raw", BYTEA, nullable=False),
    sa.Column("raw_sha256", BYTEA, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="1"),
    sa.Column("first_seen_at", Instant, nullable=False),
    sa.Column("last_seen_at", Instant, nullable=False),
    sa.Column("resolved_at", Instant),
    sa.UniqueConstraint("account", "raw_sha256", "reason"),
    schema="replicator",
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", Count, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("command", sa.Text, nullable=False),
    sa.Column("replicator_version", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("epoch", Count, nullable=False),
    sa.Column("started_at", Instant, nullable=False, server_default=_now()),
    sa.Column("finished_at", Instant),
    sa.Column("outcome", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("requests", Count, nullable=False, server_default="0"),
    sa.Column("pages", Count, nullable=False, server_default="0"),
    sa.Column("rows_received", Count, nullable=False, server_default="0"),
    sa.Column("calls_inserted", Count, nullable=False, server_default="0"),
    sa.Column("calls_changed", Count, nullable=False, server_default="0"),
    sa.Column("calls_unchanged", Count, nullable=False, server_default="0"),
    sa.Column("calls_late", Count, nullable=False, server_default="0"),
    sa.Column("rows_quarantined", Count, nullable=False, server_default="0"),
    sa.Column("transcripts_stored", Count, nullable=False, server_default="0"),
    sa.Column("segments_stored", Count, nullable=False, server_default="0"),
    sa.Column("recordings_stored", Count, nullable=False, server_default="0"),
    sa.Column("details_absent", Count, nullable=False, server_default="0"),
    sa.Column("calls_suspected", Count, nullable=False, server_default="0"),
    sa.Column("calls_deleted", Count, nullable=False, server_default="0"),
    sa.Column("absences_ended", Count, nullable=False, server_default="0"),
    sa.Column("refusals", Count, nullable=False, server_default="0"),
    sa.Column("failures", Count, nullable=False, server_default="0"),
    sa.CheckConstraint("outcome in ('done', 'bounded', 'stopped', 'failed', 'lost')", name="outcome"),
    schema="replicator",
)

absences = sa.Table(
    "absences",
    metadata,
    sa.Column("id", Count, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("call_id", UUID, nullable=False),
    sa.Column("call_created_at", Instant),
    sa.Column("last_seen_at", Instant, nullable=False),
    sa.Column("first_missing_at", Instant, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="suspected"),
    sa.Column("misses", sa.Integer, nullable=False, server_default="0"),
    sa.Column("missed_at", Instant),
    sa.Column("due_at", Instant),
    sa.Column("confirmed_at", Instant),
    sa.Column("ended_at", Instant),
    sa.CheckConstraint("evidence in ('page', 'answer')", name="evidence"),
    sa.CheckConstraint("state in ('suspected', 'deleted', 'refuted', 'reappeared')", name="state"),
    sa.CheckConstraint("(ended_at is not null) = (state in ('refuted', 'reappeared'))", name="ended"),
    sa.CheckConstraint("(confirmed_at is not null) = (state in ('deleted', 'reappeared'))", name="confirmed"),
    schema="replicator",
)
sa.Index("uq_absences_one_open", absences.c.call_id, unique=True, postgresql_where=absences.c.ended_at.is_(None))
sa.Index(
    "ix_absences_suspected",
    absences.c.account,
    absences.c.due_at,
    postgresql_where=absences.c.state == sa.literal_column("'suspected'"),
)

verifications = sa.Table(
    "verifications",
    metadata,
    sa.Column("id", Count, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant, nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("is_equal", sa.Boolean, nullable=False),
    sa.Column("pages_compared", sa.Integer, nullable=False),
    sa.Column("calls_compared", sa.Integer, nullable=False),
    sa.Column("findings", JSONB, nullable=False),
    schema="replicator",
)

renewal_classes = sa.Table(
    "renewal_classes",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("class_number", sa.Integer, primary_key=True),
    sa.Column("min_age_seconds", sa.Float, nullable=False),
    sa.Column("max_age_seconds", sa.Float),
    sa.Column("every_seconds", sa.Float, nullable=False),
    schema="replicator",
)

lease = sa.Table(
    "lease",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("epoch", Count, nullable=False),
    sa.Column("holder", sa.Text),
    sa.Column("host", sa.Text),
    sa.Column("pid", sa.Integer),
    sa.Column("command", sa.Text),
    sa.Column("acquired_at", Instant),
    sa.Column("expires_at", Instant),
    schema="replicator",
)

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("request_limit", sa.Integer),
    sa.Column("window_seconds", sa.Numeric, nullable=False),
    sa.Column("not_before", Instant),
    sa.Column("offset_low_seconds", sa.Numeric),
    sa.Column("offset_high_seconds", sa.Numeric),
    schema="replicator",
)

budget_windows = sa.Table(
    "budget_windows",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("window_number", Count, primary_key=True),
    sa.Column("charged", sa.Integer, nullable=False),
    schema="replicator",
)

STAGES = "stage in ('open', 'answered', 'machine', 'not_answered', 'busy', 'not_placed', 'cancelled')"

status_stages = sa.Table(
    "status_stages",
    metadata,
    sa.Column("status", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("is_terminal", sa.Boolean, nullable=False),
    # The word without case and separators (store/stages.py), for spellings that have no row of their own.
    sa.Column("status_key", sa.Text, sa.Computed(stages.KEY.format(word="status"), persisted=True)),
    sa.CheckConstraint(STAGES, name="stage"),
    sa.Index("ix_status_stages_status_key", "status_key"),
    schema="replicator",
)

stamp_conflicts = sa.Table(
    "stamp_conflicts",
    metadata,
    sa.Column("call_id", UUID, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("stored_updated_at", Instant, nullable=False),
    sa.Column("seen_updated_at", Instant, nullable=False),
    sa.Column("first_seen_at", Instant, nullable=False),
    sa.Column("believed_at", Instant),
    schema="replicator",
)

reporting = sa.Table(
    "reporting",
    metadata,
    sa.Column("is_only", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("time_zone", sa.Text, nullable=False, server_default="UTC"),
    sa.Column("settle_hours", sa.Integer, nullable=False, server_default="72"),
    sa.Column("stale_open_hours", sa.Integer, nullable=False, server_default="6"),
    sa.Column("quick_hang_up_seconds", sa.Integer, nullable=False, server_default="10"),
    sa.Column("conversation_seconds", sa.Integer, nullable=False, server_default="1"),
    sa.Column("billing_increment_seconds", sa.Integer, nullable=False, server_default="60"),
    sa.Column("billing_minimum_seconds", sa.Integer, nullable=False, server_default="0"),
    sa.Column("campaign_path", ARRAY(sa.Text), nullable=False, server_default="{campaign_id}"),
    sa.Column("goal_path", ARRAY(sa.Text)),
    sa.Column("goal_values", ARRAY(sa.Text), nullable=False, server_default="{true,yes,1}"),
    sa.Column("attempt_days", sa.Integer, nullable=False, server_default="30"),
    sa.Column("resolution_days", sa.Integer, nullable=False, server_default="7"),
    sa.Column("answer_target_seconds", sa.Integer, nullable=False, server_default="20"),
    sa.Column("transcript_target_seconds", sa.Integer, nullable=False, server_default="900"),
    sa.Column("cost_target_seconds", sa.Integer, nullable=False, server_default="86400"),
    sa.CheckConstraint("is_only", name="one_row"),
    sa.CheckConstraint("billing_increment_seconds > 0", name="increment"),
    sa.CheckConstraint(
        "least(settle_hours, stale_open_hours, quick_hang_up_seconds, conversation_seconds, billing_minimum_seconds, "
        "attempt_days, resolution_days, answer_target_seconds, transcript_target_seconds, cost_target_seconds) >= 0",
        name="not_negative",
    ),
    schema="replicator",
)

stage_rules = sa.Table(
    "stage_rules",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("path", ARRAY(sa.Text), nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.CheckConstraint(STAGES, name="stage"),
    schema="replicator",
)

error_classes = sa.Table(
    "error_classes",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("contains", sa.Text, nullable=False),
    sa.Column("error_class", sa.Text, nullable=False),
    schema="replicator",
)

agents = sa.Table(
    "agents",
    metadata,
    sa.Column("agent_id", UUID, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("team", sa.Text),
    schema="replicator",
)

campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("campaign_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text),
    schema="replicator",
)

cost_changes = sa.Table(
    "cost_changes",
    metadata,
    sa.Column("id", Count, sa.Identity(always=True), primary_key=True),
    sa.Column("call_id", UUID, nullable=False),
    sa.Column("old_usd", sa.Numeric),
    sa.Column("new_usd", sa.Numeric),
    sa.Column("updated_at", Instant),
    sa.Column("observed_at", Instant, nullable=False),
    sa.Index("ix_cost_changes_call_id", "call_id"),
    schema="replicator",
)

touched = sa.Table(
    "touched",
    metadata,
    sa.Column("id", Count, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    schema="rollup",
)

days = sa.Table(
    "days",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("refreshed_at", Instant, nullable=False),
    sa.Column("valid_until", Instant),
    schema="rollup",
)

views = sa.Table(
    "views",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("sha256", BYTEA, nullable=False),
    sa.Column("applied_at", Instant, nullable=False, server_default=_now()),
    schema="replicator",
)

objects = sa.Table(
    "objects",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("schema", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("oid", Count, nullable=False),
    sa.Column("comments", JSONB),
    sa.CheckConstraint("kind in ('schema', 'relation', 'routine')", name="kind"),
    schema="replicator",
)
