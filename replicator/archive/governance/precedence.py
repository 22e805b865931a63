"""Decides whether a call is kept, erased or disposed of, by one table. Pure.

Five facts are known of a call: whether a hold covers it, whether a law demands that it is kept, whether its erasure was
asked for, whether our own rules keep it, and whether the source has deleted it. The table lists them in their order of
precedence: hold, statutory retention, erasure, business retention, deletion at the source. The first line whose
condition is true decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Retention(StrEnum):
    """The state of a call's retention of one basis: no class applies to it, its time runs, or its time is over."""

    NONE = "none"
    RUNNING = "running"
    OVER = "over"


class Decision(StrEnum):
    """What happens to a call's content. ERASE and DISPOSE remove the same things, for different reasons."""

    KEEP = "keep"
    ERASE = "erase"
    DISPOSE = "dispose"


class Reason(StrEnum):
    """Why: the code that stands in records, certificates and views."""

    HELD = "held"
    STATUTORY = "statutory_retention"
    ERASURE = "erasure"
    BUSINESS = "business_retention"
    RETENTION_OVER = "retention_over"
    DELETED_AT_SOURCE = "deleted_at_source"
    NO_RULE = "no_rule"


WORDS = {
    Reason.HELD: "kept by a hold",
    Reason.STATUTORY: "kept by statutory retention",
    Reason.ERASURE: "its erasure was requested",
    Reason.BUSINESS: "kept by business retention",
    Reason.RETENTION_OVER: "its retention has ended",
    Reason.DELETED_AT_SOURCE: "deleted at the source, which removes nothing here",
    Reason.NO_RULE: "no rule applies to it",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a call when it is decided."""

    is_held: bool = False
    statutory: Retention = Retention.NONE
    is_erasure_asked: bool = False
    business: Retention = Retention.NONE
    is_deleted_at_source: bool = False


@dataclass(frozen=True, slots=True)
class When:
    """A condition: each field that is not None must be as the call's."""

    is_held: bool | None = None
    statutory: Retention | None = None
    is_erasure_asked: bool | None = None
    business: Retention | None = None
    is_deleted_at_source: bool | None = None

    def is_true_of(self, facts: Facts) -> bool:
        """Say whether the condition is true of these facts."""
        return all(getattr(self, name) in (None, getattr(facts, name)) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    when: When
    decision: Decision
    reason: Reason


TABLE = (
    Line(When(is_held=True), Decision.KEEP, Reason.HELD),
    Line(When(statutory=Retention.RUNNING), Decision.KEEP, Reason.STATUTORY),
    Line(When(is_erasure_asked=True), Decision.ERASE, Reason.ERASURE),
    Line(When(business=Retention.RUNNING), Decision.KEEP, Reason.BUSINESS),
    Line(When(statutory=Retention.OVER), Decision.DISPOSE, Reason.RETENTION_OVER),
    Line(When(business=Retention.OVER), Decision.DISPOSE, Reason.RETENTION_OVER),
    Line(When(is_deleted_at_source=True), Decision.KEEP, Reason.DELETED_AT_SOURCE),
    Line(When(), Decision.KEEP, Reason.NO_RULE),
)
"""The order of precedence. The last line is always true, so every call is decided."""


def decide(facts: Facts) -> Line:
    """Return the line of the table that decides about a call with these facts."""
    return next(line for line in TABLE if line.when.is_true_of(facts))
