"""How a page that fails is narrowed down to the row that is at fault, and nothing else is left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.store.doubts import Doubt
from replicator.sync.coverage.advance import advance
from replicator.sync.coverage.ledger import BEGINNING, Interval
from replicator.sync.coverage.narrowing import MOST_PROBES, extended, fail
from replicator.sync.coverage.page import PAGE_LIMIT, Lane
from replicator.sync.coverage.walk import READING, Convicting, Jumping, Walk
from tests.sync.coverage.fix_walking import NOW, walk_through
from tests.sync.fix_values import seen

pytestmark = pytest.mark.pure

WALK = Walk(Lane.BACKFILL, Interval(BEGINNING, NOW), 700)


def failed(walk: Walk) -> Walk:
    outcome = fail(walk)
    assert outcome.walk is not None
    assert outcome.pieces == ()
    return outcome.walk


def test_many_rows_that_cannot_be_read_make_no_list_unsorted() -> None:
    """Each of fifty rows is left out alone; all that lies between is proven, and the walk comes to the list's end."""
    poisoned = set(range(10, 2010, 40))
    done = walk_through(2020, poisoned)
    unsure = [piece for piece in done.ledger.pieces if not piece.is_proven]
    assert len(unsure) == len(poisoned)
    assert {piece.reason for piece in unsure} == {Doubt.UNREADABLE}
    assert not done.ledger.holes(Interval(BEGINNING, NOW - timedelta(minutes=1)))
    assert done.requests <= 35 * len(poisoned)


def test_a_row_that_cannot_be_read_beside_ties() -> None:
    """Wherever it stands among calls of one instant, the walk ends, and only what lies beside it is unsure."""
    for tie in (2, 3, 7):
        for row in range(40, 40 + 2 * tie):
            unsure = [piece for piece in walk_through(200, {row}, tie=tie).ledger.pieces if not piece.is_proven]
            assert 1 <= len(unsure) <= 2, (tie, row)
            assert sum((piece.until - piece.since for piece in unsure), timedelta()) <= timedelta(minutes=3), (tie, row)


@settings(max_examples=15)
@given(st.integers(1, 130), st.sets(st.integers(0, 129), max_size=4))
def test_no_other_row_is_left_out(calls: int, poisoned: set[int]) -> None:
    """Whichever rows cannot be read, every other row is shown, and no instant of an unreadable row is called proven."""
    done = walk_through(calls, poisoned)
    assert done.shown == set(range(calls)) - poisoned
    for row in poisoned & set(range(calls)):
        piece = done.ledger.at(done.created[row])
        assert piece is None or not piece.is_proven


def test_a_page_that_fails_is_halved_to_one_row() -> None:
    """Failures of the page from one place, one after the other, ask for 50, 25, 12, 6, 3 and 1 row, and then for the row behind."""
    limits, walk = [], WALK
    for _ in range(6):
        walk = failed(walk)
        limits.append(walk.limit)
        assert (walk.offset, walk.has_failed) == (700, True)
    assert limits == [50, 25, 12, 6, 3, 1]
    assert walk.wall == 703
    assert (failed(walk).offset, failed(walk).mode) == (701, Convicting(700, READING))


def test_between_an_answered_page_and_a_failed_one_the_middle_is_asked() -> None:
    """Where 20 rows from a place were answered and 40 were not, 30 are asked for from the same place."""
    walk = failed(replace(WALK, limit=40, read_to=720))
    assert (walk.offset, walk.limit) == (700, 30)


def test_a_row_is_stepped_over_only_beside_a_row_that_is_answered() -> None:
    """The row fails, the row behind it is answered, the row fails once more: then, and only then, the walk jumps over it."""
    asked = failed(replace(WALK, limit=1))
    alive = advance(asked, seen([NOW - timedelta(days=1)], 701, 2000), oldest_known=None).walk
    assert alive is not None
    assert (alive.offset, alive.limit, alive.is_alive, alive.suspect) == (700, 1, True, 700)
    over = failed(alive)
    assert over.mode == Jumping(Doubt.UNREADABLE)
    assert (over.barrier, over.offset, over.limit) == (700, 701, PAGE_LIMIT)


def test_a_list_that_has_moved_convicts_no_row() -> None:
    """A row went above while a sign of life was waited for, and the request behind the suspect falls on its place: that it fails
    is no second failure of the same row, and nothing is stepped over.
    """
    asked = failed(replace(WALK, limit=1, total=2000)).moved(1999)
    assert (asked.offset, asked.suspect) == (700, 700)
    again = failed(asked)
    assert (again.offset, again.suspect, again.barrier) == (701, 700, None)


def test_a_suspect_that_answers_after_all_is_no_suspect() -> None:
    """A row that fails once and is answered when it is asked again is read, and nothing is jumped over."""
    asked = replace(WALK, limit=1, mode=Convicting(700, READING, is_alive=True))
    outcome = advance(asked, seen([NOW - timedelta(days=1)], 700, 2000), oldest_known=None)
    assert outcome.walk is not None
    assert outcome.walk.mode == READING
    assert outcome.pieces == ()


def test_a_source_that_fails_altogether_convicts_nobody() -> None:
    """However long every request fails, no row is stepped over: the row and the four behind it are asked in turn."""
    walk, offsets = replace(WALK, limit=1), []
    for _ in range(3 * (MOST_PROBES + 1)):
        walk = failed(walk)
        offsets.append(walk.offset)
        assert not isinstance(walk.mode, Jumping)
        assert walk.barrier is None
    assert set(offsets) == set(range(700, 701 + MOST_PROBES))
    assert walk.failures == 3 * (MOST_PROBES + 1)


def test_a_page_is_extended_only_where_one_was_answered() -> None:
    """Without an answered page the walk stays as it is; behind one, the next row is asked for alone where the wall is there."""
    assert extended(WALK) is WALK
    beside = extended(replace(WALK, read_to=720, wall=721))
    assert (beside.offset, beside.limit) == (720, 1)
    free = extended(replace(WALK, read_to=720))
    assert (free.offset, free.limit) == (700, 40)
    assert extended(replace(WALK, read_to=780)).limit == PAGE_LIMIT
