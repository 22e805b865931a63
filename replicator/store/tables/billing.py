"""The tables of schema billing: other parties' statements and their lines, rate cards and budgets.

A statement in force has no `replaced_by`: reports and matching read those only. Amounts have no scale, so that no digit of
a statement is rounded.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

from replicator.store.tables.base import Count, Instant, metadata, now

MONTH = "~ '^[0-9]{4}-(0[1-9]|1[0-2])$'"
IN_FORCE = "replaced_by IS NULL"

statements = sa.Table(
    "statements",
    metadata,
    sa.Column("id", Count, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    # 'vendor' for the source's own statement, or the name of a carrier.
    sa.Column("party", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("bytes", Count, nullable=False),
    sa.Column("file_name", sa.Text, nullable=False),
    # The mapping as it was used, with its name and its own hash under the key "version".
    sa.Column("mapping", JSONB, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("imported_at", Instant, nullable=False, server_default=now()),
    sa.Column("imported_by", sa.Text, nullable=False),
    sa.Column("replaces", Count),
    sa.Column("replaced_by", Count),
    sa.Column("lines", sa.Integer, nullable=False),
    sa.Column("unreadable", sa.Integer, nullable=False),
    # By currency, the sum of the readable lines, as text: {"USD": "123.45"}.
    sa.Column("total", JSONB, nullable=False),
    # By currency, the total that the file itself states, as text; null where it states none.
    sa.Column("stated_total", JSONB),
    sa.CheckConstraint(f"period {MONTH}", name="period"),
    sa.Index("uq_statements_file", "account", "party", "sha256", unique=True, postgresql_where=sa.text(IN_FORCE)),
    sa.Index("uq_statements_name", "account", "party", "period", "name", unique=True, postgresql_where=sa.text(IN_FORCE)),
    schema="billing",
)  # fmt: skip

lines = sa.Table(
    "lines",
    metadata,
    sa.Column("statement", Count, primary_key=True, autoincrement=False),
    # The line of the file on which it begins; the header is line 1.
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("line_id", sa.Text),
    sa.Column("call_id", UUID),
    sa.Column("provider_id", sa.Text),
    sa.Column("started_at", Instant),
    sa.Column("duration_seconds", sa.Integer),
    sa.Column("from_number", sa.Text),
    sa.Column("phone_number", sa.Text),
    sa.Column("direction", sa.Text),
    sa.Column("amount", sa.Numeric),
    sa.Column("currency", sa.Text),
    sa.Column("kind", sa.Text),
    sa.Column("description", sa.Text),
    sa.Column("original", sa.Text, nullable=False),
    # Why the line cannot be read: then its values are null.
    sa.Column("problem", sa.Text),
    sa.CheckConstraint("kind in ('usage', 'fee', 'tax', 'credit', 'discount')", name="kind"),
    sa.CheckConstraint("problem is not null or (currency is not null and kind is not null)", name="readable"),
    sa.Index("ix_lines_unreadable", "statement", postgresql_where=sa.text("problem IS NOT NULL")),
    schema="billing",
)

rate_cards = sa.Table(
    "rate_cards",
    metadata,
    sa.Column("id", Count, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    # Null matches every call.
    sa.Column("direction", sa.Text),
    sa.Column("destination_prefix", sa.Text),
    sa.Column("agent_id", UUID),
    sa.Column("campaign", sa.Text),
    sa.Column("minimum_seconds", sa.Integer, nullable=False, server_default="0"),
    sa.Column("increment_seconds", sa.Integer, nullable=False),
    sa.Column("price_per_minute", sa.Numeric, nullable=False),
    sa.Column("valid_from", Instant, nullable=False),
    sa.Column("valid_until", Instant),
    sa.CheckConstraint("increment_seconds > 0 and minimum_seconds >= 0", name="seconds"),
    sa.CheckConstraint("price_per_minute >= 0", name="price"),
    sa.CheckConstraint("valid_until > valid_from", name="not_empty"),
    sa.UniqueConstraint("account", "name", "valid_from"),
    schema="billing",
)

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("scope", sa.Text, primary_key=True),
    # The agent's or campaign's id; empty for the whole account.
    sa.Column("scope_value", sa.Text, primary_key=True),
    sa.Column("amount_usd", sa.Numeric, nullable=False),
    sa.CheckConstraint(f"month {MONTH}", name="month"),
    sa.CheckConstraint("scope in ('account', 'agent', 'campaign')", name="scope"),
    sa.CheckConstraint("(scope = 'account') = (scope_value = '')", name="scope_value"),
    sa.CheckConstraint("amount_usd > 0", name="amount_usd"),
    schema="billing",
)
