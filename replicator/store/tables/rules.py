"""The tables of schema replicator that people edit: the reports' rules and names."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from replicator.store import stages
from replicator.store.tables.base import metadata

STAGES = "stage in ('open', 'answered', 'machine', 'not_answered', 'busy', 'not_placed', 'cancelled')"

status_stages = sa.Table(
    "status_stages",
    metadata,
    sa.Column("status", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("is_terminal", sa.Boolean, nullable=False),
    # The word without case and separators (store/stages.py), for spellings that have no row of their own.
    sa.Column("status_key", sa.Text, sa.Computed(stages.KEY.format(word="status"), persisted=True)),
    sa.CheckConstraint(STAGES, name="stage"),
    sa.Index("ix_status_stages_status_key", "status_key"),
    schema="replicator",
)

reporting = sa.Table(
    "reporting",
    metadata,
    sa.Column("is_only", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("time_zone", sa.Text, nullable=False, server_default="UTC"),
    sa.Column("settle_hours", sa.Integer, nullable=False, server_default="72"),
    sa.Column("stale_open_hours", sa.Integer, nullable=False, server_default="6"),
    sa.Column("quick_hang_up_seconds", sa.Integer, nullable=False, server_default="10"),
    sa.Column("conversation_seconds", sa.Integer, nullable=False, server_default="1"),
    sa.Column("billing_increment_seconds", sa.Integer, nullable=False, server_default="60"),
    sa.Column("billing_minimum_seconds", sa.Integer, nullable=False, server_default="0"),
    sa.Column("campaign_path", ARRAY(sa.Text), nullable=False, server_default="{campaign_id}"),
    sa.Column("goal_path", ARRAY(sa.Text)),
    sa.Column("goal_values", ARRAY(sa.Text), nullable=False, server_default="{true,yes,1}"),
    sa.Column("attempt_days", sa.Integer, nullable=False, server_default="30"),
    sa.Column("resolution_days", sa.Integer, nullable=False, server_default="7"),
    sa.Column("answer_target_seconds", sa.Integer, nullable=False, server_default="20"),
    sa.Column("transcript_target_seconds", sa.Integer, nullable=False, server_default="900"),
    sa.Column("cost_target_seconds", sa.Integer, nullable=False, server_default="86400"),
    sa.Column("cost_give_up_days", sa.Integer, nullable=False, server_default="30"),
    sa.CheckConstraint("is_only", name="one_row"),
    sa.CheckConstraint("cost_give_up_days >= 0", name="give_up"),
    sa.CheckConstraint("billing_increment_seconds > 0", name="increment"),
    sa.CheckConstraint(
        "least(settle_hours, stale_open_hours, quick_hang_up_seconds, conversation_seconds, billing_minimum_seconds, "
        "attempt_days, resolution_days, answer_target_seconds, transcript_target_seconds, cost_target_seconds) >= 0",
        name="not_negative",
    ),
    schema="replicator",
)

stage_rules = sa.Table(
    "stage_rules",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("path", ARRAY(sa.Text), nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.CheckConstraint(STAGES, name="stage"),
    schema="replicator",
)

error_classes = sa.Table(
    "error_classes",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("contains", sa.Text, nullable=False),
    sa.Column("error_class", sa.Text, nullable=False),
    schema="replicator",
)

agents = sa.Table(
    "agents",
    metadata,
    sa.Column("agent_id", UUID, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("team", sa.Text),
    schema="replicator",
)

campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("campaign_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text),
    schema="replicator",
)
