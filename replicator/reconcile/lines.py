"""One line of a statement as values: what import makes of a file's text, and what matching compares with calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

VENDOR = "vendor"
"""The party of the source's own statements; any other party is a carrier."""
USD = "USD"


class Kind(StrEnum):
    """What a line charges for."""

    USAGE = "usage"
    FEE = "fee"
    TAX = "tax"
    CREDIT = "credit"
    DISCOUNT = "discount"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was read. `number` is the line of the file on which it begins, counted from 1 (the header)."""

    number: int
    line_id: str | None = None
    call_id: UUID | None = None
    provider_id: str | None = None
    started_at: datetime | None = None
    """UTC."""
    duration_seconds: int | None = None
    from_number: str | None = None
    phone_number: str | None = None
    direction: str | None = None
    amount: Decimal | None = None
    """Positive is owed by us, negative is owed to us; None where the party has not priced the line yet."""
    currency: str = USD
    """The ISO code, in capital letters."""
    kind: str = Kind.USAGE
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that cannot be read, and why, in words that name the column."""

    number: int
    problem: str


@dataclass(frozen=True, slots=True)
class Total:
    """A line with the file's own total. It is no line of the statement: it is compared with their sum."""

    number: int
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Read:
    """One line of a file: what it says, or why it cannot be read, and the text as it came."""

    line: Line | Unread | Total
    original: str = field(repr=False)
