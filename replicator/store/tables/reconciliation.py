"""The tables of schema billing that compare: matchings with their items and bridge, a person's decisions, closed months.

Only the newest matching of a month and a party has items; the bridges of all stay. Decisions and closes are added, never
changed. Amounts are US dollars, without a scale.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from replicator.store.tables.base import Count, Instant, metadata, now
from replicator.store.tables.billing import MONTH

matchings = sa.Table(
    "matchings",
    metadata,
    sa.Column("id", Count, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("party", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False, server_default=now()),
    sa.Column("made_by", sa.Text, nullable=False),
    # Null for the newest one, which has items.
    sa.Column("superseded_at", Instant),
    sa.Column("time_zone", sa.Text, nullable=False),
    # Tolerances and limits as they were used.
    sa.Column("terms", JSONB, nullable=False),
    # What it was made from, to know when it is stale: the statements in force, the month's calls and when one of them
    # last changed, and the newest decision.
    sa.Column("statements", ARRAY(Count), nullable=False),
    sa.Column("calls", Count, nullable=False),
    sa.Column("calls_changed_at", Instant),
    sa.Column("last_decision", Count),
    sa.Column("lines", Count, nullable=False),
    sa.Column("unreadable", Count, nullable=False),
    sa.Column("our_sum_usd", sa.Numeric, nullable=False),
    sa.Column("statement_usd", sa.Numeric, nullable=False),
    sa.CheckConstraint(f"period {MONTH}", name="period"),
    sa.Index("uq_matchings_newest", "account", "party", "period", unique=True, postgresql_where=sa.text("superseded_at IS NULL")),
    schema="billing",
)  # fmt: skip

items = sa.Table(
    "items",
    metadata,
    sa.Column("matching", Count, primary_key=True, autoincrement=False),
    sa.Column("item", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("class", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("statement", Count),
    sa.Column("line", sa.Integer),
    sa.Column("call_id", UUID),
    sa.Column("ours_usd", sa.Numeric, nullable=False),
    sa.Column("theirs_usd", sa.Numeric, nullable=False),
    sa.Column("note", sa.Text),
    # It waits for a person, unless one has accepted it.
    sa.Column("is_open", sa.Boolean, nullable=False),
    # The calls of a line that stands for many.
    sa.Column("calls", ARRAY(UUID)),
    # What an open line or call could be: ids of calls, or lines as STATEMENT:NUMBER.
    sa.Column("candidates", ARRAY(sa.Text)),
    sa.CheckConstraint("line is not null or call_id is not null", name="not_empty"),
    sa.Index("ix_items_call_id", "call_id", postgresql_where=sa.text("call_id IS NOT NULL")),
    schema="billing",
)

bridge_steps = sa.Table(
    "bridge_steps",
    metadata,
    sa.Column("matching", Count, primary_key=True, autoincrement=False),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("items", Count, nullable=False),
    sa.Column("amount_usd", sa.Numeric, nullable=False),
    sa.Column("running_usd", sa.Numeric, nullable=False),
    schema="billing",
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", Count, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("party", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("statement", Count),
    sa.Column("line", sa.Integer),
    sa.Column("call_id", UUID),
    # Of an accepted item: it is accepted as long as its class and its difference are these.
    sa.Column("class", sa.Text),
    sa.Column("delta_usd", sa.Numeric),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False, server_default=now()),
    sa.CheckConstraint("kind in ('assign', 'accept')", name="kind"),
    sa.CheckConstraint("reason <> ''", name="reason"),
    sa.CheckConstraint("line is not null or call_id is not null", name="not_empty"),
    sa.Index("ix_decisions_month", "account", "period", "party"),
    schema="billing",
)

closes = sa.Table(
    "closes",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("period", sa.Text, primary_key=True),
    # 1 for the first close; each later one states again, with a reason.
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("closed_at", Instant, nullable=False),
    sa.Column("closed_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    # What spoke against closing, and why it was closed all the same.
    sa.Column("doubts", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("anyway_reason", sa.Text),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("calls", Count, nullable=False),
    sa.Column("pending_calls", Count, nullable=False),
    sa.Column("our_sum_usd", sa.Numeric, nullable=False),
    # The vendor's total of the month, and by which matching; null where there was no statement.
    sa.Column("statement_usd", sa.Numeric),
    sa.Column("matching", Count),
    # The newest change of a cost that the frozen amounts contain.
    sa.Column("last_cost_change", Count),
    # SHA-256 in hex, over the canonical rows of reconcile/frozen.py.
    sa.Column("sha256", sa.Text, nullable=False),
    sa.CheckConstraint(f"period {MONTH}", name="period"),
    sa.CheckConstraint("number = 1 or reason is not null", name="reason"),
    sa.CheckConstraint("cardinality(doubts) = 0 or anyway_reason is not null", name="anyway_reason"),
    schema="billing",
)

close_amounts = sa.Table(
    "close_amounts",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("call_id", UUID, primary_key=True),
    # Null where the cost was not known.
    sa.Column("amount_usd", sa.Numeric),
    sa.Column("cost_state", sa.Text, nullable=False),
    schema="billing",
)
