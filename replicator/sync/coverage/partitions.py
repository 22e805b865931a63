"""Reading through filters what the plain list cannot show: behind a cap, or inside a tie group as large as a page. Pure.

A filter counts only where every row that came back matches it: servers silently ignore what they do not know. Slices prove
something only together: when their totals add up to the list's own total, they hold everything.

- A list that ends at a round number may be capped by its storage. If the slices add up, it is not. If they hold more, it is,
  and each slice is walked; what is of other values than we know stays hidden, so that stretch is unsure all the same.
- Any other list of some length is counted once a day: where its slices hold more than it says itself, it is capped, whatever
  the number. Where they do not, nothing is concluded from that.
- A tie group as large as a page is proven when the slices add up and each of them proves its part of the group.
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
"""Pages after which reading by partitions gives up: 200,000 calls behind a cap."""
COUNTED_FROM = ROUND_CALLS
"""Lists shorter than this are not counted: no storage is known that caps so low."""
MOST_AGENTS = 20
"""Agents by which a list is counted, at a request each."""
MARGIN = PAGE_LIMIT // 2
"""So many more calls in the slices mean nothing: calls are created, and change their status, while they are counted."""


@dataclass(frozen=True, slots=True)
class Partitioning:
    """One stretch read through filters. `attempts` are sets of filters; the next one is tried where one does not do."""

    hole: Interval
    reason: Doubt | None
    """Why it is read so; None where nobody doubts the end of the list, and only its calls are counted."""
    total: int
    """What the plain list says that it holds."""
    attempts: tuple[tuple[Filter, ...], ...]
    counted: tuple[tuple[Filter, int], ...] = ()
    todo: tuple[Filter, ...] = ()
    """Slices to be walked after the present one."""
    walk: Walk | None = None
    proven: Ledger = field(default_factory=Ledger)
    """What the present slice has proven of the hole."""
    has_doubt: bool = False
    pages: int = 0

    @property
    def is_counting(self) -> bool:
        return self.walk is None

    def ask(self) -> Walk:
        """Return the page to be asked next: one row of a slice that is not counted yet, or the walk's."""
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
    """Begin to read a stretch through filters, with the values that are known."""
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
    """The partitions that are left (None: it is over), and what to record in the ledger then."""

    partitioning: Partitioning | None
    piece: Piece | None = None


def absorb(partitioning: Partitioning, seen: Seen, *, is_honoured: bool, directions: Sequence[str]) -> Partitioned:
    """Take the answer to what `ask` asked. `is_honoured` says that all its rows match the filter."""
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
        # A slice that is as long as the capped list is capped itself.
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
