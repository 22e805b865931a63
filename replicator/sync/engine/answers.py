"""Applies an answer to the planner's state: records the proven coverage; continues walks, partitions, scans, searches.
Pure.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.store.doubts import Doubt
from replicator.sync.coverage import full_scan, partitions
from replicator.sync.coverage.advance import advance
from replicator.sync.coverage.full_scan import SCAN_EVERY, FullScan
from replicator.sync.coverage.ledger import BEGINNING, END, Interval, Ledger, Piece, prove
from replicator.sync.coverage.narrowing import MOST_IN_A_ROW, fail
from replicator.sync.coverage.page import Lane, Seen
from replicator.sync.deletions import bisect
from replicator.sync.engine.state import Absorbed, Comparison, Left, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from replicator.sync.coverage.page import Filter
    from replicator.sync.coverage.partitions import Partitioned
    from replicator.sync.coverage.walk import Walk

RELOOKS = frozenset({Lane.ACTIVE, Lane.COMPARE, Lane.RENEWAL, Lane.REREAD})
"""Lanes whose walks read what was compared before."""
LEFT_FOR = timedelta(minutes=10)
"""How long a stretch is not asked for after page after page of it has failed."""


def absorb_page(
    state: State, asked: Walk, seen: Seen, *, is_head: bool, oldest_known: datetime | None, news: int = 0
) -> Absorbed:
    """Apply a page. `asked` is the walk as it was when the page was asked for; `news` counts the page's new or changed
    rows.
    """
    if state.scan is not None and not is_head:
        scanned = full_scan.absorb(state.scan, seen, news, state.ledger, state.policy, state.bound)
        scanned_at = state.scanned_at if scanned.scan is not None else seen.asked_at
        return Absorbed(replace(state, scan=scanned.scan, scanned_at=scanned_at, ledger=scanned.ledger), scanned.pieces)
    outcome = advance(asked, seen, oldest_known=oldest_known)
    if outcome.is_unsorted or (is_head and seen.rows and not any(seen.created)):
        is_early = state.scanned_at is not None and seen.asked_at - state.scanned_at < SCAN_EVERY
        scan = state.scan or (None if is_early else FullScan(started_at=seen.asked_at))
        return Absorbed(replace(state, scan=scan, walks={}), outcome.pieces)
    pieces = outcome.pieces
    if outcome.walk is None and not is_head:
        pieces = (*pieces, *_doubts(asked.hole, pieces, seen.asked_at))
    ledger = state.ledger
    if all(piece.reason == Doubt.EMPTY for piece in ledger.pieces):
        # No call has been seen yet. What the ledger says of an empty list is valid until one is seen: then everything
        # is read.
        if seen.rows:
            ledger = Ledger()
        elif oldest_known is None and asked.offset == 0 and asked.ending is None:
            pieces = tuple(replace(piece, is_proven=False, reason=Doubt.EMPTY) for piece in pieces)
    for piece in pieces:
        ledger = ledger.record(piece, state.policy)
    walks = {
        lane: walk if lane == asked.lane and not is_head else walk.moved(seen.total)
        for lane, walk in state.walks.items()
    }
    clear = state.clear
    if is_head:
        clear += sum(at is not None and at >= asked.hole.since for at in seen.created)
        left = outcome.walk
        if left is not None:
            lane = Lane.BACKFILL if left.hole.since == BEGINNING else Lane.FRESH
            if lane not in walks and left.hole.until != END:
                walks[lane] = replace(left, lane=lane)
    elif outcome.walk is None or not _is_needed(ledger, outcome.walk):
        walks.pop(asked.lane, None)
    else:
        walks[asked.lane] = outcome.walk
    return Absorbed(replace(state, ledger=ledger, walks=walks, clear=clear), pieces)


def _is_needed(ledger: Ledger, walk: Walk) -> bool:
    """Say whether a walk is still needed: another walk may have closed its hole meanwhile."""
    return walk.lane in RELOOKS or bool(ledger.holes(walk.hole))


def _doubts(hole: Interval, pieces: Sequence[Piece], at: datetime) -> list[Piece]:
    """Return what an ended walk left of its hole, as unsure pieces; otherwise it would be walked again at once, for
    ever.
    """
    covered = Ledger()
    for piece in pieces:
        covered = covered.record(piece)
    return [
        Piece(left.since, left.until, at, is_proven=False, reason=Doubt.NO_PROOF)
        for left in covered.holes(hole)
        if left.until < END
    ]


def absorb_slice(state: State, seen: Seen, *, ignored: frozenset[str], values: Filter) -> Absorbed:
    """Apply a page of a slice. Its rows are stored like all others. `ignored` names the filters that they do not match,
    `values` are those that they show.
    """
    if state.partitioning is None:
        return Absorbed(state)
    outcome = partitions.absorb(state.partitioning, seen, ignored=ignored, values=values)
    return _partitioned(state, outcome, seen.asked_at)


def _partitioned(state: State, outcome: Partitioned, sliced_at: datetime | None) -> Absorbed:
    """Record what the reading through filters has shown; once it is over, remember since when."""
    ledger = state.ledger
    for piece in outcome.pieces:
        ledger = ledger.record(piece, state.policy)
    is_tie = state.partitioning is not None and state.partitioning.reason == Doubt.TIE
    state = replace(
        state,
        partitioning=outcome.partitioning,
        ledger=ledger,
        sliced_at=state.sliced_at if is_tie or outcome.partitioning is not None else sliced_at,
        capped_at=state.capped_at if outcome.capped_at is None else outcome.capped_at,
    )
    return Absorbed(state, outcome.pieces)


def absorb_search(state: State, seen: Seen, stored_before: Mapping[datetime, int]) -> Absorbed:
    """Apply a page of the search. What it proves is recorded; the search goes on where replica and source differ."""
    pieces: tuple[Piece, ...] = ()
    ledger = state.ledger
    proven = prove(seen.created, offset=seen.offset, server_time=seen.server_time)
    if proven:
        pieces = (Piece(proven.since, proven.until, seen.asked_at),)
        ledger = ledger.record(pieces[0], state.policy)
    if state.search is None or state.search.is_over:
        return Absorbed(replace(state, ledger=ledger, search=None), pieces)
    search = bisect.absorb(state.search, seen, stored_before)
    if search.is_over and search.below is not None:
        # Only a look at the list's end shows whether the calls stored beyond it exist; this unsure piece makes the look
        # due.
        doubt = Piece(BEGINNING, search.below, seen.asked_at, is_proven=False, reason=Doubt.BEYOND)
        ledger, pieces = ledger.record(doubt, state.policy), (*pieces, doubt)
    # A whole pass is cheaper than a search for so many differences.
    comparison = Comparison(search.begun_at) if search.left <= 0 else state.comparison
    return Absorbed(
        replace(state, ledger=ledger, search=None if search.is_over else search, comparison=comparison),
        pieces,
    )


def absorb_failure(state: State, asked: Walk, at: datetime) -> Absorbed:
    """Apply the failure of one page at time `at`, while the source answers other requests."""
    if asked.lane is Lane.SLICE:
        return _unsliced(state)
    if asked.lane is Lane.SEARCH:
        return Absorbed(replace(state, search=None))  # it begins again with the next look at the totals
    if state.scan is not None:
        scan = full_scan.fail(state.scan)
        return Absorbed(replace(state, scan=scan, scanned_at=state.scanned_at if scan else at))
    outcome = fail(asked)
    walks = dict(state.walks)
    if outcome.walk is None:
        walks.pop(asked.lane, None)
    elif outcome.walk.failures >= MOST_IN_A_ROW:
        walks.pop(asked.lane, None)
        state = replace(state, left=_left(state.left, asked.hole, at))
    else:
        walks[asked.lane] = outcome.walk
    return Absorbed(replace(state, walks=walks), outcome.pieces)


def _left(before: Mapping[datetime, Left], hole: Interval, at: datetime) -> Mapping[datetime, Left]:
    """Return what fails, with one more stretch. It takes the place of those that it overlaps."""
    same = [left for left in before.values() if left.hole.overlap(hole)]
    first = min([at, *(left.first_failed_at for left in same)])
    others = {until: left for until, left in before.items() if left not in same}
    return {**others, hole.until: Left(hole, at, at + LEFT_FOR, first)}


def _unsliced(state: State) -> Absorbed:
    """Apply the failure of a slice: what it should have shown stays unsure until it is due again."""
    if state.partitioning is None:
        return Absorbed(state)
    hole = state.partitioning.hole
    last = max(piece.verified_at for piece in state.ledger.pieces if piece.interval.overlap(hole))
    return _partitioned(state, partitions.failed(state.partitioning, last), state.head_asked_at or last)
