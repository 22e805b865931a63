"""Applies an answer to a walk: records what the answer proves, and chooses the next page. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from replicator.store.doubts import Doubt
from replicator.sync.coverage.ledger import TICK, Piece, order_of, prove
from replicator.sync.coverage.list_end import check_the_end, looks_last, without_rows
from replicator.sync.coverage.narrowing import extended
from replicator.sync.coverage.page import PAGE_LIMIT
from replicator.sync.coverage.walk import Advance, Convicting, Jumping, after, land, lowered, search, within

if TYPE_CHECKING:
    from datetime import datetime

    from replicator.sync.coverage.page import Seen
    from replicator.sync.coverage.walk import Walk

MOST_SLACK = 24
CALM_PAGES = 20
"""After this many pages in a row that needed less than their slack, the slack is reduced by one row."""
MOST_LONELY = 4
"""After this many pages in a row with a single row, though more rows were asked for and exist, the list counts as
unsorted: nothing lies between the ends of such a page, so its order shows nothing.
"""
TIE_PATIENCE = 6
"""How many answers in a row may show only one tie group, because some servers send short pages."""


def advance(walk: Walk, seen: Seen, *, oldest_known: datetime | None) -> Advance:
    """Apply the answer to the walk's page.

    `oldest_known` is the created_at of the replica's oldest live call: if the list ends above it, that end is not
    trusted.
    """
    outcome = _advance(walk, seen, oldest_known)
    left = outcome.walk
    if left is None or left.barrier is None or isinstance(left.mode, Convicting) or left.offset > left.barrier:
        return outcome
    return replace(outcome, walk=replace(left, offset=left.barrier + 1))


def _advance(walk: Walk, seen: Seen, oldest_known: datetime | None) -> Advance:
    total, asked_limit = walk.total if seen.total is None else seen.total, walk.limit
    if isinstance(walk.mode, Convicting):
        if seen.offset != walk.mode.row:
            mode = replace(walk.mode, is_alive=True)
            return Advance((), replace(walk, total=total, offset=mode.row, limit=1, mode=mode, failures=0))
        walk = replace(walk, mode=walk.mode.then)
    walk = replace(
        walk, limit=min(PAGE_LIMIT, 2 * walk.limit), total=total,
        has_failed=walk.has_failed and walk.limit < PAGE_LIMIT, failures=0,
    )  # fmt: skip
    known = [at for at in seen.created if at is not None]
    if not known:
        return without_rows(walk, seen, oldest_known)
    is_lonely = asked_limit > MOST_LONELY and seen.rows == 1 and (total is None or seen.behind < total)
    walk = replace(walk, lonely=walk.lonely + 1 if is_lonely else 0)
    if order_of(seen.created) != "descending" or walk.lonely >= MOST_LONELY:
        return Advance((), walk, is_unsorted=True)
    walk, pieces = land(replace(walk.no_longer_checking(), empties=0, gaps=0), seen, known[0])
    proven = prove(seen.created, offset=seen.offset, server_time=seen.server_time)
    if proven:
        pieces = (*pieces, Piece(proven.since, proven.until, seen.asked_at))
    return _aimed(walk, seen, pieces) if walk.hole else Advance(pieces, None)


def _aimed(walk: Walk, seen: Seen, pieces: tuple[Piece, ...]) -> Advance:
    """Choose the next page, after one with readable rows in falling order."""
    known, top = [at for at in seen.created if at is not None], walk.hole.until
    if known[0] < top and walk.barrier is not None and seen.offset == walk.barrier + 1:
        # No page can hold both this row and a newer one, so what lies between stays unsure.
        walk, doubt = land(replace(walk, mode=Jumping(Doubt.UNREADABLE)), seen, known[0])
        pieces, top = (*pieces, *doubt), walk.hole.until
    if known[0] >= top:
        walk = replace(walk, read_to=seen.behind)
    elif seen.offset > 0 and walk.is_lost:
        # The search for the top has taken too long. A full page is read from where the top must be, and what is above
        # it is unsure.
        begin = seen.offset if walk.low is None else min(walk.low, seen.offset)
        return after(pieces, replace(walk, offset=begin, limit=PAGE_LIMIT, mode=Jumping(Doubt.LOST)))
    if seen.offset > 0 and known[0] < top:
        return after(pieces, search(walk, seen, high=seen.offset))
    if looks_last(seen, walk):
        walk = lowered(walk, known[-1] + TICK)
        return check_the_end(walk, seen, pieces) if walk.hole else Advance(pieces, None)
    if known[-1] >= top:
        return after(pieces, search(walk, seen, low=seen.behind))
    if known[-1] == top - TICK:
        return _inside_tie(walk, seen, pieces)
    return _closed(walk, seen, pieces)


def _closed(walk: Walk, seen: Seen, pieces: tuple[Piece, ...]) -> Advance:
    """Take a page that began above the hole's top and ended below it: lower the top, and read next right above the new
    one.
    """
    known = [at for at in seen.created if at is not None]
    if seen.offset > 0:
        walk = _slackened(walk, above=sum(at >= walk.hole.until for at in known))
    walk = replace(lowered(walk, known[-1] + TICK), jumps=0)
    newer = seen.offset + seen.created.index(known[-1]) - 1
    aim = newer - walk.slack
    if seen.rows == PAGE_LIMIT:
        aim = within(walk, aim)
    return Advance(pieces, replace(walk, offset=max(0, aim, min(seen.offset + 1, newer))) if walk.hole else None)


def _slackened(walk: Walk, *, above: int) -> Walk:
    """Return the walk with the slack that its next pages need, after a page with `above` rows above the hole's top.

    In a quiet list the slack falls to zero. Where rows vanish above, pages hold fewer rows above the top than their
    slack, or begin below the top. The latter costs a request: as much as one row of slack costs over a hundred pages.
    """
    if walk.stuck:
        # A previous page had missed the top: about twice the slack might have been enough.
        return replace(walk, slack=min(MOST_SLACK, 2 * walk.slack + 1), calm=0)
    spared = above - 1
    if spared < walk.slack:
        return replace(walk, slack=max(walk.slack, min(MOST_SLACK, walk.slack - spared + 1)), calm=0)
    if walk.calm < CALM_PAGES:
        return replace(walk, calm=walk.calm + 1)
    return replace(walk, slack=max(0, walk.slack - 1), calm=0)


def _inside_tie(walk: Walk, seen: Seen, pieces: tuple[Piece, ...]) -> Advance:
    """Take a page that ends inside the tie group at the hole's top: read right above the group, or
    record it as unsure.
    """
    top = walk.hole.until
    above = sum(1 for at in seen.created if at is not None and at >= top)
    if above > 1 and not walk.is_lost:
        return Advance(pieces, replace(walk, offset=seen.offset + above - 1, stuck=walk.stuck + 1, low=None, high=None))
    if walk.has_failed and seen.rows < PAGE_LIMIT and walk.stuck:
        return Advance(pieces, extended(replace(walk, offset=seen.offset, read_to=seen.behind, stuck=walk.stuck + 1)))
    if seen.rows < PAGE_LIMIT and walk.stuck < TIE_PATIENCE:
        return Advance(pieces, replace(walk, offset=seen.offset, stuck=walk.stuck + 1))
    tie = Piece(top - TICK, top, seen.asked_at, is_proven=False, reason=Doubt.TIE)
    left = replace(lowered(walk, top - TICK), offset=max(seen.offset + 1, seen.behind - 1))
    return Advance((*pieces, tie), left if left.hole else None)
