"""Whole passes over a list in no order: every row is read, and passes come to an end at any source."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.budget.run_bound import FREE_CALLS, Bound
from replicator.store.doubts import Doubt
from replicator.sync.coverage.full_scan import MOST_PASSES, OVERLAP, FullScan, absorb, fail
from replicator.sync.coverage.ledger import BEGINNING, DEFAULT_POLICY, Interval, Ledger, Piece
from replicator.sync.coverage.narrowing import MOST_IN_A_ROW
from replicator.sync.coverage.page import PAGE_LIMIT
from tests.sync.fix_values import NOW, at, seen

pytestmark = pytest.mark.pure

MIXED = [at(-3), at(-1), at(-2)]
AGAIN = FullScan(passes=1, started_at=NOW)


def take(scan: FullScan, offset: int, rows: int, total: int | None, news: int = 0, **more: Bound) -> FullScan | None:
    page = seen(([*MIXED] * rows)[:rows], offset, total)
    return absorb(scan, page, news, Ledger(), DEFAULT_POLICY, **more).scan


@settings(max_examples=12)
@given(st.integers(0, 300), st.integers(1, PAGE_LIMIT), st.booleans(), st.integers(0, 9))
def test_a_pass_shows_every_row(calls: int, most_rows: int, has_total: bool, seed: int) -> None:
    """Whatever the length of the list and of its pages: two passes that find nothing new have each shown all rows."""
    created = [at(-one) for one in range(calls)]
    Random(seed).shuffle(created)
    scan: FullScan | None = FullScan()
    shown: dict[int, set[int]] = {}
    ledger, requests = Ledger(), 0
    while scan is not None:
        requests += 1
        assert requests <= 2 * calls + 20
        rows = range(scan.offset, min(calls, scan.offset + most_rows))
        shown.setdefault(scan.passes, set()).update(rows)
        page = seen([created[row] for row in rows], scan.offset, calls if has_total else None)
        scanned = absorb(scan, page, 0, ledger, DEFAULT_POLICY)
        scan, ledger = scanned.scan, scanned.ledger
    assert shown == {0: set(range(calls)), 1: set(range(calls))}
    assert not ledger.holes(Interval(BEGINNING, NOW))


def test_pages_of_a_pass_overlap() -> None:
    """The next page begins five rows before the end of this one, and at least one row further down; the last page is the end."""
    scan = take(FullScan(), 200, 100, 1000)
    assert scan is not None
    assert scan.offset == 300 - OVERLAP
    for rows in (1, OVERLAP, OVERLAP + 1):
        short = take(FullScan(), 200, rows, 1000)
        assert short is not None
        assert short.offset == 201
    last = take(FullScan(), 200, 100, 300)
    assert last is not None
    assert last.offset == 300


def test_one_empty_page_in_the_middle_ends_no_pass() -> None:
    """Where the total says that more is there, the pass goes on behind it; a second empty page in a row ends the pass."""
    scan = take(AGAIN, 200, 0, 1000)
    assert scan is not None
    assert scan.offset == 200 + PAGE_LIMIT // 2
    assert (scan.empties, scan.passes) == (1, 1)
    ended = take(scan, scan.offset, 0, 1000, news=1)
    assert ended is not None
    assert (ended.offset, ended.passes) == (0, 2)


def test_an_answer_ends_a_row_of_failures_and_of_empty_pages() -> None:
    """Both are counted in a row."""
    scan = take(FullScan(empties=1, failures=30), 200, 100, 1000)
    assert scan is not None
    assert (scan.empties, scan.failures) == (0, 0)


def test_two_passes_without_news_are_enough() -> None:
    """The first that finds nothing is followed by another, the second is the last; what was not proven is unsure."""
    once = absorb(AGAIN, seen([], 300, 300), 0, Ledger(), DEFAULT_POLICY)
    assert once.scan == FullScan(passes=2, passes_without_news=1, started_at=NOW)
    assert once.pieces == ()
    twice = absorb(once.scan, seen([], 300, 300), 0, Ledger(), DEFAULT_POLICY)
    assert twice.scan is None
    assert twice.pieces == (Piece(BEGINNING, NOW, NOW, is_proven=False, reason=Doubt.UNSORTED),)
    assert twice.ledger.pieces == twice.pieces


def test_news_make_another_pass() -> None:
    """A row that was new anywhere in a pass counts, and the passes without news begin anew."""
    scan = take(replace(AGAIN, passes_without_news=1), 0, 100, 300, news=1)
    assert scan is not None
    ended = take(scan, 300, 0, 300)
    assert ended is not None
    assert (ended.passes, ended.passes_without_news, ended.news) == (2, 0, 0)


def test_passes_end_though_each_finds_something() -> None:
    """After six passes it is left at that, and said that the list still moves."""
    scan: FullScan | None = FullScan()
    for _ in range(MOST_PASSES):
        assert scan is not None
        scanned = absorb(scan, seen([], 300, 300), 1, Ledger(), DEFAULT_POLICY)
        scan = scanned.scan
    assert scan is None
    assert [piece.reason for piece in scanned.pieces] == [Doubt.UNSORTED_AND_MOVING]


def test_a_page_in_order_proves_its_stretch_all_the_same() -> None:
    """What a page proves is kept in the ledger; a page in no order, or of one row, proves nothing."""
    page = seen([at(-1), at(-2), at(-3)], 200, 1000)
    scanned = absorb(FullScan(), page, 0, Ledger(), DEFAULT_POLICY)
    (piece,) = scanned.pieces
    assert (piece.is_proven, piece.until) == (True, at(-1))
    assert scanned.ledger.pieces == (piece,)
    for rows in ([at(-1), at(-3), at(-2)], [at(-1)]):
        assert absorb(FullScan(), seen(rows, 200, 1000), 0, Ledger(), DEFAULT_POLICY).pieces == ()


def test_a_source_that_ignores_the_offset_ends_a_pass() -> None:
    """A page with rows a page behind all that the list says it holds ends the pass; right behind the last row it does not."""
    scan = take(AGAIN, 399, 50, 300)
    assert scan is not None
    assert scan.passes == 1
    scan = take(AGAIN, 400, 50, 300, news=1)
    assert scan is not None
    assert (scan.passes, scan.offset) == (2, 0)


def test_without_a_total_the_runs_bound_ends_a_pass() -> None:
    """Rows behind twice the calls that the run counts by, and some, are no rows of this list; without a bound it goes on."""
    bound = Bound(stored=50)
    beyond = 2 * 50 + FREE_CALLS + PAGE_LIMIT
    for offset, passes in ((beyond - 1, 1), (beyond, 2)):
        scan = take(AGAIN, offset, 50, None, news=1, bound=bound)
        assert scan is not None
        assert scan.passes == passes
    free = take(AGAIN, 10 * beyond, 50, None, news=1)
    assert free is not None
    assert free.passes == 1


def test_a_page_that_fails_is_stepped_over() -> None:
    """Half a page further each time; forty in a row end the passes."""
    scan: FullScan | None = FullScan()
    for number in range(1, MOST_IN_A_ROW):
        assert scan is not None
        scan = fail(scan)
        assert scan is not None
        assert (scan.offset, scan.failures) == (number * PAGE_LIMIT // 2, number)
    assert scan is not None
    assert fail(scan) is None
