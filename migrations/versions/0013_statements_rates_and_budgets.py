"""What other parties charge: statements and their lines, rate cards and budgets, in a schema of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0013"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
MONTH = "~ '^[0-9]{4}-(0[1-9]|1[0-2])$'"


def upgrade() -> None:
    _make_statements()
    _make_lines()
    _make_rate_cards()
    op.create_table(
        "budgets",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("scope_value", sa.Text(), nullable=False),
        sa.Column("amount_usd", sa.Numeric(), nullable=False),
        sa.CheckConstraint(f"month {MONTH}", name=op.f("ck_budgets_month")),
        sa.CheckConstraint("scope in ('account', 'agent', 'campaign')", name=op.f("ck_budgets_scope")),
        sa.CheckConstraint("(scope = 'account') = (scope_value = '')", name=op.f("ck_budgets_scope_value")),
        sa.CheckConstraint("amount_usd > 0", name=op.f("ck_budgets_amount_usd")),
        sa.PrimaryKeyConstraint("account", "month", "scope", "scope_value", name=op.f("pk_budgets")),
        schema="billing",
    )


def _make_statements() -> None:
    op.create_table(
        "statements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("mapping", JSONB(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("imported_at", INSTANT, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("imported_by", sa.Text(), nullable=False),
        sa.Column("replaces", sa.BigInteger(), nullable=True),
        sa.Column("replaced_by", sa.BigInteger(), nullable=True),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("unreadable", sa.Integer(), nullable=False),
        sa.Column("total", JSONB(), nullable=False),
        sa.Column("stated_total", JSONB(), nullable=True),
        sa.CheckConstraint(f"period {MONTH}", name=op.f("ck_statements_period")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statements")),
        schema="billing",
    )
    in_force = sa.text("replaced_by IS NULL")
    op.create_index(
        "uq_statements_file", "statements", ["account", "party", "sha256"], unique=True, schema="billing",
        postgresql_where=in_force,
    )  # fmt: skip
    op.create_index(
        "uq_statements_name", "statements", ["account", "party", "period", "name"], unique=True, schema="billing",
        postgresql_where=in_force,
    )  # fmt: skip


def _make_lines() -> None:
    op.create_table(
        "lines",
        sa.Column("statement", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.Text(), nullable=True),
        sa.Column("call_id", UUID(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.Column("from_number", sa.Text(), nullable=True),
        sa.Column("phone_number", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("original", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.CheckConstraint("kind in ('usage', 'fee', 'tax', 'credit', 'discount')", name=op.f("ck_lines_kind")),
        sa.CheckConstraint(
            "problem is not null or (currency is not null and kind is not null)", name=op.f("ck_lines_readable")
        ),
        sa.PrimaryKeyConstraint("statement", "number", name=op.f("pk_lines")),
        schema="billing",
    )
    op.create_index(
        "ix_lines_unreadable", "lines", ["statement"], schema="billing", postgresql_where=sa.text("problem IS NOT NULL")
    )


def _make_rate_cards() -> None:
    op.create_table(
        "rate_cards",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("destination_prefix", sa.Text(), nullable=True),
        sa.Column("agent_id", UUID(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("minimum_seconds", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("increment_seconds", sa.Integer(), nullable=False),
        sa.Column("price_per_minute", sa.Numeric(), nullable=False),
        sa.Column("valid_from", INSTANT, nullable=False),
        sa.Column("valid_until", INSTANT, nullable=True),
        sa.CheckConstraint("increment_seconds > 0 and minimum_seconds >= 0", name=op.f("ck_rate_cards_seconds")),
        sa.CheckConstraint("price_per_minute >= 0", name=op.f("ck_rate_cards_price")),
        sa.CheckConstraint("valid_until > valid_from", name=op.f("ck_rate_cards_not_empty")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate_cards")),
        sa.UniqueConstraint("account", "name", "valid_from", name=op.f("uq_rate_cards_account_name_valid_from")),
        schema="billing",
    )


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
