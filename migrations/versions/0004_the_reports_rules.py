"""The reports' rules as data, the ledger of changed costs, and the books of the roll-ups.

The indexes are for the roll-ups of a day, a person's other calls, and deleted calls. They are made under a lock that lets nobody
write truedy.calls meanwhile: some seconds for a million calls. Adds tables, indexes and columns with defaults only, so
the release before goes on working with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STAGES = "stage in ('open', 'answered', 'machine', 'not_answered', 'busy', 'not_placed', 'cancelled')"
OTHER_PARTY = "(CASE direction WHEN 'outbound'::text THEN phone_number WHEN 'inbound'::text THEN from_number END)"

SEEDS = """
-- Words of context.last_error to a class; the first that is contained wins. Users add theirs.
INSERT INTO replicator.error_classes (position, contains, error_class) VALUES
    (10, 'not in service', 'invalid number'), (20, 'invalid', 'invalid number'), (30, 'unallocated', 'invalid number'),
    (40, 'rejected', 'rejected'), (50, 'declined', 'rejected'), (60, 'forbidden', 'rejected'),
    (70, 'unavailable', 'provider unavailable'), (80, 'congestion', 'provider unavailable'),
    (90, 'timeout', 'timeout'), (100, 'timed out', 'timeout'), (110, 'credit', 'credits'), (120, 'balance', 'credits');
-- What the versions that are stored already say of changed costs.
INSERT INTO replicator.cost_changes (call_id, old_usd, new_usd, updated_at, observed_at)
SELECT call_id, old_usd, new_usd, updated_at, observed_at FROM (
    SELECT
        call_id, version, updated_at, observed_at, usd AS new_usd,
        lag(usd) OVER (PARTITION BY call_id ORDER BY version) AS old_usd,
        row_number() OVER (PARTITION BY call_id ORDER BY version) AS number
    FROM (
        SELECT v.*, CASE WHEN jsonb_typeof(v.raw -> 'cost_usd') IN ('number', 'string')
            AND v.raw ->> 'cost_usd' ~ '^-?[0-9]{1,30}([.][0-9]{1,30})?$' THEN (v.raw ->> 'cost_usd')::numeric END AS usd
        FROM truedy.call_versions v WHERE NOT v.is_late
    ) amounts
) changes
WHERE number > 1 AND old_usd IS DISTINCT FROM new_usd
ORDER BY observed_at, call_id, version;
"""


def upgrade() -> None:
    instant = sa.TIMESTAMP(timezone=True)
    texts = postgresql.ARRAY(sa.Text())
    for name, kind, default in (
        ("quick_hang_up_seconds", sa.Integer(), "10"),
        ("conversation_seconds", sa.Integer(), "1"),
        ("billing_increment_seconds", sa.Integer(), "60"),
        ("billing_minimum_seconds", sa.Integer(), "0"),
        ("campaign_path", texts, "{campaign_id}"),
        ("goal_path", texts, None),
        ("goal_values", texts, "{true,yes,1}"),
        ("attempt_days", sa.Integer(), "30"),
        ("resolution_days", sa.Integer(), "7"),
        ("answer_target_seconds", sa.Integer(), "20"),
        ("transcript_target_seconds", sa.Integer(), "900"),
        ("cost_target_seconds", sa.Integer(), "86400"),
    ):
        column = sa.Column(name, kind, server_default=default, nullable=default is None)
        op.add_column("reporting", column, schema="replicator")
    op.create_check_constraint(
        op.f("ck_reporting_increment"), "reporting", "billing_increment_seconds > 0", schema="replicator"
    )
    op.create_check_constraint(
        op.f("ck_reporting_not_negative"), "reporting",
        "least(settle_hours, stale_open_hours, quick_hang_up_seconds, conversation_seconds, billing_minimum_seconds, "
        "attempt_days, resolution_days, answer_target_seconds, transcript_target_seconds, cost_target_seconds) >= 0",
        schema="replicator",
    )  # fmt: skip
    op.create_table(
        "stage_rules",
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("path", texts, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.CheckConstraint(STAGES, name=op.f("ck_stage_rules_stage")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_stage_rules")),
        schema="replicator",
    )
    op.create_table(
        "error_classes",
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("contains", sa.Text(), nullable=False),
        sa.Column("error_class", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_error_classes")),
        schema="replicator",
    )
    op.create_table(
        "agents",
        sa.Column("agent_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_agents")),
        schema="replicator",
    )
    op.create_table(
        "campaigns",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_campaigns")),
        schema="replicator",
    )
    op.create_table(
        "cost_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("old_usd", sa.Numeric(), nullable=True),
        sa.Column("new_usd", sa.Numeric(), nullable=True),
        sa.Column("updated_at", instant, nullable=True),
        sa.Column("observed_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cost_changes")),
        schema="replicator",
    )
    op.create_index("ix_cost_changes_call_id", "cost_changes", ["call_id"], unique=False, schema="replicator")
    op.create_table(
        "touched",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_touched")),
        schema="rollup",
    )
    op.create_table(
        "days",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("refreshed_at", instant, nullable=False),
        sa.Column("valid_until", instant, nullable=True),
        sa.PrimaryKeyConstraint("account", "day", name=op.f("pk_days")),
        schema="rollup",
    )
    for name, expression in (
        ("created_day", "coalesce(created_at, '-infinity')"),
        ("traffic_day", "coalesce(started_at, created_at, '-infinity')"),
        ("cost_day", "coalesce(ended_at, created_at, '-infinity')"),
    ):
        op.create_index(f"ix_calls_{name}", "calls", [sa.text(expression)], unique=False, schema="truedy")
    op.create_index(
        "ix_calls_other_party", "calls", [sa.text(OTHER_PARTY), "created_at"], unique=False, schema="truedy"
    )
    op.create_index(
        "ix_calls_deleted_at", "calls", ["deleted_at"], unique=False, schema="truedy",
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )  # fmt: skip
    op.execute(SEEDS)


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
