"""Renewal credit, and absent details that are believed only after several looks.

Earlier releases believed one 404 for a transcript or recording of an old call. Such rows are asked for again, after all
other work: they may have been an outage of the provider.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BELIEVED_FROM = 3
"""Looks after which a detail may be believed to be absent."""


RENAMED = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_constraint
        WHERE conname = 'lease_name_not_null' AND conrelid = 'replicator.lease'::regclass) THEN
        ALTER TABLE replicator.lease RENAME CONSTRAINT lease_name_not_null TO lease_account_not_null;
    END IF;
END $$
"""
"""PostgreSQL 18 names this constraint after its column, which had another name once: a restored dump differs."""


def upgrade() -> None:
    instant = sa.TIMESTAMP(timezone=True)
    for column in (
        sa.Column("renewal_share", sa.Float(), nullable=True),
        sa.Column("renewal_credit", sa.Float(), nullable=False, server_default="0"),
        sa.Column("renewal_credit_at", instant, nullable=True),
        sa.Column("capped_at", sa.BigInteger(), nullable=True),
        sa.Column("run_begun_at", instant, nullable=True),
        sa.Column("run_seen_at", instant, nullable=True),
    ):
        op.add_column("source_state", column, schema="replicator")
    op.create_table(
        "detail_habits",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since", instant, nullable=False),
        sa.Column("found", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("absent", sa.BigInteger(), nullable=False, server_default="0"),
        sa.CheckConstraint("kind in ('transcript', 'recording')", name=op.f("ck_detail_habits_kind")),
        sa.PrimaryKeyConstraint("account", "kind", "since", name=op.f("pk_detail_habits")),
        schema="replicator",
    )
    op.create_table(
        "failing_stretches",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("until", instant, nullable=False),
        sa.Column("since", instant, nullable=False),
        sa.Column("first_failed_at", instant, nullable=False),
        sa.Column("failed_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("account", "until", name=op.f("pk_failing_stretches")),
        schema="replicator",
    )
    op.execute(RENAMED)
    for table in ("transcripts", "recordings"):
        looks = sa.Column("absent_looks", sa.Integer(), nullable=False, server_default="0")
        op.add_column(table, looks, schema="truedy")
        op.add_column(table, sa.Column("absent_since", instant, nullable=True), schema="truedy")
        last = sa.Column("waits_last", sa.Boolean(), nullable=False, server_default=sa.false())
        op.add_column(table, last, schema="truedy")
        _doubt_what_was_seen_once(table)
        op.drop_index(f"ix_{table}_queue", table, schema="truedy")
        op.create_index(
            f"ix_{table}_queue", table, ["account", sa.text("call_created_at DESC NULLS LAST")], schema="truedy",
            postgresql_where=sa.text("due_at IS NOT NULL AND NOT waits_last"),
        )  # fmt: skip
        op.create_index(
            f"ix_{table}_queue_last", table, ["account", "due_at"], schema="truedy",
            postgresql_where=sa.text("due_at IS NOT NULL AND waits_last"),
        )  # fmt: skip


def _doubt_what_was_seen_once(table: str) -> None:
    """Queue again what was believed to be absent, or to be an empty transcript, after fewer looks than are needed now.

    What was found counts as the account's habit: it was looked at when it was fetched.
    """
    kind = table.removesuffix("s")
    op.execute(
        "INSERT INTO replicator.detail_habits (account, kind, since, found) SELECT account, "
        f"'{kind}', date_trunc('day', fetched_at), count(*) FROM truedy.{table} WHERE account IS NOT NULL "
        "AND state = 'present' AND fetched_at > now() - interval '100 days' GROUP BY 1, 2, 3"
    )
    if table == "transcripts":
        op.execute(
            "UPDATE truedy.transcripts SET due_at = now(), waits_last = true WHERE state = 'present' AND segment_count = 0 "
            f"AND due_at IS NULL AND attempts < {BELIEVED_FROM}"
        )
    op.execute(
        f"UPDATE truedy.{table} SET state = 'pending', due_at = now(), waits_last = true, absent_looks = greatest(attempts, 1), "
        f"absent_since = coalesce(asked_at, now()) WHERE state = 'absent_final' AND attempts < {BELIEVED_FROM}"
    )


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
