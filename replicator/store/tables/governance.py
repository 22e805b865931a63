"""The tables of schema archive for holds, retention, erasures and suppressions. None of them holds a phone number.

Nothing is removed from them. A trigger refuses every change but those that the migration names for each table: the
release of a hold, the end of an erasure, and what became of each call.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from replicator.store.tables.base import Count, Instant, metadata

# A hold is a rule, and covers calls that come later too. `number_keys` are keyed hashes (archive/governance/suppression.py).
holds = sa.Table(
    "holds",
    metadata,
    sa.Column("id", Count, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("placed_by", sa.Text, nullable=False),
    sa.Column("placed_at", Instant, nullable=False),
    sa.Column("call_ids", ARRAY(UUID), nullable=False, server_default="{}"),
    sa.Column("number_keys", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("key_id", sa.Text),
    sa.Column("agent_id", UUID),
    sa.Column("since", Instant),
    sa.Column("until", Instant),
    # How many stored calls it covered when it was placed.
    sa.Column("calls_at_first", Count, nullable=False, server_default="0"),
    sa.Column("released_at", Instant),
    sa.Column("released_by", sa.Text),
    sa.Column("release_reason", sa.Text),
    sa.UniqueConstraint("account", "name"),
    sa.CheckConstraint(
        "cardinality(call_ids) > 0 OR cardinality(number_keys) > 0 OR agent_id IS NOT NULL OR since IS NOT NULL "
        "OR until IS NOT NULL",
        name="selects",
    ),
    sa.CheckConstraint("(cardinality(number_keys) > 0) = (key_id IS NOT NULL)", name="key"),
    sa.CheckConstraint(
        "(released_at IS NULL) = (released_by IS NULL) AND (released_at IS NULL) = (release_reason IS NULL)",
        name="release",
    ),
    schema="archive",
)

retention_classes = sa.Table(
    "retention_classes",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("basis", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("keep_months", sa.Integer, nullable=False),
    sa.Column("keep_days", sa.Integer, nullable=False),
    sa.Column("direction", sa.Text),
    sa.Column("agent_id", UUID),
    sa.Column("campaign_id", sa.Text),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.CheckConstraint("basis in ('statutory', 'business')", name="basis"),
    sa.CheckConstraint("mode in ('governance', 'compliance')", name="mode"),
    sa.CheckConstraint("keep_months >= 0 AND keep_days >= 0", name="keep"),
    schema="archive",
)

# One erasure or disposal: what somebody asked for, and what became of it. `selection` is a keyed hash of what was asked.
erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("id", Count, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("selection", sa.Text, nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("numbers", sa.Integer, nullable=False),
    sa.Column("finished_at", Instant),
    sa.CheckConstraint("kind in ('erasure', 'disposal')", name="kind"),
    sa.Index("ix_erasures_open", "account", "kind", "selection", postgresql_where=sa.text("finished_at IS NULL")),
    schema="archive",
)

erasure_calls = sa.Table(
    "erasure_calls",
    metadata,
    sa.Column("erasure_id", Count, primary_key=True),
    sa.Column("call_id", UUID, primary_key=True),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("found_by", sa.Text, nullable=False),
    # The hold or the class that keeps it, and until when.
    sa.Column("kept_by", sa.Text),
    sa.Column("kept_until", Instant),
    sa.Column("decided_at", Instant, nullable=False),
    # The sequence of the sealed record of its erasure.
    sa.Column("sequence", Count),
    sa.CheckConstraint("decision in ('keep', 'erase', 'dispose')", name="decision"),
    sa.CheckConstraint("found_by in ('call', 'number', 'mention', 'retention', 'list')", name="found_by"),
    sa.Index("ix_erasure_calls_call_id", "call_id"),
    schema="archive",
)

# The archive's settings as the last run saw them: a change is sealed as a record `configuration`.
settings_seen = sa.Table(
    "settings_seen",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("facts", JSONB, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    schema="archive",
)

suppressions = sa.Table(
    "suppressions",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("added_at", Instant, nullable=False),
    sa.CheckConstraint("kind in ('call', 'number', 'payload')", name="kind"),
    schema="archive",
)
