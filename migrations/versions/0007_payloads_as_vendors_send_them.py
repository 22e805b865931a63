"""Spellings of statuses as rows, stamps that contradict themselves, and fields that are set aside one by one.

Adds a table, columns with constant defaults or on small tables, and rows; a row of the user's own stays as it is. The
release before goes on working with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = (
    r"""regexp_replace(lower(status COLLATE "C"), '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007f]+', '', 'g')"""
)

WORDS = {
    ("open", False): """
        scheduled pending created new initiated initiating started starting dialing dialling calling placing requested
        accepted trying alerting connecting ring early_media waiting allocated registered joining joined active ongoing
        answered connected live talking bridging bridged forwarding on_hold holding parked in_call
    """,
    ("answered", True): """
        complete done finished success successful succeeded hangup hung_up user_hangup agent_hangup caller_hangup
        callee_hangup customer_ended_call assistant_ended_call agent_ended_call closed terminated disconnected call_ended
        call_completed call_analyzed analyzed billed normal_clearing normal_call_clearing
    """,
    ("machine", True): """
        voice_mail voicemail_reached voicemail_detected voicemail_left left_voicemail machine amd_machine machine_detected
        machine_start machine_end machine_end_beep machine_end_silence machine_end_other answering_machine
        answering_machine_detected fax
    """,
    ("not_answered", True): """
        unanswered not_answered missed missed_call no_response no_pickup not_picked_up no_user_response
        no_user_responding customer_did_not_answer dial_no_answer timeout timed_out ring_timeout dial_timeout
        join_timeout unjoined not_connected declined rejected call_rejected call_declined
    """,
    ("busy", True): "user_busy line_busy dial_busy customer_busy callee_busy busy_here busy_everywhere",
    ("not_placed", True): """
        failure error errored call_failed dial_failed call_error not_placed invalid invalid_number invalid_destination
        unallocated_number number_not_in_service not_in_service out_of_service unreachable not_reachable congestion
        network_error carrier_error provider_error connection_error system_error blocked no_route_destination undelivered
        insufficient_funds insufficient_credits
    """,
    ("cancelled", True): "cancel aborted abandoned originator_cancel expired skipped",
}
"""Words of telephony and voice providers, by what they mean. Each stands for its spellings with another case or separators."""


def upgrade() -> None:
    instant = sa.TIMESTAMP(timezone=True)
    op.add_column(
        "calls", sa.Column("reading_version", sa.Integer(), nullable=False, server_default="1"), schema="truedy"
    )
    op.add_column("quarantine", sa.Column("field", sa.Text(), nullable=True), schema="replicator")
    op.add_column(
        "status_stages", sa.Column("status_key", sa.Text(), sa.Computed(KEY, persisted=True)), schema="replicator"
    )
    op.create_index("ix_status_stages_status_key", "status_stages", ["status_key"], unique=False, schema="replicator")
    op.create_table(
        "stamp_conflicts",
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("stored_updated_at", instant, nullable=False),
        sa.Column("seen_updated_at", instant, nullable=False),
        sa.Column("first_seen_at", instant, nullable=False),
        sa.Column("believed_at", instant, nullable=True),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_stamp_conflicts")),
        schema="replicator",
    )
    rows = [
        {"status": word, "stage": stage, "is_terminal": is_terminal}
        for (stage, is_terminal), words in WORDS.items()
        for word in words.split()
    ]
    # A word whose key is there already, also by a row of the user's, means what that row says.
    op.get_bind().execute(
        sa.text(
            "INSERT INTO replicator.status_stages (status, stage, is_terminal) SELECT :status, :stage, :is_terminal "
            "WHERE NOT EXISTS (SELECT FROM replicator.status_stages s WHERE s.status_key = "
            "regexp_replace(:status, '_', '', 'g')) ON CONFLICT DO NOTHING"
        ),
        rows,
    )


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
