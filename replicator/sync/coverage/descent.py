"""Reads a stretch that the plain list does not show through `created_before`, one capped part below the other. Pure.

A list of the calls before an instant is the lower end of the whole list, so the ledger's lemma holds for its pages: the
rows of one page prove that no other call was created between the first and the last of them. Each part is read to its
end. Then the next part begins at a row of the last page, so that both show it, and a part that does not begin with such
a row proves nothing. So it does not matter how exactly the source reads the instant: the rows themselves show that the
parts meet.

The end of a part is believed to be the end of the list only if the part fits on one page and is shorter than the plain
list; a longer part may be capped, and is continued. If a part shows only calls of one second, nothing can be continued
from its rows. What lies in that second is then left to other filters, and the next part begins below it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from replicator.store.doubts import Doubt
from replicator.sync.coverage.advance import advance
from replicator.sync.coverage.filters import SECOND, before, bound_of, whole
from replicator.sync.coverage.ledger import TICK, Interval, Piece
from replicator.sync.coverage.page import PAGE_LIMIT, Filter, Lane
from replicator.sync.coverage.walk import Jumping, Walk

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from replicator.sync.coverage.page import Seen

WIDER = 16
"""Where a part does not reach up to its stretch, it begins this many times further above it next time."""
MOST_MISSES = 8
"""After so many parts in a row that did not meet the stretch, the filter counts as useless: the last begins years above,
or the source cuts the instant down to less than its second.
"""


@dataclass(frozen=True, slots=True)
class Descent:
    """The reading of one part: `walk.hole` is what is left of the stretch."""

    walk: Walk
    total: int
    """The total of the plain list."""
    reach: timedelta = SECOND
    """How far above the stretch the part begins."""
    misses: int = 0
    """Parts since the stretch was last lowered that began below its top."""
    is_joined: bool = False
    """Some part has met the stretch's top: the source honours the filter."""
    crowd: Filter = ()
    """The filter of the part above, which could not be continued from its rows; empty where it was."""


@dataclass(frozen=True, slots=True)
class Left:
    """A stretch that is left to other filters, and the filter by time with which it is reached."""

    hole: Interval
    base: Filter = ()


@dataclass(frozen=True, slots=True)
class Descended:
    """The descent after an answer (None: it is over), what was proven, and what is left to other filters."""

    descent: Descent | None
    pieces: tuple[Piece, ...] = ()
    left: tuple[Left, ...] = ()


def begin(hole: Interval, total: int) -> Descent:
    """Begin to read a stretch downwards."""
    return Descent(_part(hole, hole.until + SECOND), total)


def _part(hole: Interval, bound: datetime) -> Walk:
    return Walk(Lane.SLICE, hole, 0, filter=(before(bound),))


def absorb(descent: Descent, seen: Seen) -> Descended:
    """Take the answer to the page of `descent.walk`, whose rows all match its filter."""
    walk, known = descent.walk, [at for at in seen.created if at is not None]
    is_jump = isinstance(walk.mode, Jumping) and bool(descent.crowd)
    if seen.total is None or (is_jump and not known):
        return Descended(None, left=(Left(walk.hole, descent.crowd),))
    if seen.offset == 0 and not is_jump and (not known or known[0] < walk.hole.until):
        return _wider(descent)
    outcome = advance(walk, seen, oldest_known=None)
    top = min(walk.hole.until, known[0]) if known else walk.hole.until
    pieces = tuple(piece for one in outcome.pieces if (piece := _believed(one, top)) is not None)
    left = tuple(Left(piece.interval, descent.crowd) for piece in pieces if is_jump and piece.reason == Doubt.SPLIT_CAP)
    if outcome.is_unsorted or any(piece.reason == Doubt.END for piece in pieces):
        return Descended(None, tuple(piece for piece in pieces if piece.reason != Doubt.END), (*left, Left(walk.hole)))
    is_lower = outcome.walk is None or outcome.walk.hole.until < walk.hole.until
    descent = replace(descent, is_joined=True, crowd=(), misses=0 if is_lower else descent.misses)
    if outcome.walk is None:
        return Descended(None, pieces, left)
    is_last = outcome.walk.ending is not None and walk.ending is None
    if is_last and (seen.total > PAGE_LIMIT or seen.total >= descent.total):
        return Descended(_continued(descent, outcome.walk.hole, known), pieces, left)
    return Descended(replace(descent, walk=outcome.walk), pieces, left)


def _believed(piece: Piece, top: datetime) -> Piece | None:
    """Return what a piece proves below `top`: that a filtered list shows nothing newer says nothing of newer calls."""
    if not piece.is_proven:
        return piece
    return replace(piece, until=min(piece.until, top)) if piece.since < top else None


def _wider(descent: Descent) -> Descended:
    """Begin the part further above the stretch, or give up where it does not show a newer call however far it goes."""
    if descent.misses >= MOST_MISSES:
        return Descended(None, left=(Left(descent.walk.hole),))
    reach, hole = descent.reach * WIDER, descent.walk.hole
    walk = _part(hole, hole.until + reach)
    return Descended(replace(descent, walk=walk, reach=reach, misses=descent.misses + 1))


def _continued(descent: Descent, hole: Interval, known: list[datetime]) -> Descent:
    """Begin the next part at a row of this part's last page, which both will show; or else below its oldest second."""
    present = bound_of(descent.walk.filter)
    oldest = known[-1]
    top = min(hole.until, oldest + TICK)
    joins = [at for at in known if at >= top]
    bound = whole(min(joins)) + SECOND if joins else None
    if bound is not None and (present is None or bound < present):
        return replace(descent, walk=_part(Interval(hole.since, top), bound), reach=SECOND)
    jump = replace(_part(Interval(hole.since, top), whole(oldest)), mode=Jumping(Doubt.SPLIT_CAP))
    return replace(descent, walk=jump, reach=SECOND, crowd=descent.walk.filter)
