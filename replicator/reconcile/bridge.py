"""The bridge of a month: ordered steps from our sum to the statement's total, which add up exactly. Pure.

our sum
+ pending, late adjustments, period boundary, rate and increment, duplicates, ...   differences by class
+ what is no call
+ residue                   differences within the tolerance: shown, not hidden
= the sum of the lines
+ not on any line           what the statement's own total says beyond its lines
= the statement's total
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from replicator.reconcile.classes import CLASSES, Class, Note
from replicator.reconcile.sides import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from replicator.reconcile.sides import Item


class StepCode(StrEnum):
    """The steps, in their order."""

    OUR_SUM = "our_sum"
    PENDING = "pending"
    LATE_ADJUSTMENTS = "late_adjustments"
    PERIOD_BOUNDARY = "period_boundary"
    DURATION = "duration"
    RATE = "rate"
    MINIMUM_CHARGE = "minimum_charge"
    ZERO_COST = "zero_cost"
    DUPLICATES = "duplicates"
    ONLY_ON_STATEMENT = "only_on_statement"
    ONLY_IN_REPLICA = "only_in_replica"
    DELETED = "deleted"
    OTHER_CURRENCY = "other_currency"
    NOT_A_CALL = "not_a_call"
    RESIDUE = "residue"
    LINES_SUM = "lines_sum"
    NOT_ON_LINES = "not_on_lines"
    STATEMENT_TOTAL = "statement_total"


STEP_OF: Mapping[Class, StepCode] = {
    Class.COST_PENDING: StepCode.PENDING,
    Class.LATE_ADJUSTMENT: StepCode.LATE_ADJUSTMENTS,
    Class.PERIOD_BOUNDARY: StepCode.PERIOD_BOUNDARY,
    Class.DURATION_DIFFERS: StepCode.DURATION,
    Class.RATE_DIFFERS: StepCode.RATE,
    Class.MINIMUM_CHARGE: StepCode.MINIMUM_CHARGE,
    Class.ZERO_COST_CONNECTED: StepCode.ZERO_COST,
    Class.DUPLICATE_LINE: StepCode.DUPLICATES,
    Class.ONLY_ON_STATEMENT: StepCode.ONLY_ON_STATEMENT,
    Class.ONLY_IN_REPLICA: StepCode.ONLY_IN_REPLICA,
    Class.DELETED_BUT_BILLED: StepCode.DELETED,
    Class.OTHER_CURRENCY: StepCode.OTHER_CURRENCY,
    Class.NOT_A_CALL: StepCode.NOT_A_CALL,
    Class.WITHIN_TOLERANCE: StepCode.RESIDUE,
    Class.EXACT: StepCode.RESIDUE,
}
WORDS: Mapping[StepCode, str] = {
    StepCode.OUR_SUM: "our calls of the month",
    StepCode.PENDING: "no amount yet on one side",
    StepCode.LATE_ADJUSTMENTS: "later costs, lines of other months",
    StepCode.PERIOD_BOUNDARY: "calls at the month's border",
    StepCode.DURATION: "other durations",
    StepCode.RATE: "other rate or increment",
    StepCode.MINIMUM_CHARGE: "minimum charges",
    StepCode.ZERO_COST: "connected calls that cost us nothing",
    StepCode.DUPLICATES: "lines that bill a call again",
    StepCode.ONLY_ON_STATEMENT: "lines without a call",
    StepCode.ONLY_IN_REPLICA: "calls without a line",
    StepCode.DELETED: "calls that the source deleted",
    StepCode.OTHER_CURRENCY: "lines in another currency",
    StepCode.NOT_A_CALL: "fees, taxes, credits, discounts",
    StepCode.RESIDUE: "residue within the tolerance",
    StepCode.LINES_SUM: "all lines of the statement",
    StepCode.NOT_ON_LINES: "in the statement's own total, on no line",
    StepCode.STATEMENT_TOTAL: "the statement's total",
}
SUMS = frozenset({StepCode.OUR_SUM, StepCode.LINES_SUM, StepCode.STATEMENT_TOTAL})
"""Steps whose amount is a sum; the amounts of all others are differences."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: how many items and how many US dollars, and the sum after it. Of a sum, both amounts are the same."""

    code: StepCode
    items: int
    amount: Decimal
    running: Decimal


def bridge(items: Iterable[Item], our_sum: Decimal, calls: int, stated_total: Decimal | None = None) -> list[Step]:
    """Return all steps, also those of zero. `our_sum` and `calls` are those of the month's calls; `stated_total` is what
    the statement itself says in our currency, None where it says nothing.
    """
    counts = dict.fromkeys(StepCode, 0)
    amounts = dict.fromkeys(StepCode, ZERO)
    lines, line_sum = 0, ZERO
    for item in items:
        if item.delta or item.kind is not Class.EXACT:
            code = STEP_OF[item.kind]
            counts[code] += 1
            amounts[code] += item.delta
        if item.line is not None:
            lines += 1
            line_sum += item.theirs
    steps, running = [Step(StepCode.OUR_SUM, calls, our_sum, our_sum)], our_sum
    for code in StepCode:
        if code in {StepCode.OUR_SUM, StepCode.LINES_SUM, StepCode.NOT_ON_LINES, StepCode.STATEMENT_TOTAL}:
            continue
        running += amounts[code]
        steps.append(Step(code, counts[code], amounts[code], running))
    beyond = ZERO if stated_total is None else stated_total - running
    total = running + beyond
    return [
        *steps,
        Step(StepCode.LINES_SUM, lines, line_sum, running),
        Step(StepCode.NOT_ON_LINES, int(bool(beyond)), beyond, total),
        Step(StepCode.STATEMENT_TOTAL, lines, total, total),
    ]


def is_whole(steps: Iterable[Step]) -> bool:
    """Say whether the steps add up: what the differences lead to is what the lines add up to."""
    return all(step.amount == step.running for step in steps if step.code in SUMS)


def open_usd(items: Iterable[Item], beyond: Decimal = ZERO) -> Decimal:
    """Return how many US dollars of differences wait for a person, each counted without its sign."""
    return sum((abs(item.delta) for item in items if is_open(item.kind, item.note)), abs(beyond))


def is_open(kind: Class, note: Note | None) -> bool:
    """Say whether an item waits for a person."""
    return CLASSES[kind].is_open or note in {Note.UNREADABLE, Note.ANOTHER_MONTH}


__all__ = ["STEP_OF", "SUMS", "WORDS", "Step", "StepCode", "bridge", "is_open", "is_whole", "open_usd"]
