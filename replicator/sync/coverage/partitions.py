"""Reads through filters what the plain list cannot show: calls behind a cap, or in a tie group as large as a page.
Pure.

The ways to read a stretch, each in a module of its own:

- descent.py reads below the list's end by `created_before`. This proves the stretch, also where the list is not capped
  at all, so it comes first. It costs one request where the source ignores that filter.
- counting.py counts a list by its slices. It shows whether a list is capped, and it proves tie groups.
- facets.py reads a capped list by every combination of status, direction and agent that the source honours. Calls with
  values that we do not know stay hidden, so that stretch is unsure in any case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from replicator.store.doubts import Doubt
from replicator.sync.coverage import counting, descent, facets
from replicator.sync.coverage.counting import Counting, Found
from replicator.sync.coverage.descent import Descent, Left
from replicator.sync.coverage.facets import Facets
from replicator.sync.coverage.filters import BEFORE, learned
from replicator.sync.coverage.ledger import Piece
from replicator.sync.coverage.narrowing import MOST_IN_A_ROW, fail

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from replicator.sync.coverage.ledger import Interval
    from replicator.sync.coverage.page import Filter, Seen
    from replicator.sync.coverage.walk import Walk

MOST_PAGES = 2000
"""Reading by partitions gives up after this many pages that prove nothing: 200,000 calls behind a cap."""

Way: TypeAlias = Descent | Counting | Facets


@dataclass(frozen=True, slots=True)
class Partitioning:
    """One stretch that is read through filters. `way` is how it is read now."""

    hole: Interval
    reason: Doubt | None
    """Why the stretch is read through filters; None where the list's end is not in doubt, and is only looked at."""
    total: int
    """The total of the plain list."""
    values: Filter
    """The known values of the filters, as (name, value) pairs."""
    way: Way
    left: tuple[Left, ...] = ()
    """Parts of the stretch that remain to be divided by value."""
    is_capped: bool = False
    """A filter has shown calls that the plain list does not show."""
    pages: int = 0
    """Pages that proved nothing."""

    def ask(self) -> Walk:
        """Return the page to ask for next."""
        if isinstance(self.way, Counting):
            return self.way.ask()
        assert self.way.walk is not None  # noqa: S101 - a way without a walk is over
        return self.way.walk


def begin(
    hole: Interval,
    reason: Doubt | None,
    total: int,
    statuses: Sequence[str],
    directions: Sequence[str],
    agents: Sequence[str],
) -> Partitioning:
    """Begin to read a stretch through filters, with the known statuses, directions and agents."""
    named = (("status", statuses), ("direction", directions), ("agent_id", agents))
    values = tuple((name, one) for name, some in named for one in some)
    if reason == Doubt.TIE:
        return Partitioning(hole, reason, total, values, counting.begin(hole, reason, total, values))
    return Partitioning(hole, reason, total, values, descent.begin(hole, total))


@dataclass(frozen=True, slots=True)
class Partitioned:
    """The partitions that are left to read (None: none), and the pieces to record in the ledger."""

    partitioning: Partitioning | None
    pieces: tuple[Piece, ...] = ()
    capped_at: int | None = None
    """The list's total, once it is proven what lies behind its cap: this total counts nothing."""


def absorb(partitioning: Partitioning, seen: Seen, *, ignored: frozenset[str], values: Filter) -> Partitioned:
    """Take the answer to the page of `ask`. `ignored` names the filters that some row of it does not match; `values`
    are those that its rows show.
    """
    partitioning = replace(partitioning, pages=partitioning.pages + 1)
    if partitioning.pages > MOST_PAGES:
        return given_up(partitioning, seen.asked_at)
    match partitioning.way:
        case Descent() as way:
            known = (*partitioning.values, *learned(partitioning.values, values))
            return _descended(replace(partitioning, values=known), way, seen, ignored)
        case Counting() as way:
            return _counted(partitioning, way, seen, is_honoured=not ignored)
        case Facets() as way:
            return _divided(replace(partitioning, way=facets.absorb(way, seen, ignored, values)), seen.asked_at)


def _descended(partitioning: Partitioning, way: Descent, seen: Seen, ignored: frozenset[str]) -> Partitioned:
    if BEFORE in ignored:
        return _without_time(partitioning, way, seen.asked_at, ())
    outcome = descent.absorb(way, seen)
    hole, pieces = partitioning.hole, outcome.pieces
    is_capped = partitioning.is_capped or any(piece.is_proven and piece.until < hole.until for piece in pieces)
    partitioning = replace(partitioning, is_capped=is_capped)
    if any(piece.is_proven for piece in pieces):
        partitioning = replace(partitioning, pages=partitioning.pages - 1)
    if outcome.descent is not None:
        left = (*partitioning.left, *outcome.left)
        return Partitioned(replace(partitioning, way=outcome.descent, left=left), pieces)
    if outcome.left and not is_capped:
        return _without_time(partitioning, way, seen.asked_at, pieces)
    partitioning = replace(partitioning, left=(*partitioning.left, *outcome.left))
    capped_at = partitioning.total if is_capped else None
    ended = _next_left(partitioning, seen.asked_at)
    return replace(ended, pieces=(*pieces, *ended.pieces), capped_at=capped_at)


def _without_time(partitioning: Partitioning, way: Descent, at: datetime, pieces: tuple[Piece, ...]) -> Partitioned:
    """Go on without the filter by time: what is left of the stretch is counted if that may end it, and else divided."""
    rest = Left(way.walk.hole)
    if partitioning.reason in {None, Doubt.ROUND} and not partitioning.is_capped:
        count = counting.begin(partitioning.hole, partitioning.reason, partitioning.total, partitioning.values)
        if count.attempts:
            return Partitioned(replace(partitioning, way=count), pieces)
        if partitioning.reason is None:
            return Partitioned(None, pieces)
    ended = _next_left(replace(partitioning, left=(*partitioning.left, rest)), at)
    return replace(ended, pieces=(*pieces, *ended.pieces))


def _counted(partitioning: Partitioning, way: Counting, seen: Seen, *, is_honoured: bool) -> Partitioned:
    outcome = counting.absorb(way, seen, is_honoured=is_honoured)
    hole, at = partitioning.hole, seen.asked_at
    match outcome.found:
        case None:
            return Partitioned(replace(partitioning, way=outcome.counting))
        case Found.WHOLE:
            return Partitioned(None, (Piece(hole.since, hole.until, at),))
        case Found.CAPPED:
            return _next_left(replace(partitioning, is_capped=True, left=(Left(hole),)), at)
        case Found.NOTHING if partitioning.reason == Doubt.ROUND:
            return _next_left(replace(partitioning, left=(Left(hole),)), at)
        case Found.NOTHING:
            if partitioning.reason is None:
                return Partitioned(None)
            return Partitioned(None, (_unsure(hole, at, outcome.counting.failure or Doubt.SPLIT_TIE),))


def _divided(partitioning: Partitioning, at: datetime) -> Partitioned:
    """Go on with the parts of the stretch, or with the next stretch, once they are read."""
    way = partitioning.way
    if not isinstance(way, Facets) or way.walk is not None:
        return Partitioned(partitioning)
    ended = _next_left(replace(partitioning, values=way.values), at)
    return replace(ended, pieces=(_unsure(way.hole, at, way.doubt), *ended.pieces))


def _next_left(partitioning: Partitioning, at: datetime) -> Partitioned:
    """Divide the next stretch that is left by value; one without a known value is unsure at once."""
    if not partitioning.left:
        return Partitioned(None)
    first, rest = partitioning.left[0], partitioning.left[1:]
    way = facets.begin(first.hole, first.base, partitioning.total, partitioning.values)
    return _divided(replace(partitioning, way=way, left=rest), at)


def failed(partitioning: Partitioning, at: datetime) -> Partitioned:
    """Apply a failure of the page of `ask`, while the source answers other requests. `at` is the last good look."""
    match partitioning.way:
        case Descent(is_joined=False) as way:
            # A source that refuses the filter is one that does not honour it.
            return _without_time(partitioning, way, at, ())
        case Descent() as way:
            outcome = fail(way.walk)
            if outcome.walk is not None and outcome.walk.failures < MOST_IN_A_ROW:
                return Partitioned(replace(partitioning, way=replace(way, walk=outcome.walk)))
        case Facets() as way:
            return _divided(replace(partitioning, way=facets.skip(way)), at)
        case Counting():
            pass
    return given_up(partitioning, at)


def given_up(partitioning: Partitioning, at: datetime) -> Partitioned:
    """Leave what is not read yet unsure."""
    if partitioning.reason is None and not partitioning.is_capped:
        return Partitioned(None)
    is_tie = partitioning.reason == Doubt.TIE
    holes = [one.hole for one in partitioning.left]
    way = partitioning.way
    holes.append(way.walk.hole if isinstance(way, Descent) else way.hole)
    reason = Doubt.SPLIT_TIE if is_tie else Doubt.SLICED
    return Partitioned(None, tuple(_unsure(hole, at, reason) for hole in holes))


def _unsure(hole: Interval, at: datetime, reason: Doubt) -> Piece:
    return Piece(hole.since, hole.until, at, is_proven=False, reason=reason)
