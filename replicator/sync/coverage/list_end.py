"""Finds the end of the list: recognises the last page, checks that nothing follows it, and decides if that can be
trusted. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from replicator.store.doubts import Doubt
from replicator.sync.coverage.ledger import END, TICK, Interval, Piece, prove, prove_empty
from replicator.sync.coverage.page import PAGE_LIMIT
from replicator.sync.coverage.walk import SEEK_PATIENCE, SLACK, Advance, CheckingEnd, Jumping, after, search

if TYPE_CHECKING:
    from datetime import datetime

    from replicator.sync.coverage.page import Seen
    from replicator.sync.coverage.walk import Walk

END_PATIENCE = 8
"""After this many checks of the list's end, each a little further out, the end is recorded as unsure."""
ROUND_CALLS = 500
"""Storage layers cap lists at multiples of this, so a list that ends at one is not trusted without other evidence."""
MOST_EMPTY = 3
"""After this many pages in a row without a readable row, the walk steps over them."""
MOST_GAPS = 3
"""After this many stretches without any row were stepped over, the list's total counts as wrong."""


def looks_last(seen: Seen, walk: Walk) -> bool:
    """Say whether the list seems to end with this page: by its total, or because the page showed nothing older."""
    if seen.total is None:
        return seen.created[-1] == walk.hole.until - TICK or (
            walk.high is not None and walk.high <= seen.behind + SLACK
        )
    return seen.behind >= seen.total


def check_the_end(walk: Walk, seen: Seen, pieces: tuple[Piece, ...]) -> Advance:
    """Ask whether anything follows the page that looks like the last one.

    Each further check asks a little further out, because a list that has grown meanwhile pushes its rows further back.
    """
    if walk.endings > END_PATIENCE:
        return _give_up(walk, seen, pieces)
    beyond = seen.behind + walk.endings**2
    return Advance(pieces, replace(walk, offset=beyond, mode=CheckingEnd(seen), endings=walk.endings + 1))


def _give_up(walk: Walk, seen: Seen, pieces: tuple[Piece, ...]) -> Advance:
    """Give up: the list's end can be neither reached nor proven, so the rest of the hole is unsure."""
    if walk.hole.until == END:
        return Advance(pieces, None)
    rest = Piece(walk.hole.since, walk.hole.until, seen.asked_at, is_proven=False, reason=Doubt.END)
    return Advance((*pieces, rest), None)


def without_rows(walk: Walk, seen: Seen, oldest_known: datetime | None) -> Advance:
    """Take a page without a readable row: the list's end, an empty account, an offset that is too large, or a fault."""
    walk = replace(walk, empties=walk.empties + 1, stuck=walk.stuck + 1)
    # If this answer gives no total, an earlier answer did.
    nothing_behind = seen.rows == 0 and (walk.total is None or walk.total <= seen.offset)
    if nothing_behind and (walk.ending is not None or seen.offset == 0):
        if seen.total is None and walk.empties < 2:  # noqa: PLR2004 - without a total the end needs two looks
            return Advance((), walk)
        return at_the_end(walk, seen, oldest_known)
    if nothing_behind and walk.barrier is not None and seen.offset == walk.barrier + 1:
        return _give_up(walk, seen, ())  # the last row of the list cannot be read
    if nothing_behind and walk.stuck < SEEK_PATIENCE:
        end = seen.offset if seen.total is None else seen.total
        return after((), replace(search(walk, seen, high=end), empties=0))
    if walk.empties < MOST_EMPTY:
        return Advance((), walk.no_longer_checking())
    gaps = 0 if seen.rows else walk.gaps + 1
    if nothing_behind or gaps >= MOST_GAPS:
        return _give_up(walk, seen, ())
    beyond = seen.offset + max(seen.rows, PAGE_LIMIT // 2)
    left = replace(walk, empties=0, gaps=gaps, offset=beyond, mode=Jumping(Doubt.NO_ROWS))
    return after((), left)


def at_the_end(walk: Walk, seen: Seen, oldest_known: datetime | None) -> Advance:
    """Close the hole, because nothing follows `walk.ending` (or the whole list is empty); unsure where older calls are
    known.
    """
    last = walk.ending
    if last is None:
        claim = prove_empty(seen.server_time)
        is_doubtful = oldest_known is not None
        reason = Doubt.EMPTY_BUT_KNOWN
    else:
        claim = prove(last.created, offset=last.offset, server_time=last.server_time, is_last=True)
        oldest_listed = min(at for at in last.created if at is not None)
        is_doubtful = oldest_known is not None and oldest_known < oldest_listed
        reason = Doubt.CAPPED
        if last.total is None:
            # The empty page was asked for after the last page: a deletion in between could hide a row from both.
            is_doubtful = True
            reason = Doubt.NO_TOTAL
        elif not is_doubtful and not walk.filter and last.total > 0 and last.total % ROUND_CALLS == 0:
            is_doubtful, reason = True, Doubt.ROUND
    if claim is None:
        return Advance((), None)
    asked_at = (last or seen).asked_at
    if not is_doubtful:
        return Advance((Piece(claim.since, claim.until, asked_at),), None)
    doubt = Interval(walk.hole.since, min(walk.hole.until, claim.until))
    pieces = (Piece(doubt.since, doubt.until, asked_at, is_proven=False, reason=reason),) if doubt else ()
    return Advance(pieces, None)
