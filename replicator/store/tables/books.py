"""The tables of schemas replicator and rollup: coverage, runs, budgets, absences, quarantine, what was made and
touched.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, UUID

from replicator.store.tables.base import Count, Instant, metadata, now

coverage = sa.Table(
    "coverage",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("since", Instant, primary_key=True),
    sa.Column("until", Instant, nullable=False),
    sa.Column("verified_at", Instant, nullable=False),
    sa.Column("is_proven", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    # The code of the reason (store/doubts.py); null where the stretch is proven.
    sa.Column("reason_code", sa.Text),
    sa.CheckConstraint("since < until", name="not_empty"),
    schema="replicator",
)

# Stretches of the list of which every page failed at the last look. What was stored of them before stays.
failing_stretches = sa.Table(
    "failing_stretches",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("until", Instant, primary_key=True),
    sa.Column("since", Instant, nullable=False),
    sa.Column("first_failed_at", Instant, nullable=False),
    sa.Column("failed_at", Instant, nullable=False),
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
    # The share of the budget that may re-read what was compared longest ago, and the requests that it has earned.
    sa.Column("renewal_share", sa.Float),
    sa.Column("renewal_credit", sa.Float, nullable=False, server_default="0"),
    sa.Column("renewal_credit_at", Instant),
    # The total at which the list ends though more calls exist, as filters have shown.
    sa.Column("capped_at", Count),
    # By the run's own clock: when the latest run began, and when it last committed.
    sa.Column("run_begun_at", Instant),
    sa.Column("run_seen_at", Instant),
    schema="replicator",
)

# Details by when they were first looked at: how many were found by now, and how many are absent.
detail_habits = sa.Table(
    "detail_habits",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("since", Instant, primary_key=True),
    sa.Column("found", Count, nullable=False, server_default="0"),
    sa.Column("absent", Count, nullable=False, server_default="0"),
    sa.CheckConstraint("kind in ('transcript', 'recording')", name="kind"),
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
    # For a row that no answer showed: it was created from here (null: the beginning) up to there.
    sa.Column("kind", sa.Text, nullable=False, server_default="row"),
    sa.Column("created_since", Instant),
    sa.Column("created_until", Instant),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("raw", BYTEA, nullable=False),
    sa.Column("raw_sha256", BYTEA, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="1"),
    sa.Column("first_seen_at", Instant, nullable=False),
    sa.Column("last_seen_at", Instant, nullable=False),
    sa.Column("resolved_at", Instant),
    sa.UniqueConstraint("account", "raw_sha256", "reason"),
    sa.CheckConstraint("kind in ('row', 'field', 'never_shown')", name="kind"),
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
    sa.Column("started_at", Instant, nullable=False, server_default=now()),
    sa.Column("finished_at", Instant),
    sa.Column("outcome", sa.Text),
    sa.Column("message", sa.Text),
    # The class name of the error that ended the run: of replicator/errors.py, or Python's where it is a defect.
    sa.Column("error_code", sa.Text),
    sa.Column("is_defect", sa.Boolean, nullable=False, server_default=sa.false()),
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
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("epoch", Count, nullable=False),
    sa.Column("holder", sa.Text),
    sa.Column("host", sa.Text),
    sa.Column("pid", sa.Integer),
    sa.Column("command", sa.Text),
    sa.Column("acquired_at", Instant),
    sa.Column("expires_at", Instant),
    schema="replicator",
)

locks = sa.Table(
    "locks",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    schema="replicator",
)

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("request_limit", sa.Integer),
    sa.Column("window_seconds", sa.Numeric, nullable=False),
    sa.Column("not_before", Instant),
    sa.Column("offset_low_seconds", sa.Numeric),
    sa.Column("offset_high_seconds", sa.Numeric),
    # When a run of the account last began with the key; null in rows from before accounts were kept apart.
    sa.Column("used_at", Instant),
    schema="replicator",
)

budget_windows = sa.Table(
    "budget_windows",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("window_number", Count, primary_key=True),
    sa.Column("charged", sa.Integer, nullable=False),
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
    sa.Column("applied_at", Instant, nullable=False, server_default=now()),
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
