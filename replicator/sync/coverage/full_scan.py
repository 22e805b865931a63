"""Whole passes over a list whose order proves nothing: not by created_at, or shown in no pages that could prove anything. Pure.

Such a list is read from its first row to its last, again and again, until two passes add nothing; what no page proves is then
unsure, and said. Passes end at any source: where the rows go on behind the list's own total (the offset is ignored), where each
pass still finds something, and where page after page fails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.budget.run_bound import FREE_CALLS, Bound
from replicator.store.doubts import Doubt
from replicator.sync.coverage.ledger import BEGINNING, Interval, Ledger, Piece, RenewalPolicy, prove
from replicator.sync.coverage.narrowing import MOST_IN_A_ROW
from replicator.sync.coverage.page import PAGE_LIMIT, Seen

if TYPE_CHECKING:
    from datetime import datetime

MOST_PASSES = 6
"""Whole passes after which it is left at that, though each of them still found something."""
PASSES_WITHOUT_NEWS = 2
"""Whole passes over an unsorted list that must add nothing before it is taken for read."""
OVERLAP = 5
SCAN_EVERY = timedelta(minutes=10)
"""An unsorted list is read as a whole again so often at most."""


@dataclass(frozen=True, slots=True)
class FullScan:
    """Where a pass stands, and what those before it found."""

    offset: int = 0
    news: int = 0
    passes: int = 0
    passes_without_news: int = 0
    started_at: datetime | None = None
    empties: int = 0
    failures: int = 0
    """Pages that failed since one was answered."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """The pass that goes on (None: they are over), the ledger after a page, and what the page recorded in it."""

    scan: FullScan | None
    ledger: Ledger
    pieces: tuple[Piece, ...] = ()


def absorb(
    scan: FullScan, seen: Seen, news: int, ledger: Ledger, policy: RenewalPolicy, bound: Bound | None = None
) -> Scanned:
    """Go on with a pass after a page with so many rows that were new or changed; at its end decide whether another is needed."""
    scan = replace(scan, news=scan.news + news, failures=0, empties=scan.empties + 1 if seen.rows == 0 else 0)
    is_last = seen.total is not None and seen.behind >= seen.total > 0
    pieces: list[Piece] = []
    proven = prove(seen.created, offset=seen.offset, server_time=seen.server_time, is_last=is_last)
    if proven and seen.rows > 1:
        pieces.append(Piece(proven.since, proven.until, seen.asked_at))
        ledger = ledger.record(pieces[0], policy)
    if not _is_end(scan, seen, bound):
        step = max(1, seen.rows - OVERLAP) if not is_last else seen.rows
        return Scanned(replace(scan, offset=seen.offset + (step or PAGE_LIMIT // 2)), ledger, tuple(pieces))
    quiet = scan.passes_without_news + 1 if scan.news == 0 else 0
    if quiet < PASSES_WITHOUT_NEWS and scan.passes + 1 < MOST_PASSES:
        again = FullScan(passes=scan.passes + 1, passes_without_news=quiet, started_at=seen.asked_at)
        return Scanned(again, ledger, tuple(pieces))
    reason = Doubt.UNSORTED if quiet >= PASSES_WITHOUT_NEWS else Doubt.UNSORTED_AND_MOVING
    for hole in ledger.holes(Interval(BEGINNING, seen.asked_at)):
        doubt = Piece(hole.since, hole.until, seen.asked_at, is_proven=False, reason=reason)
        pieces.append(doubt)
        ledger = ledger.record(doubt, policy)
    return Scanned(None, ledger, tuple(pieces))


def fail(scan: FullScan) -> FullScan | None:
    """Step over a page that failed; None where too many did so in a row."""
    scan = replace(scan, offset=scan.offset + PAGE_LIMIT // 2, failures=scan.failures + 1)
    return scan if scan.failures < MOST_IN_A_ROW else None


def _is_end(scan: FullScan, seen: Seen, bound: Bound | None) -> bool:
    """Say whether a pass is over: behind the last row, or where rows come behind all that the list can hold."""
    if seen.rows == 0 and (seen.total is None or seen.offset >= seen.total or scan.empties > 1):
        return True
    if seen.total is not None:
        return seen.offset >= seen.total + PAGE_LIMIT
    return bound is not None and seen.offset >= 2 * bound.calls + FREE_CALLS + PAGE_LIMIT
