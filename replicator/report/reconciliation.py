"""The report's section about statements: the bridge of the newest month, what is open in each, and which months are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.reconcile.bridge import WORDS, StepCode
from replicator.report.blocks import Column, empty, moment, paragraph, section, table
from replicator.report.costs import amount
from replicator.report.markup import Child, Markup, element
from replicator.report.wording import count, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.report.money_rows import BridgeStep, ClosedMonth, Reconciled
    from replicator.report.rows import Figures
    from replicator.report.wording import Clock

LEAD = "The vendor's statement against our calls, in US dollars."


def reconciliation(figures: Figures, clock: Clock) -> Markup:
    """Return the section; one sentence where no statement was matched and no month is closed."""
    if not figures.reconciled and not figures.closes:
        return section(
            "statements", "Reconciliation", None,
            empty("No statement was matched with the calls yet: `replicator reconcile import` reads one."),
        )  # fmt: skip
    return section(
        "statements",
        "Reconciliation",
        LEAD,
        _bridge(figures.bridge),
        _months(figures.reconciled, clock),
        element("h3", "Closed months"),
        _closes(figures.closes, clock),
    )


def _bridge(rows: Sequence[BridgeStep]) -> Markup | None:
    if not rows:
        return None
    cells: list[list[Child]] = [
        [WORDS[StepCode(row.step)], count(row.items), "" if row.is_sum else amount(row.amount_usd), amount(row.running_usd)]
        for row in rows
    ]  # fmt: skip
    columns = [Column("Step", is_number=False), Column("Lines and calls"), Column("Difference"), Column("Sum after it")]
    return table(f"From our sum to the statement's total, {rows[0].period}", columns, cells)


def _months(rows: Sequence[Reconciled], clock: Clock) -> Markup | None:
    if not rows:
        return None
    cells: list[list[Child]] = [
        [
            row.period, row.party, amount(row.statement_usd), count(row.items), count(row.open_items), amount(row.open_usd),
            row.open_other or "none",
            count(row.accepted_items), moment(row.matched_at, clock),
        ]
        for row in rows
    ]  # fmt: skip
    columns = [
        Column("Month", is_number=False), Column("Statement of", is_number=False), Column("Total"), Column("Lines and calls"),
        Column("Open"), Column("Open, sum without signs"), Column("Open in other currencies"),
        Column("Accepted"), Column("Matched", is_number=False),
    ]  # fmt: skip
    return table("Open items by month", columns, cells)


def _closes(rows: Sequence[ClosedMonth], clock: Clock) -> Markup:
    if not rows:
        return paragraph("No month is closed.", cls="note")
    cells: list[list[Child]] = [
        [
            row.period, moment(row.closed_at, clock), count(row.close_number), count(row.calls), amount(row.our_sum_usd),
            f"{plural(row.late_changes, 'change')}" if row.late_changes else "none", amount(row.late_changes_usd),
            "yes" if row.has_doubts else "no",
        ]
        for row in rows
    ]  # fmt: skip
    columns = [
        Column("Month", is_number=False), Column("Closed", is_number=False), Column("Close"), Column("Calls"), Column("Frozen sum"),
        Column("Changes since"), Column("effect on the sum"), Column("Closed in spite of objections", is_number=False),
    ]  # fmt: skip
    return table("Frozen sums; a later change is a correction of the month in which it is seen", columns, cells)


__all__ = ["reconciliation"]
