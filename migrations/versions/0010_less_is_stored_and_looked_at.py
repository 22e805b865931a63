"""A segment's JSON is stored only where its columns do not say all of it, and long values have no statistics.

Segments that are stored keep their JSON. Statistics of long values cost most of the time of ANALYZE, and no plan uses
them: a column whose target somebody has set keeps it.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LONG = {
    "calls": ("summary", "recording_url", "context", "raw", "fingerprint", "problems"),
    "call_versions": ("fingerprint", "raw"),
    "transcript_segments": ("text", "raw", "start_seconds", "end_seconds"),
    "transcripts": ("raw", "summary", "fingerprint", "problems", "last_error"),
    "transcript_versions": ("fingerprint", "summary", "segments", "raw"),
    "recordings": ("raw", "recording_url", "last_error"),
}


def upgrade() -> None:
    op.alter_column("transcript_segments", "raw", nullable=True, schema="truedy")
    for table, columns in LONG.items():
        for column in columns:
            op.execute(
                f"DO $$ BEGIN IF (SELECT coalesce(attstattarget, -1) = -1 FROM pg_catalog.pg_attribute "
                f"WHERE attrelid = 'truedy.{table}'::regclass AND attname = '{column}') THEN "
                f"ALTER TABLE truedy.{table} ALTER COLUMN {column} SET STATISTICS 0; END IF; END $$"
            )


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
