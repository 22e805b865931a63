"""The table of the archive's files, which is also the durable queue of recordings that are to be downloaded."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from replicator.store.tables.base import Count, Instant, metadata, now

STATES = "state in ('pending', 'stored', 'missing', 'refused', 'erased', 'disposed')"
WHOLE = (
    "state <> 'stored' OR (sha256 IS NOT NULL AND bytes IS NOT NULL AND media_type IS NOT NULL AND place IS NOT NULL "
    "AND stored_at IS NOT NULL)"
)

objects = sa.Table(
    "objects",
    metadata,
    sa.Column("id", UUID, primary_key=True, server_default=sa.text("gen_random_uuid()")),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("call_id", UUID, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, server_default="recording"),
    sa.Column("state", sa.Text, nullable=False, server_default="pending"),
    # The stored file: null until it is stored. `place` is below the store's folder or prefix.
    sa.Column("sha256", sa.Text(collation="C")),
    sa.Column("bytes", Count),
    sa.Column("media_type", sa.Text),
    sa.Column("place", sa.Text),
    sa.Column("stored_at", Instant),
    sa.Column("retain_until", Instant),
    # The queue. `deadline_at` is when the vendor deletes the audio; `next_try_at` is null unless the row is pending.
    sa.Column("queued_at", Instant, nullable=False, server_default=now()),
    sa.Column("call_created_at", Instant),
    sa.Column("deadline_at", Instant),
    sa.Column("next_try_at", Instant),
    sa.Column("tried_at", Instant),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    # Failures in a row of one kind, when the first of them was, and the reason of the last one (archive/recordings/queue_rules.py).
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failing_since", Instant),
    sa.Column("reason", sa.Text),
    # The run that is downloading it, and until when it is believed to be alive.
    sa.Column("claim", UUID),
    sa.Column("claimed_until", Instant),
    # The file that is being put into the store: after a crash it is looked for there, and nothing is downloaded again.
    sa.Column("putting_sha256", sa.Text),
    sa.Column("putting_bytes", Count),
    sa.Column("putting_media_type", sa.Text),
    sa.UniqueConstraint("account", "call_id", "kind"),
    sa.CheckConstraint("kind = 'recording'", name="kind"),
    sa.CheckConstraint(STATES, name="state"),
    sa.CheckConstraint(WHOLE, name="whole"),
    sa.CheckConstraint("(state = 'pending') = (next_try_at IS NOT NULL)", name="queued"),
    sa.Index(
        "ix_objects_queue",
        "account",
        sa.text("call_created_at DESC NULLS LAST"),
        postgresql_where=sa.text("state = 'pending'"),
    ),
    sa.Index(
        "ix_objects_putting",
        "account",
        postgresql_where=sa.text("putting_sha256 IS NOT NULL"),
    ),
    # Two calls may have the same audio, which is one file: an erasure has to know.
    sa.Index("ix_objects_sha256", "sha256", postgresql_where=sa.text("sha256 IS NOT NULL")),
    schema="archive",
    postgresql_with={"fillfactor": "80"},
)
