"""Reads a list as a whole, again and again, where its order proves nothing: it is unsorted, or its pages are unusable.
Pure.

Each pass reads from the first row to the last, until two passes in a row find nothing new. What no page proved is then
recorded as unsure, with its reason. The passes end at any source, also where rows go on behind the list's own total
(because the offset is ignored), where each pass still finds something, and where page after page fails.
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
"""The passes end after this many, even if each of them still found something."""
PASSES_WITHOUT_NEWS = 2
"""This many passes in a row must find nothing new before an unsorted list counts as read."""
OVERLAP = 5
SCAN_EVERY = timedelta(minutes=10)
"""The shortest time between two complete readings of an unsorted list."""


@dataclass(frozen=True, slots=True)
class FullScan:
    """The progress of a pass, and what the passes before it found."""

    offset: int = 0
    news: int = 0
    passes: int = 0
    passes_without_news: int = 0
    started_at: datetime | None = None
    empties: int = 0
    failures: int = 0
    """Failed pages since a page was last answered."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """The pass that goes on (None: the passes are over), the ledger after a page, and what the page recorded in it."""

    scan: FullScan | None
    ledger: Ledger
    pieces: tuple[Piece, ...] = ()


def absorb(
    scan: FullScan, seen: Seen, news: int, ledger: Ledger, policy: RenewalPolicy, bound: Bound | None = None
) -> Scanned:
    """Apply a page of a pass, of which `news` rows were new or changed; at the end of the pass, decide whether to begin
    another.
    """
    scan = replace(scan, news=scan.news + news, failures=0, empties=scan.empties + 1 if seen.rows == 0 else 0)
    is_last = seen.total is not None and seen.behind >= seen.total > 0
    pieces: list[Piece] = []
    proven = prove(seen.created, offset=seen.offset, server_time=seen.server_time, is_last=is_last)
    if proven and seen.rows > 1:
        pieces.append(Piece(proven.since, proven.until, seen.asked_at))
        ledger = ledger.record(pieces[0], policy)
    if not _is_end(scan, seen, bound):
        step = seen.rows if is_last else max(1, seen.rows - OVERLAP)
        return Scanned(
            replace(scan, offset=seen.offset + (step if seen.rows else PAGE_LIMIT // 2)), ledger, tuple(pieces)
        )
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
    """Step over a page that failed; return None where too many failed in a row."""
    scan = replace(scan, offset=scan.offset + PAGE_LIMIT // 2, failures=scan.failures + 1)
    return scan if scan.failures < MOST_IN_A_ROW else None


def _is_end(scan: FullScan, seen: Seen, bound: Bound | None) -> bool:
    """Say whether a pass is over: the last row was read, or more rows came than the list can hold."""
    if seen.rows == 0 and (seen.total is None or seen.offset >= seen.total or scan.empties > 1):
        return True
    if seen.total is not None:
        return seen.offset >= seen.total + PAGE_LIMIT
    return bound is not None and seen.offset >= 2 * bound.calls + FREE_CALLS + PAGE_LIMIT
