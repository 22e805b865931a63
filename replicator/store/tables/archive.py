"""The tables of schema archive: sealed records, the blocks that chain them, and the signed heads that were written
outside.

Records and blocks are only added. A trigger refuses everything else but one thing: an erasure takes `salt` and `bytes`
away (migration 0011).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, UUID

from replicator.store.tables.base import Count, Instant, metadata

# One row for each account, which is locked while its chain grows.
chains = sa.Table(
    "chains",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    # Increased by each run that seals rows from before: an earlier one that still works ends then.
    sa.Column("late_run", sa.Integer, nullable=False, server_default="0"),
    schema="archive",
)

records = sa.Table(
    "records",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("sequence", Count, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    # The call, where there is one. No index: it would cost each commit more than an erasure gains by it.
    sa.Column("subject", UUID),
    sa.Column("observed_at", Instant, nullable=False),
    # Null after an erasure, as `bytes`.
    sa.Column("salt", BYTEA),
    sa.Column("bytes", BYTEA),
    sa.Column("commitment", BYTEA, nullable=False),
    sa.Column("block", Count, nullable=False),
    # What people did, which is little among much that was observed (`archive log`).
    sa.Index(
        "ix_records_deeds",
        "account",
        "sequence",
        postgresql_where=sa.text("kind NOT IN ('call', 'transcript', 'recording', 'tombstone', 'gap')"),
    ),
    schema="archive",
)

blocks = sa.Table(
    "blocks",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("block", Count, primary_key=True),
    sa.Column("first_sequence", Count, nullable=False),
    sa.Column("last_sequence", Count, nullable=False),
    sa.Column("root", BYTEA, nullable=False),
    sa.Column("previous", BYTEA, nullable=False),
    sa.Column("sealed_at", Instant, nullable=False),
    sa.Column("hash", BYTEA, nullable=False),
    schema="archive",
)

# Signed heads, and where each was written. A head without its time stamp waits for it where an authority is named.
heads = sa.Table(
    "heads",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("block", Count, primary_key=True),
    sa.Column("place", sa.Text, primary_key=True),
    sa.Column("head", sa.Text, nullable=False),
    sa.Column("written_at", Instant, nullable=False),
    sa.Column("authority", sa.Text),
    sa.Column("token", BYTEA),
    sa.Column("token_at", Instant),
    sa.Column("token_error", sa.Text),
    schema="archive",
)
