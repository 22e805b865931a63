"""Holds, retention classes, erasures, and the list of keyed hashes that keeps out what was erased.

A trigger refuses every change of these tables, in every session, but of the columns that it is told.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# By hand an administrator may change the account's name; `accounts rename` refuses an account that has such rows.
CHANGES = {
    "holds": "'account', 'released_at', 'released_by', 'release_reason'",
    "retention_classes": "'account'",
    "erasures": "'account', 'finished_at'",
    "erasure_calls": "'decision', 'reason', 'kept_by', 'kept_until', 'decided_at', 'sequence'",
    "suppressions": "'account'",
}
REFUSE = """
CREATE FUNCTION archive.keep_history() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF to_jsonb(OLD) - TG_ARGV::text[] = to_jsonb(NEW) - TG_ARGV::text[]
            AND (to_jsonb(OLD) ->> 'released_at' IS NULL
                OR to_jsonb(OLD) ->> 'released_at' = to_jsonb(NEW) ->> 'released_at') THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
        MESSAGE = format('this table is a history: %s of %I is refused', lower(TG_OP), TG_TABLE_NAME),
        HINT = 'What was held, kept or erased stays written down.';
END $body$
"""


def _tables() -> None:
    instant, identity, text = sa.TIMESTAMP(timezone=True), postgresql.UUID(), sa.Text()
    op.create_table(
        "holds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", text, nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("placed_by", text, nullable=False),
        sa.Column("placed_at", instant, nullable=False),
        sa.Column("call_ids", postgresql.ARRAY(identity), server_default="{}", nullable=False),
        sa.Column("number_keys", postgresql.ARRAY(text), server_default="{}", nullable=False),
        sa.Column("key_id", text),
        sa.Column("agent_id", identity),
        sa.Column("since", instant),
        sa.Column("until", instant),
        sa.Column("calls_at_first", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("released_at", instant),
        sa.Column("released_by", text),
        sa.Column("release_reason", text),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sa.UniqueConstraint("account", "name", name=op.f("uq_holds_account_name")),
        sa.CheckConstraint(
            "cardinality(call_ids) > 0 OR cardinality(number_keys) > 0 OR agent_id IS NOT NULL OR since IS NOT NULL "
            "OR until IS NOT NULL",
            name=op.f("ck_holds_selects"),
        ),
        sa.CheckConstraint("(cardinality(number_keys) > 0) = (key_id IS NOT NULL)", name=op.f("ck_holds_key")),
        sa.CheckConstraint(
            "(released_at IS NULL) = (released_by IS NULL) AND (released_at IS NULL) = (release_reason IS NULL)",
            name=op.f("ck_holds_release"),
        ),
        schema="archive",
    )
    op.create_table(
        "retention_classes",
        sa.Column("account", text, nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("basis", text, nullable=False),
        sa.Column("mode", text, nullable=False),
        sa.Column("keep_months", sa.Integer(), nullable=False),
        sa.Column("keep_days", sa.Integer(), nullable=False),
        sa.Column("direction", text),
        sa.Column("agent_id", identity),
        sa.Column("campaign_id", text),
        sa.Column("set_by", text, nullable=False),
        sa.Column("set_at", instant, nullable=False),
        sa.Column("reason", text, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("account", "name", "version", name=op.f("pk_retention_classes")),
        sa.CheckConstraint("basis in ('statutory', 'business')", name=op.f("ck_retention_classes_basis")),
        sa.CheckConstraint("mode in ('governance', 'compliance')", name=op.f("ck_retention_classes_mode")),
        sa.CheckConstraint("keep_months >= 0 AND keep_days >= 0", name=op.f("ck_retention_classes_keep")),
        schema="archive",
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", text, nullable=False),
        sa.Column("kind", text, nullable=False),
        sa.Column("selection", text, nullable=False),
        sa.Column("asked_by", text, nullable=False),
        sa.Column("asked_at", instant, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("numbers", sa.Integer(), nullable=False),
        sa.Column("finished_at", instant),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        sa.CheckConstraint("kind in ('erasure', 'disposal')", name=op.f("ck_erasures_kind")),
        schema="archive",
    )
    op.create_index(
        "ix_erasures_open", "erasures", ["account", "kind", "selection"], schema="archive",
        postgresql_where=sa.text("finished_at IS NULL"),
    )  # fmt: skip
    op.create_table(
        "erasure_calls",
        sa.Column("erasure_id", sa.BigInteger(), nullable=False),
        sa.Column("call_id", identity, nullable=False),
        sa.Column("decision", text, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("found_by", text, nullable=False),
        sa.Column("kept_by", text),
        sa.Column("kept_until", instant),
        sa.Column("decided_at", instant, nullable=False),
        sa.Column("sequence", sa.BigInteger()),
        sa.PrimaryKeyConstraint("erasure_id", "call_id", name=op.f("pk_erasure_calls")),
        sa.CheckConstraint("decision in ('keep', 'erase', 'dispose')", name=op.f("ck_erasure_calls_decision")),
        sa.CheckConstraint(
            "found_by in ('call', 'number', 'mention', 'retention', 'list')", name=op.f("ck_erasure_calls_found_by")
        ),
        schema="archive",
    )
    op.create_index("ix_erasure_calls_call_id", "erasure_calls", ["call_id"], schema="archive")
    op.create_table(
        "settings_seen",
        sa.Column("account", text, nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.Column("seen_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_settings_seen")),
        schema="archive",
    )
    op.create_table(
        "suppressions",
        sa.Column("account", text, nullable=False),
        sa.Column("kind", text, nullable=False),
        sa.Column("key", text, nullable=False),
        sa.Column("key_id", text, nullable=False),
        sa.Column("added_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("account", "kind", "key", name=op.f("pk_suppressions")),
        sa.CheckConstraint("kind in ('call', 'number', 'payload')", name=op.f("ck_suppressions_kind")),
        schema="archive",
    )


def upgrade() -> None:
    _tables()
    # Of what people do there are few records among many: `archive log` reads them by this index.
    op.create_index(
        "ix_records_deeds", "records", ["account", "sequence"], schema="archive",
        postgresql_where=sa.text("kind NOT IN ('call', 'transcript', 'recording', 'tombstone', 'gap')"),
    )  # fmt: skip
    op.execute(REFUSE)
    for table, columns in CHANGES.items():
        op.execute(
            f"CREATE TRIGGER kept_rows BEFORE UPDATE OR DELETE ON archive.{table} FOR EACH ROW "
            f"EXECUTE FUNCTION archive.keep_history({columns})"
        )
        op.execute(
            f"CREATE TRIGGER kept_whole BEFORE TRUNCATE ON archive.{table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION archive.keep_history()"
        )
        for trigger in ("kept_rows", "kept_whole"):
            op.execute(f"ALTER TABLE archive.{table} ENABLE ALWAYS TRIGGER {trigger}")


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
