"""The codes of a reconciliation: the class of each line and call, the rule of a match, and the remark about it.

CLASSES says of each class what it means and what to do; docs/money.md repeats these sentences (a test compares them).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Class(StrEnum):
    """What came of a line or a call: each has exactly one."""

    EXACT = "exact"
    WITHIN_TOLERANCE = "within_tolerance"
    ONLY_ON_STATEMENT = "only_on_statement"
    ONLY_IN_REPLICA = "only_in_replica"
    DURATION_DIFFERS = "duration_differs"
    RATE_DIFFERS = "rate_differs"
    MINIMUM_CHARGE = "minimum_charge"
    PERIOD_BOUNDARY = "period_boundary"
    LATE_ADJUSTMENT = "late_adjustment"
    COST_PENDING = "cost_pending"
    ZERO_COST_CONNECTED = "zero_cost_connected"
    DUPLICATE_LINE = "duplicate_line"
    DELETED_BUT_BILLED = "deleted_but_billed"
    NOT_A_CALL = "not_a_call"
    OTHER_CURRENCY = "other_currency"


class Rule(StrEnum):
    """By what a line and a call were found to be the same, best first."""

    ASSIGNED = "assigned"
    CALL_ID = "call_id"
    PROVIDER_ID = "provider_id"
    SAME_NUMBERS_AND_TIMES = "same_numbers_and_times"
    NUMBERS_AND_TIMES = "numbers_and_times"
    LOOSE = "loose"
    TIMES_AND_AMOUNT = "times_and_amount"
    SUM_OF_DAY = "sum_of_day"
    SUM_OF_PERIOD = "sum_of_period"
    SAME_LINE = "same_line"
    """The line is the same as one that has its call already."""
    NONE = "none"


class Note(StrEnum):
    """What else is to be said of an item."""

    UNREADABLE = "unreadable"
    """The line cannot be read: correct the file or the mapping, and import again."""
    NOT_PRICED = "not_priced"
    """The statement has no amount for the line yet."""
    AMBIGUOUS = "ambiguous"
    """Several could be meant: `candidates` names them, and a person decides."""
    PART_OF_CALL = "part_of_call"
    """One of several lines that together are one call."""
    BILLED_NOT_CONNECTED = "billed_not_connected"
    """The call did not connect, and is billed."""
    BILLED_BEFORE = "billed_before"
    """A statement of another month bills the same call."""
    DELETED = "deleted"
    """The source has deleted the call."""
    ANOTHER_MONTH = "another_month"
    """The line is about a call of another month, away from the month's border."""
    UNKNOWN_CALL = "unknown_call"
    """The line names a call that is not stored."""
    GIVEN_UP = "given_up"
    """Our cost of the call did not come for so long that it is not waited for."""
    NOTHING_TO_BILL = "nothing_to_bill"
    """The call has no cost and no line."""


@dataclass(frozen=True, slots=True)
class About:
    """What a class means, what to do, and whether its differences wait for a person."""

    meaning: str
    advice: str
    is_open: bool


CLASSES: Mapping[Class, About] = {
    Class.EXACT: About(
        "The line and our call have the same amount, or neither has one and none is expected.", "Nothing.", False
    ),
    Class.WITHIN_TOLERANCE: About(
        "The amounts differ by less than the tolerance; the sum of these differences is the bridge's residue.",
        "Nothing, as long as the residue is small.", False,
    ),
    Class.ONLY_ON_STATEMENT: About(
        "The statement bills a call that we cannot find.",
        "If candidates are shown, assign one; otherwise dispute the line, or look for another account or key.", True,
    ),
    Class.ONLY_IN_REPLICA: About(
        "We have a call with a cost, and the statement has no line for it.",
        "Wait for the next statement; if the call is not there either, accept the difference.", True,
    ),
    Class.DURATION_DIFFERS: About(
        "The statement has another duration than our call, and the amount differs.",
        "Dispute it; our start and end are the evidence.", True,
    ),
    Class.RATE_DIFFERS: About(
        "The duration is the same, but the amount differs.", "Check the rate card, then dispute it.", True
    ),
    Class.MINIMUM_CHARGE: About(
        "A call shorter than the minimum is billed as the minimum.",
        "Accept it if the contract has this minimum; otherwise dispute it.", True,
    ),
    Class.PERIOD_BOUNDARY: About(
        "The call lies at the month's border: one side counts it in this month, the other in the month before or after.",
        "Nothing; check that the other month has it.", False,
    ),
    Class.LATE_ADJUSTMENT: About(
        "The cost changed after the month, or the line is about a call of another month.",
        "Nothing, if another statement bills the call; otherwise (note `another_month`) look for it there, and accept or dispute the line.", False,
    ),
    Class.COST_PENDING: About(
        "One side has no amount for the call yet.", "Run a sync, wait for the cost, and match again.", True
    ),
    Class.ZERO_COST_CONNECTED: About(
        "The call connected, and our cost for it is zero.",
        "Ask the vendor whether it is free; if it is billed, dispute it.", True,
    ),
    Class.DUPLICATE_LINE: About(
        "Another line bills the same call already, on this statement or on one of another month.",
        "Dispute the line.", True,
    ),
    Class.DELETED_BUT_BILLED: About(
        "The source has deleted the call, and the statement bills it with the amount that we know.",
        "Nothing: a deletion does not cancel a charge.", False,
    ),
    Class.NOT_A_CALL: About(
        "A fee, a tax, a credit or a discount.", "Compare it with the contract.", False
    ),
    Class.OTHER_CURRENCY: About(
        "The line is in another currency than our costs, so it is counted and not added up.",
        "Ask for a statement in our currency, or accept it.", True,
    ),
}  # fmt: skip

BLOCKING = (Note.UNREADABLE,)
"""Remarks that a month cannot be closed with."""

__all__ = ["BLOCKING", "CLASSES", "About", "Class", "Note", "Rule"]
