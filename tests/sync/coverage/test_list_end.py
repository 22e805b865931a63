"""Where the list ends, and when its end is not believed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.store.doubts import Doubt
from replicator.sync.coverage.ledger import BEGINNING, END, HEAD_MARGIN, TICK, Interval, Piece
from replicator.sync.coverage.list_end import (
    END_PATIENCE,
    MOST_EMPTY,
    MOST_GAPS,
    ROUND_CALLS,
    at_the_end,
    check_the_end,
    looks_last,
    without_rows,
)
from replicator.sync.coverage.page import PAGE_LIMIT, Lane
from replicator.sync.coverage.walk import CheckingEnd, Jumping, Walk
from tests.sync.coverage.fix_walking import walk_through
from tests.sync.fix_values import NOW, at, seen

if TYPE_CHECKING:
    from datetime import datetime

pytestmark = pytest.mark.pure

WALK = Walk(Lane.BACKFILL, Interval(BEGINNING, at(0)), 300)
HEAD = Walk(Lane.FRESH, Interval(BEGINNING, END), 0)
EMPTY = seen([], 0, 0)


def ended(total: int | None, oldest_known: datetime | None = None, **walk: object) -> tuple[Piece, ...]:
    """Return what is said of the list's end once nothing was found behind a last page that shows two calls."""
    last = seen([at(-1), at(-2)], 298, total)
    checking = replace(WALK, mode=CheckingEnd(last), **walk)  # type: ignore[arg-type]
    return at_the_end(checking, seen([], 300, total), oldest_known).pieces


@settings(max_examples=10)
@given(st.integers(1, 230), st.integers(1, 9))
def test_a_list_that_stands_still_is_proven_to_its_end(calls: int, tie: int) -> None:
    """However long it is, and whatever its ties, everything from the beginning of time to its newest call is proven."""
    ledger = walk_through(calls, tie=tie).ledger
    assert [piece.is_proven for piece in ledger.pieces] == [True]
    assert ledger.pieces[0].since == BEGINNING


@pytest.mark.parametrize("calls", [ROUND_CALLS, 2 * ROUND_CALLS])
def test_a_list_that_ends_at_a_round_number_is_not_believed(calls: int) -> None:
    """500 or 1,000 calls may be a cap: all that was shown is proven, and what lies behind is unsure for that reason."""
    done = walk_through(calls)
    assert (done.ledger.pieces[0].since, done.ledger.pieces[0].reason) == (BEGINNING, Doubt.ROUND)
    assert [piece.is_proven for piece in done.ledger.pieces[1:]] == [True]


def test_the_total_says_which_page_is_the_last() -> None:
    """A page that ends at the total, or behind it, is the last one; one that ends a row before it is not."""
    rows = [at(-1), at(-2)]
    assert looks_last(seen(rows, 298, 300), WALK)
    assert looks_last(seen(rows, 298, 299), WALK)
    assert not looks_last(seen(rows, 298, 301), WALK)


def test_without_a_total_the_last_page_is_the_one_that_brings_nothing_older() -> None:
    """Its oldest row is the oldest that was shown before; or the top is known to lie no further down than the page."""
    assert looks_last(seen([at(1), at(0) - TICK], 298), WALK)
    assert not looks_last(seen([at(1), at(-1)], 298), WALK)
    assert looks_last(seen([at(1), at(-1)], 298), replace(WALK, high=303))
    assert not looks_last(seen([at(1), at(-1)], 298), replace(WALK, high=304))


def test_each_check_of_the_end_looks_a_little_further() -> None:
    """Behind the last page are asked the rows at 0, 1, 4, 9 … places from it, and then the end is declared unsure."""
    last, walk, offsets = seen([at(-1)], 299, 300), WALK, []
    while True:
        outcome = check_the_end(walk, last, ())
        if outcome.walk is None:
            break
        walk = outcome.walk
        assert walk.ending == last
        offsets.append(walk.offset)
    assert offsets == [300 + number**2 for number in range(END_PATIENCE + 1)]
    assert outcome.pieces == (Piece(BEGINNING, at(0), NOW, is_proven=False, reason=Doubt.END),)


def test_of_a_hole_without_a_top_nothing_is_said() -> None:
    """Where the whole list could not be read, no doubt is recorded up to the end of time."""
    outcome = check_the_end(replace(HEAD, endings=END_PATIENCE + 1), seen([at(-1)], 0, 300), ())
    assert (outcome.walk, outcome.pieces) == (None, ())


def test_an_end_with_nothing_behind_it_is_proven() -> None:
    """From the beginning of time to the first row of the last page, as of the look at that page."""
    assert ended(300) == (Piece(BEGINNING, at(-1), NOW),)


@pytest.mark.parametrize(
    ("total", "oldest", "reason"),
    [
        (300, at(-3), Doubt.CAPPED),
        (None, None, Doubt.NO_TOTAL),
        (None, at(-3), Doubt.NO_TOTAL),
        (500, None, Doubt.ROUND),
        (1000, at(-2), Doubt.ROUND),
        (500, at(-3), Doubt.CAPPED),
    ],
)
def test_an_end_that_is_not_believed_says_why(total: int | None, oldest: datetime | None, reason: Doubt) -> None:
    """Older calls are stored; the list has no total; or it has a multiple of 500: the stretch is unsure for that reason."""
    (piece,) = ended(total, oldest)
    assert (piece.is_proven, piece.reason, piece.since, piece.until) == (False, reason, BEGINNING, at(-1))


def test_a_call_at_the_very_end_of_the_list_is_not_beyond_it() -> None:
    """The oldest stored call is the oldest of the list: nothing is doubted."""
    assert [piece.is_proven for piece in ended(300, at(-2))] == [True]


@pytest.mark.parametrize("total", [499, 501, 0])
def test_other_numbers_are_not_round(total: int) -> None:
    """499, 501 and no call at all are no multiples of 500 that a storage layer would cap at."""
    assert [piece.is_proven for piece in ended(total)] == [True]


def test_a_slice_of_500_is_believed() -> None:
    """Of a list that is read through a filter a round number says nothing: the whole list's total is what is compared."""
    assert [piece.is_proven for piece in ended(500, filter=(("status", "busy"),))] == [True]


def test_an_empty_list_proves_that_there_are_no_calls() -> None:
    """With a total of 0 one look is enough; it is believed up to a margin before the server's clock."""
    outcome = without_rows(HEAD, EMPTY, None)
    assert (outcome.walk, outcome.pieces) == (None, (Piece(BEGINNING, NOW - HEAD_MARGIN, NOW),))


def test_an_empty_list_is_not_believed_where_calls_are_stored() -> None:
    """The source shows nothing, but a call is known: everything is unsure, and nothing is proven."""
    (piece,) = without_rows(HEAD, EMPTY, at(-9)).pieces
    assert (piece.is_proven, piece.reason) == (False, Doubt.EMPTY_BUT_KNOWN)


def test_an_empty_list_without_a_clock_proves_nothing() -> None:
    """Nobody knows when it was empty."""
    outcome = without_rows(HEAD, replace(EMPTY, server_time=None), None)
    assert (outcome.walk, outcome.pieces) == (None, ())


def test_an_empty_list_without_a_total_is_looked_at_twice() -> None:
    """The first empty page is asked again; the second is the end."""
    once = without_rows(HEAD, seen([]), None)
    assert once.walk is not None
    assert (once.walk.offset, once.pieces) == (0, ())
    assert without_rows(once.walk, seen([]), None).walk is None


def test_an_empty_page_before_the_total_is_no_end() -> None:
    """A total of 300 says that rows are there: an empty page at the head is asked again, and proves nothing."""
    outcome = without_rows(HEAD, seen([], 0, 300), None)
    assert outcome.walk is None or outcome.walk.offset == 0
    walk = replace(HEAD, total=300)
    again = without_rows(walk, seen([], 0, 300), None)
    assert (again.pieces, again.walk is not None) == ((), True)


def test_a_page_too_deep_searches_further_up() -> None:
    """An empty page behind the total, while nothing was checked: the list has become shorter, and its end is aimed at."""
    outcome = without_rows(replace(WALK, total=200), seen([], 300, 200), None)
    assert outcome.walk is not None
    assert outcome.walk.offset < 200
    assert (outcome.walk.high, outcome.pieces) == (200, ())


def test_a_page_of_rows_that_cannot_be_read_is_asked_again_and_then_stepped_over() -> None:
    """Three such pages one after the other; then the walk jumps behind them, and what lies between will be unsure."""
    walk, unread = replace(WALK, total=900), seen([None] * 80, 300, 900)
    for _ in range(MOST_EMPTY - 1):
        left = without_rows(walk, unread, None).walk
        assert left is not None
        assert left.offset == 300
        walk = left
    left = without_rows(walk, unread, None).walk
    assert left is not None
    assert (left.offset, left.mode, left.empties, left.gaps) == (380, Jumping(Doubt.NO_ROWS), 0, 0)


def test_a_list_that_shows_nothing_where_its_total_says_that_rows_are_is_given_up() -> None:
    """Three stretches without any row are stepped over, half a page each; then what is left of the hole is unsure."""
    walk, total, requests, offsets = replace(WALK, total=5000), 5000, 0, set()
    while True:
        requests += 1
        outcome = without_rows(walk, seen([], walk.offset, total), None)
        if outcome.walk is None:
            break
        walk = outcome.walk
        offsets.add(walk.offset)
    assert requests == MOST_EMPTY * MOST_GAPS
    assert offsets == {300, 300 + PAGE_LIMIT // 2, 300 + PAGE_LIMIT}
    assert outcome.pieces == (Piece(BEGINNING, at(0), NOW, is_proven=False, reason=Doubt.END),)


def test_a_last_row_that_cannot_be_read_leaves_the_end_unsure() -> None:
    """Behind the row that was stepped over nothing is listed: the row itself is the oldest, and was never seen."""
    walk = replace(WALK, barrier=299, total=300)
    (piece,) = without_rows(walk, seen([], 300, 300), None).pieces
    assert (piece.is_proven, piece.reason) == (False, Doubt.END)


def test_an_end_below_the_hole_says_nothing_of_it() -> None:
    """Where the hole does not reach the last page's rows, an end that is not believed leaves no doubt in it."""
    newer = Interval(at(-1), at(0))
    assert ended(None, hole=newer) == ()
