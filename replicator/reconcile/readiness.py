"""Decides what speaks against closing a month: as sentences, none where it can be closed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from replicator.reconcile.months import Month
    from replicator.reconcile.unsettled import Unsettled

PENDING_SHARE = 1000
"""One cost in so many may be still to come."""
Piece = tuple["datetime | None", "datetime", bool]
"""(since or None for the beginning, until, is proven): a piece of the coverage ledger."""


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a month before its close. Of the matching: None where there is none."""

    now: datetime
    pieces: Sequence[Piece]
    calls: int
    pending: int
    expected: int
    """Calls that have a cost, or should get one."""
    statements: Sequence[int]
    matched_statements: Sequence[int] | None
    unreadable: int
    calls_as_matched: tuple[int, datetime | None] | None
    """(number of calls, newest change) as the matching saw them."""
    calls_changed_at: datetime | None
    decision_as_matched: int | None = None
    last_decision: int | None = None
    given_up: int = 0
    """Costs that were still waited for when the month was matched, and no longer are."""
    left: Unsettled | None = None
    """What is open in the newest matching."""


def doubts(state: State, month: Month) -> list[str]:
    """Return what speaks against closing a month."""
    found = []
    if state.now < month.until:
        found.append("the month is not over")
    if not is_proven(state.pieces, month.since, min(month.until, max(state.now, month.since))):
        found.append("the coverage of the month is not proven: run `replicator sync`, then look at `replicator status`")
    if state.pending * PENDING_SHARE > state.expected:
        found.append(f"the cost of {state.pending} of {state.expected} calls is still to come")
    if not state.statements:
        found.append("there is no statement of the vendor")
    elif state.matched_statements is None:
        found.append("the statement is not matched: run `replicator reconcile match`")
    else:
        found += stale(state)
    if state.unreadable:
        found.append(f"{state.unreadable} lines of the statement cannot be read")
    if state.left is not None:
        found += state.left.objections()
    return found


def stale(state: State) -> list[str]:
    """Return why a matching is older than what it compares."""
    if state.matched_statements is None:
        return []
    found = []
    if list(state.matched_statements) != list(state.statements):
        found.append("other statements are in force than were matched: match again")
    if state.calls_as_matched != (state.calls, state.calls_changed_at):
        found.append("calls have changed since they were matched: match again")
    elif state.given_up:
        found.append(f"{state.given_up} costs were given up since the calls were matched: match again")
    if state.decision_as_matched != state.last_decision:
        found.append("a line was assigned since the last matching: match again")
    return found


def is_proven(pieces: Sequence[Piece], since: datetime, until: datetime) -> bool:
    """Say whether proven pieces cover a stretch without a gap; `pieces` are in the order of their beginnings."""
    reached = since
    for begins, ends, proven in pieces:
        if begins is not None and begins > reached:
            break
        if proven and ends > reached:
            reached = ends
    return reached >= until


__all__ = ["State", "doubts", "is_proven", "stale"]
