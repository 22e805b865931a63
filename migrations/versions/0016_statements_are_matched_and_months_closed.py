"""Statements are matched with calls: items, bridges, a person's decisions, and months that are closed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

revision = "0016"
down_revision = "0013"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
MONTH = "~ '^[0-9]{4}-(0[1-9]|1[0-2])$'"


def upgrade() -> None:
    _make_matchings()
    _make_items()
    _make_bridge_steps()
    _make_decisions()
    _make_closes()
    _make_close_amounts()


def _make_matchings() -> None:
    op.create_table(
        "matchings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("superseded_at", INSTANT, nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("terms", JSONB(), nullable=False),
        sa.Column("statements", ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("calls_changed_at", INSTANT, nullable=True),
        sa.Column("last_decision", sa.BigInteger(), nullable=True),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("unreadable", sa.BigInteger(), nullable=False),
        sa.Column("our_sum_usd", sa.Numeric(), nullable=False),
        sa.Column("statement_usd", sa.Numeric(), nullable=False),
        sa.CheckConstraint(f"period {MONTH}", name=op.f("ck_matchings_period")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_matchings")),
        schema="billing",
    )
    op.create_index(
        "uq_matchings_newest",
        "matchings",
        ["account", "party", "period"],
        schema="billing",
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )


def _make_items() -> None:
    op.create_table(
        "items",
        sa.Column("matching", sa.BigInteger(), nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("statement", sa.BigInteger(), nullable=True),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("call_id", UUID(), nullable=True),
        sa.Column("ours_usd", sa.Numeric(), nullable=False),
        sa.Column("theirs_usd", sa.Numeric(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("calls", ARRAY(UUID()), nullable=True),
        sa.Column("candidates", ARRAY(sa.Text()), nullable=True),
        sa.CheckConstraint("line is not null or call_id is not null", name=op.f("ck_items_not_empty")),
        sa.PrimaryKeyConstraint("matching", "item", name=op.f("pk_items")),
        schema="billing",
    )
    op.create_index(
        "ix_items_call_id", "items", ["call_id"], schema="billing", postgresql_where=sa.text("call_id IS NOT NULL")
    )


def _make_bridge_steps() -> None:
    op.create_table(
        "bridge_steps",
        sa.Column("matching", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("amount_usd", sa.Numeric(), nullable=False),
        sa.Column("running_usd", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("matching", "position", name=op.f("pk_bridge_steps")),
        schema="billing",
    )


def _make_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("statement", sa.BigInteger(), nullable=True),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("call_id", UUID(), nullable=True),
        sa.Column("class", sa.Text(), nullable=True),
        sa.Column("delta_usd", sa.Numeric(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.CheckConstraint("kind in ('assign', 'accept')", name=op.f("ck_decisions_kind")),
        sa.CheckConstraint("line is not null or call_id is not null", name=op.f("ck_decisions_not_empty")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_decisions_reason")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        schema="billing",
    )
    op.create_index("ix_decisions_month", "decisions", ["account", "period", "party"], schema="billing")


def _make_closes() -> None:
    op.create_table(
        "closes",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("closed_at", INSTANT, nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("doubts", ARRAY(sa.Text()), nullable=False, server_default="{}"),
        sa.Column("anyway_reason", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("pending_calls", sa.BigInteger(), nullable=False),
        sa.Column("our_sum_usd", sa.Numeric(), nullable=False),
        sa.Column("statement_usd", sa.Numeric(), nullable=True),
        sa.Column("matching", sa.BigInteger(), nullable=True),
        sa.Column("last_cost_change", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "cardinality(doubts) = 0 or anyway_reason is not null", name=op.f("ck_closes_anyway_reason")
        ),
        sa.CheckConstraint(f"period {MONTH}", name=op.f("ck_closes_period")),
        sa.CheckConstraint("number = 1 or reason is not null", name=op.f("ck_closes_reason")),
        sa.PrimaryKeyConstraint("account", "period", "number", name=op.f("pk_closes")),
        schema="billing",
    )


def _make_close_amounts() -> None:
    op.create_table(
        "close_amounts",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("call_id", UUID(), nullable=False),
        sa.Column("amount_usd", sa.Numeric(), nullable=True),
        sa.Column("cost_state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "period", "number", "call_id", name=op.f("pk_close_amounts")),
        schema="billing",
    )


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
