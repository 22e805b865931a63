"""Counts a list by its slices: one set of filters after the other, until one shows what is to be known. Pure.

Slices prove something only together: if their totals add up to the list's own total, they contain all of its calls.

- A list that ends at a round number may be capped by its storage. If the slices add up to its total, it is not capped.
- Any other list of some length is counted once a day: if its slices hold more calls than its total, it is capped,
  whatever the total is. If they do not, nothing is concluded.
- A tie group as large as a page is proven if the slices add up and each of them proves its part of the group.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from replicator.store.doubts import Doubt
from replicator.sync.coverage.advance import advance
from replicator.sync.coverage.ledger import Ledger
from replicator.sync.coverage.list_end import ROUND_CALLS
from replicator.sync.coverage.page import PAGE_LIMIT, Filter, Lane
from replicator.sync.coverage.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replicator.sync.coverage.ledger import Interval
    from replicator.sync.coverage.page import Seen

COUNTED_FROM = ROUND_CALLS
"""Shorter lists are not counted: no storage is known to cap a list below this."""
MOST_AGENTS = 20
"""At most this many agents are used to count a list; each costs one request."""
MARGIN = PAGE_LIMIT // 2
"""Up to this many calls more in the slices mean nothing: calls are created, and change status, during the count."""


class Found(Enum):
    """What a count has shown."""

    CAPPED = "capped"
    WHOLE = "whole"
    """The slices hold all calls of the list, and each has proven its part of the stretch where that was to be shown."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Counting:
    """One stretch that is counted. `attempts` are sets of filters: if one does not work, the next is tried."""

    hole: Interval
    reason: Doubt | None
    """Why the list is counted; None where its end is not in doubt."""
    total: int
    """The total of the plain list."""
    attempts: tuple[tuple[Filter, ...], ...]
    counted: tuple[tuple[Filter, int], ...] = ()
    todo: tuple[Filter, ...] = ()
    """Slices of a tie group to be walked after the current one."""
    walk: Walk | None = None
    proven: Ledger = field(default_factory=Ledger)
    """What the current slice has proven of the stretch."""
    has_doubt: bool = False
    """Some slice could not prove its part of the tie group."""
    failure: Doubt | None = None
    """Why the last attempt showed nothing."""

    def ask(self) -> Walk:
        """Return the page to ask for next: one row of a slice that is not counted yet, or the next page of the walk."""
        if self.walk is not None:
            return self.walk
        return Walk(Lane.SLICE, self.hole, 0, limit=1, filter=self.attempts[0][len(self.counted)])


@dataclass(frozen=True, slots=True)
class Counted:
    """The counting after an answer, and what it has shown once it is over (else None)."""

    counting: Counting
    found: Found | None = None


def begin(hole: Interval, reason: Doubt | None, total: int, values: Iterable[tuple[str, str]]) -> Counting:
    """Begin to count a list by the known values of its filters."""
    by: dict[str, list[Filter]] = {"status": [], "direction": [], "agent_id": []}
    for one in values:
        by[one[0]].append((one,))
    agents = by["agent_id"] if reason == Doubt.TIE else by["agent_id"][:MOST_AGENTS]
    attempts = [by["status"], by["direction"], agents]
    if not any(attempts):  # no stored call has a value: the slice of a word that nobody uses ends the counting
        attempts = [[(("status", "no-such-status"),)]]
    return Counting(hole, reason, total, tuple(tuple(filters) for filters in attempts if filters))


def absorb(counting: Counting, seen: Seen, *, is_honoured: bool) -> Counted:
    """Take the answer to the page of `ask`. `is_honoured` says that all of its rows match the filter."""
    if not is_honoured or seen.total is None:
        return _next_attempt(counting, Doubt.UNHONOURED)
    if counting.walk is None:
        one = counting.attempts[0][len(counting.counted)]
        counting = replace(counting, counted=(*counting.counted, (one, seen.total)))
        return Counted(counting) if len(counting.counted) < len(counting.attempts[0]) else _counted(counting)
    outcome = advance(counting.walk, seen, oldest_known=None)
    proven = counting.proven
    for piece in outcome.pieces:
        proven = proven.record(piece)
    if outcome.walk is not None and not outcome.is_unsorted:
        return Counted(replace(counting, walk=outcome.walk, proven=proven))
    return _next_slice(replace(counting, has_doubt=counting.has_doubt or not proven.is_proven(counting.hole)))


def _counted(counting: Counting) -> Counted:
    """Compare the sum of the slices with the list's total."""
    counts = sum(count for _, count in counting.counted)
    if counting.reason == Doubt.TIE:
        if counts != counting.total:
            return _next_attempt(counting, Doubt.SPLIT_TIE)
        return _next_slice(replace(counting, todo=tuple(one for one, count in counting.counted if count)))
    if counts > counting.total + (MARGIN if counting.reason is None else 0):
        return Counted(counting, Found.CAPPED)
    # A slice as long as the list may end at the same cap.
    is_below = all(count < counting.total for _, count in counting.counted)
    if counting.reason == Doubt.ROUND and counts == counting.total and is_below:
        return Counted(counting, Found.WHOLE)
    return _next_attempt(counting, None)


def _next_slice(counting: Counting) -> Counted:
    if counting.todo:
        walk = Walk(Lane.SLICE, counting.hole, 0, filter=counting.todo[0])
        return Counted(replace(counting, walk=walk, todo=counting.todo[1:], proven=Ledger()))
    return _next_attempt(counting, Doubt.SPLIT_TIE) if counting.has_doubt else Counted(counting, Found.WHOLE)


def _next_attempt(counting: Counting, failure: Doubt | None) -> Counted:
    left = Counting(counting.hole, counting.reason, counting.total, counting.attempts[1:], failure=failure)
    return Counted(left, None if left.attempts else Found.NOTHING)
