"""Reads through filters what the plain list cannot show: calls behind a cap, or in a tie group as large as a page.
Pure.

A filter is trusted only if every returned row matches it, because servers silently ignore filters that they do not
know. Slices prove something only together: if their totals add up to the list's own total, they contain all of its
calls.

- A list that ends at a round number may be capped by its storage. If the slices add up to its total, it is not capped.
  If they hold more, it is, and each slice is walked. Calls with values that we do not know stay hidden, so that stretch
  is unsure in any case.
- Any other list of some length is counted once a day: if its slices hold more calls than its total, it is capped,
  whatever the total is. If they do not, nothing is concluded.
- A tie group as large as a page is proven if the slices add up and each of them proves its part of the group.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from replicator.store.doubts import Doubt
from replicator.sync.coverage.advance import advance
from replicator.sync.coverage.ledger import Ledger, Piece
from replicator.sync.coverage.list_end import ROUND_CALLS
from replicator.sync.coverage.page import PAGE_LIMIT, Lane
from replicator.sync.coverage.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from replicator.sync.coverage.ledger import Interval
    from replicator.sync.coverage.page import Filter, Seen

MOST_PAGES = 2000
"""Reading by partitions gives up after this many pages: 200,000 calls behind a cap."""
COUNTED_FROM = ROUND_CALLS
"""Shorter lists are not counted: no storage is known to cap a list below this."""
MOST_AGENTS = 20
"""At most this many agents are used to count a list; each costs one request."""
MARGIN = PAGE_LIMIT // 2
"""Up to this many calls more in the slices mean nothing: calls are created, and change status, during the count."""


@dataclass(frozen=True, slots=True)
class Partitioning:
    """One stretch that is read through filters. `attempts` are sets of filters: if one does not work, the next is
    tried.
    """

    hole: Interval
    reason: Doubt | None
    """Why the stretch is read through filters; None where the list's end is not in doubt and its calls are only
    counted.
    """
    total: int
    """The total of the plain list."""
    attempts: tuple[tuple[Filter, ...], ...]
    counted: tuple[tuple[Filter, int], ...] = ()
    todo: tuple[Filter, ...] = ()
    """Slices to be walked after the current one."""
    walk: Walk | None = None
    proven: Ledger = field(default_factory=Ledger)
    """What the current slice has proven of the hole."""
    has_doubt: bool = False
    pages: int = 0

    @property
    def is_counting(self) -> bool:
        return self.walk is None

    def ask(self) -> Walk:
        """Return the page to ask for next: one row of a slice that is not counted yet, or the next page of the walk."""
        if self.walk is not None:
            return self.walk
        return Walk(Lane.SLICE, self.hole, 0, limit=1, filter=self.attempts[0][len(self.counted)])


def begin(
    hole: Interval,
    reason: Doubt | None,
    total: int,
    statuses: Sequence[str],
    directions: Sequence[str],
    agents: Sequence[str],
) -> Partitioning:
    """Begin to read a stretch through filters made of the known statuses, directions and agents."""
    by_status = tuple((("status", one),) for one in statuses)
    by_direction = tuple((("direction", one),) for one in directions)
    by_agent = tuple((("agent_id", one),) for one in agents)
    attempts: tuple[tuple[Filter, ...], ...] = (by_status,)
    if reason == Doubt.TIE:
        attempts = (by_status, by_direction, by_agent)
    elif reason is None:
        attempts = (by_status, by_direction, by_agent[:MOST_AGENTS])
    return Partitioning(hole, reason, total, tuple(filters for filters in attempts if filters))


@dataclass(frozen=True, slots=True)
class Partitioned:
    """The partitions that are left to read (None: none), and then the piece to record in the ledger."""

    partitioning: Partitioning | None
    piece: Piece | None = None


def absorb(partitioning: Partitioning, seen: Seen, *, is_honoured: bool, directions: Sequence[str]) -> Partitioned:
    """Take the answer to the page of `ask`. `is_honoured` says that all of its rows match the filter."""
    partitioning = replace(partitioning, pages=partitioning.pages + 1)
    if not is_honoured or seen.total is None:
        return _next_attempt(partitioning, seen.asked_at, Doubt.UNHONOURED)
    if partitioning.pages > MOST_PAGES:
        return _doubt(partitioning, seen.asked_at, partitioning.reason)
    if partitioning.is_counting:
        partitioning = replace(
            partitioning,
            counted=(*partitioning.counted, (partitioning.attempts[0][len(partitioning.counted)], seen.total)),
        )
        if len(partitioning.counted) < len(partitioning.attempts[0]):
            return Partitioned(partitioning)
        return _counted(partitioning, seen.asked_at, directions)
    assert partitioning.walk is not None  # noqa: S101 - not counting
    outcome = advance(partitioning.walk, seen, oldest_known=None)
    proven = partitioning.proven
    for piece in outcome.pieces:
        proven = proven.record(piece)
    if outcome.walk is not None and not outcome.is_unsorted:
        return Partitioned(replace(partitioning, walk=outcome.walk, proven=proven))
    partitioning = replace(partitioning, has_doubt=partitioning.has_doubt or not proven.is_proven(partitioning.hole))
    return _next_slice(partitioning, seen.asked_at)


def _counted(partitioning: Partitioning, at: datetime, directions: Sequence[str]) -> Partitioned:
    adds_up = sum(count for _, count in partitioning.counted) == partitioning.total
    if partitioning.reason is None:
        if sum(count for _, count in partitioning.counted) <= partitioning.total + MARGIN:
            return _next_attempt(partitioning, at, None)
        partitioning = replace(partitioning, reason=Doubt.CAPPED)
    elif partitioning.reason == Doubt.TIE:
        if not adds_up:
            return _next_attempt(partitioning, at, Doubt.SPLIT_TIE)
    elif adds_up and partitioning.reason == Doubt.ROUND:
        return Partitioned(None, Piece(partitioning.hole.since, partitioning.hole.until, at))
    filters: list[Filter] = []
    for one, count in partitioning.counted:
        # A slice as long as the capped list is capped too.
        is_capped = partitioning.reason != Doubt.TIE and count >= partitioning.total
        filters += (
            [(*one, ("direction", direction)) for direction in directions] if is_capped else [one] if count else []
        )
    return _next_slice(replace(partitioning, todo=tuple(filters)), at)


def _next_slice(partitioning: Partitioning, at: datetime) -> Partitioned:
    if partitioning.todo:
        walk = Walk(Lane.SLICE, partitioning.hole, 0, filter=partitioning.todo[0])
        return Partitioned(replace(partitioning, walk=walk, todo=partitioning.todo[1:], proven=Ledger()))
    if partitioning.reason != Doubt.TIE:
        return _doubt(partitioning, at, Doubt.SLICED)
    if partitioning.has_doubt:
        return _next_attempt(partitioning, at, Doubt.SPLIT_TIE)
    return Partitioned(None, Piece(partitioning.hole.since, partitioning.hole.until, at))


def _next_attempt(partitioning: Partitioning, at: datetime, reason: Doubt | None) -> Partitioned:
    if len(partitioning.attempts) > 1:
        again = Partitioning(
            partitioning.hole,
            partitioning.reason,
            partitioning.total,
            partitioning.attempts[1:],
            pages=partitioning.pages,
        )
        return Partitioned(again)
    return Partitioned(None) if partitioning.reason is None else _doubt(partitioning, at, reason)


def _doubt(partitioning: Partitioning, at: datetime, reason: Doubt | None) -> Partitioned:
    return Partitioned(
        None, Piece(partitioning.hole.since, partitioning.hole.until, at, is_proven=False, reason=reason)
    )
