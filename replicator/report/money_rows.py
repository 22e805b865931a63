"""The rows of the report's queries about budgets, statements and closed months."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """A budget that runs: what was spent, and what its month will cost. `state` is within, will_be_passed or passed."""

    period: str
    scope: str
    scope_value: str
    budget_usd: Decimal
    spent_usd: Decimal
    forecast_usd: Decimal
    state: str


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A month's statements of one party, matched with the calls: how much of it waits for a person."""

    period: str
    party: str
    statement_usd: Decimal
    items: int
    open_items: int
    open_usd: Decimal
    accepted_items: int
    matched_at: datetime
    open_other: str | None = None
    """Amounts in other currencies that nobody has accepted, as a text; None where there is none."""


@dataclass(frozen=True, slots=True)
class BridgeStep:
    """One step from our sum to the statement's total."""

    period: str
    step: str
    items: int
    amount_usd: Decimal
    running_usd: Decimal
    is_sum: bool


@dataclass(frozen=True, slots=True)
class ClosedMonth:
    """The newest close of a month, and what was seen to change since."""

    period: str
    close_number: int
    closed_at: datetime
    calls: int
    our_sum_usd: Decimal
    late_changes: int
    late_changes_usd: Decimal
    has_doubts: bool
