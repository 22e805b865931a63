"""The two sides that are compared: our calls as money sees them, the lines by their place, and the terms to compare by."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from replicator.reconcile.lines import USD

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from replicator.reconcile.classes import Class, Note, Rule
    from replicator.reconcile.lines import Line

Key = tuple[int, int]
"""A line's place: the number of its statement, and its number in it."""
StatedLine = tuple[int, "Line"]
"""A line with the number of its statement."""
ZERO = Decimal(0)


class CostState(StrEnum):
    """Whether a call's cost is known, as in analytics.calls."""

    KNOWN = "known"
    PENDING = "pending"
    GIVEN_UP = "given_up"
    NOT_EXPECTED = "not_expected"
    IMPLAUSIBLE = "implausible"


@dataclass(frozen=True, slots=True)
class OurCall:
    """A call of the replica. `amount` is its cost in US dollars, None where it is not known."""

    id: UUID
    amount: Decimal | None
    cost_state: str
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_seconds: int | None = None
    from_number: str | None = None
    phone_number: str | None = None
    direction: str | None = None
    agent_id: UUID | None = None
    is_connected: bool = True
    is_deleted: bool = False
    provider_ids: tuple[str, ...] = ()
    """Words of its payload that look like another system's id of the call."""
    former: tuple[Decimal, ...] = ()
    """Costs that it had before."""
    billed_in: str | None = None
    """Another month whose statement bills it."""

    @property
    def billed_at(self) -> datetime | None:
        """The instant whose month the cost is of."""
        return self.ended_at or self.created_at


@dataclass(frozen=True, slots=True)
class Terms:
    """What the comparison goes by; kept with each matching."""

    currency: str = USD
    by_id: Decimal = Decimal("0.0001")
    """Tolerance for an amount, in US dollars, where an id matched."""
    by_other: Decimal = Decimal("0.01")
    """Tolerance for an amount where numbers and times matched."""
    seconds: int = 2
    """Tolerance for a duration."""
    start_seconds: int = 120
    """Tolerance for a start."""
    loose_seconds: int = 30
    loose_start_seconds: int = 900
    sum_usd: Decimal = Decimal("0.01")
    sum_share: Decimal = Decimal("0.005")
    """Tolerance for a day's or an agent's sum: the larger of both."""
    minimum_seconds: int = 0
    """Shorter calls are billed as so long; 0: no minimum is known."""
    compares_amounts: bool = True
    """False for a carrier: its charge for a call is beside the vendor's, and never equal to it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line, one call, or a line with what it bills: exactly one item has it, and it has exactly one class.

    `ours` and `theirs` are what it adds to our sum and to the statement's, in US dollars.
    """

    kind: Class
    rule: Rule
    score: float
    """From 0 (no match) to 1 (certain)."""
    line: Key | None
    call: UUID | None
    ours: Decimal = ZERO
    theirs: Decimal = ZERO
    note: Note | None = None
    calls: tuple[UUID, ...] = ()
    """The calls of a line that stands for many."""
    candidates: tuple[str, ...] = ()
    """What an open line or call could be: ids of calls, or lines as STATEMENT:NUMBER. With the note billed_before: the month
    whose statement bills the call.
    """

    @property
    def delta(self) -> Decimal:
        return self.theirs - self.ours


def name_of(key: Key) -> str:
    """Return a line's place as commands take it."""
    return f"{key[0]}:{key[1]}"


__all__ = ["ZERO", "CostState", "Item", "Key", "OurCall", "StatedLine", "Terms", "name_of"]
