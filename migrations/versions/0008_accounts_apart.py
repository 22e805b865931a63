"""A lease, a budget and a queue for each account; codes for what was told in words only.

The release before cannot write to this schema: the lease that it holds is gone, and what it would store lacks an account. It
ends by itself, and says that the database has another schema. What it has committed stays.

In a database of one account, which nearly all are, no table is rewritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op

if TYPE_CHECKING:
    from collections.abc import Sequence

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ACCOUNTS = "SELECT account FROM replicator.source_state UNION SELECT account FROM replicator.runs ORDER BY 1"
THE_USUAL = "default"
"""REPLICATOR_ACCOUNT where it is not set."""


def upgrade() -> None:
    # Every writer takes it first: whoever is in the middle of a transaction is waited for, and what it commits is seen.
    op.execute("LOCK TABLE replicator.lease IN ACCESS EXCLUSIVE MODE")
    accounts = list(op.get_bind().execute(sa.text(ACCOUNTS)).scalars())
    _give_each_a_lease(accounts)
    _give_each_its_budgets(accounts or [THE_USUAL])
    for table in ("transcripts", "recordings"):
        _give_details_their_account(table, accounts)
    _give_codes()


def _give_each_a_lease(accounts: Sequence[str]) -> None:
    """The lease was one row for the whole database; its epoch goes on for each account."""
    bind = op.get_bind()
    op.alter_column("lease", "name", new_column_name="account", schema="replicator")
    epoch = bind.execute(sa.text("SELECT coalesce(max(epoch), 0) FROM replicator.lease")).scalar_one()
    bind.execute(sa.text("DELETE FROM replicator.lease"))
    for account in accounts:
        bind.execute(
            sa.text("INSERT INTO replicator.lease (account, epoch) VALUES (:account, :epoch)"),
            {"account": account, "epoch": epoch},
        )
    op.create_table(
        "locks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_locks")),
        schema="replicator",
    )
    op.execute("INSERT INTO replicator.locks (name) VALUES ('roll-ups'), ('statistics')")


def _give_each_its_budgets(accounts: Sequence[str]) -> None:
    """Which account a key belongs to was not kept: where there are several, each gets the books of every key.

    Which of them it uses is noted by its next run (`used_at`).
    """
    bind = op.get_bind()
    for table, others in (
        ("budgets", "request_limit, window_seconds, not_before, offset_low_seconds, offset_high_seconds"),
        ("budget_windows", "window_number, charged"),
    ):
        key = ["account", "key_id", "window_number"] if table == "budget_windows" else ["account", "key_id"]
        op.add_column(table, sa.Column("account", sa.Text(), nullable=True), schema="replicator")
        op.drop_constraint(op.f(f"pk_{table}"), table, schema="replicator", type_="primary")
        bind.execute(
            sa.text(
                f"INSERT INTO replicator.{table} (account, key_id, {others}) SELECT a.account, b.key_id, {others} "
                f"FROM replicator.{table} b CROSS JOIN unnest(:accounts) AS a (account)"
            ).bindparams(sa.bindparam("accounts", type_=sa.ARRAY(sa.Text))),
            {"accounts": accounts},
        )
        op.execute(f"DELETE FROM replicator.{table} WHERE account IS NULL")
        op.alter_column(table, "account", nullable=False, schema="replicator")
        op.create_primary_key(op.f(f"pk_{table}"), table, key, schema="replicator")
    used_at = sa.Column("used_at", sa.TIMESTAMP(timezone=True), nullable=True)
    op.add_column("budgets", used_at, schema="replicator")


def _give_details_their_account(table: str, accounts: Sequence[str]) -> None:
    """A detail's account is its call's: said in its own row, so that a queue is read without what others have queued."""
    if len(accounts) == 1:
        column = sa.Column("account", sa.Text(), nullable=True, server_default=accounts[0])
        op.add_column(table, column, schema="truedy")
        op.alter_column(table, "account", server_default=None, schema="truedy")
    else:
        op.add_column(table, sa.Column("account", sa.Text(), nullable=True), schema="truedy")
        op.execute(f"UPDATE truedy.{table} t SET account = c.account FROM truedy.calls c WHERE c.id = t.call_id")
    op.drop_index(f"ix_{table}_queue", table, schema="truedy")
    op.create_index(
        f"ix_{table}_queue", table, ["account", sa.text("call_created_at DESC NULLS LAST")], schema="truedy",
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )  # fmt: skip


DOUBTS = {
    "a call that cannot be read": "unreadable",
    "a tie group as large as a page": "tie",
    "a tie group as large as a page, by status, direction and agent too": "split_tie",
    "calls are stored that are older than the end of the list": "beyond_the_end",
    "the list ends at a round number of calls: it may be capped": "round_number",
    "the list ends while older calls are known: it may be capped": "capped",
    "the list is capped: what lies behind was read by status and direction, and calls of other values may be missing": "capped_and_sliced",
    "the source lists no call: an account that is empty looks like one that shows nothing": "empty_list",
    "the list could not be followed here": "not_followed",
    "the walk ended without a proof": "no_proof",
    "the source does not honour the filters that could show more": "filters_ignored",
    "the source's list has no order that proves anything: whole passes found nothing more": "unsorted",
    "the source's list has no order that proves anything: each whole pass still found something": "unsorted_and_moving",
    "the source answers with an empty list, but calls are known": "empty_but_known",
    "the list's end could not be proven": "end_not_proven",
    "the source does not say how many calls it has: the end of its list cannot be proven": "no_total",
    "pages without a readable row": "no_readable_row",
}
"""What a release up to this one says of an unsure stretch, and its code."""
NEVER_SHOWN = "the source answers an error for every page that holds this row"


def _give_codes() -> None:
    """Reasons of unsure stretches, rows that were never shown and what ended a run had been words only."""
    bind = op.get_bind()
    instant = sa.TIMESTAMP(timezone=True)
    op.add_column("coverage", sa.Column("reason_code", sa.Text(), nullable=True), schema="replicator")
    bind.execute(sa.text("UPDATE replicator.coverage SET reason_code = 'other' WHERE NOT is_proven"))
    for words, code in DOUBTS.items():
        bind.execute(
            sa.text("UPDATE replicator.coverage SET reason_code = :code WHERE NOT is_proven AND reason = :words"),
            {"code": code, "words": words},
        )
    op.add_column("quarantine", sa.Column("kind", sa.Text(), nullable=False, server_default="row"), schema="replicator")
    op.add_column("quarantine", sa.Column("created_since", instant, nullable=True), schema="replicator")
    op.add_column("quarantine", sa.Column("created_until", instant, nullable=True), schema="replicator")
    op.create_check_constraint(
        op.f("ck_quarantine_kind"), "quarantine", "kind in ('row', 'field', 'never_shown')", schema="replicator"
    )
    op.execute("UPDATE replicator.quarantine SET kind = 'field' WHERE field IS NOT NULL")
    # In the place of the bytes of a row that was never shown stands where it begins; year 1 is the beginning.
    bind.execute(
        sa.text(
            "UPDATE replicator.quarantine SET kind = 'never_shown', created_since = CASE WHEN substr(raw, 1, 4) <> "
            "convert_to('0001', 'UTF8') THEN convert_from(raw, 'UTF8')::timestamptz END WHERE reason = :reason"
        ),
        {"reason": NEVER_SHOWN},
    )
    op.add_column("runs", sa.Column("error_code", sa.Text(), nullable=True), schema="replicator")
    op.add_column(
        "runs", sa.Column("is_defect", sa.Boolean(), nullable=False, server_default=sa.false()), schema="replicator"
    )
    op.execute(
        "UPDATE replicator.runs SET is_defect = message LIKE 'defect: %', error_code = substring(message FROM "
        "'^(?:defect: )?([A-Za-z_]+)') WHERE outcome IN ('failed', 'stopped') AND message ~ '^(defect: )?[A-Z][A-Za-z_]+(:|$)'"
    )


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
