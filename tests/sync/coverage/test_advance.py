"""What an answer does to a walk: what it proves, and where the next page is aimed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.store.doubts import Doubt
from replicator.sync.coverage.advance import CALM_PAGES, MOST_LONELY, MOST_SLACK, TIE_PATIENCE, advance
from replicator.sync.coverage.ledger import BEGINNING, END, HEAD_MARGIN, TICK, Interval, Piece
from replicator.sync.coverage.page import PAGE_LIMIT, Lane
from replicator.sync.coverage.walk import SEEK_PATIENCE, Advance, CheckingEnd, Convicting, Jumping, Walk
from tests.sync.coverage.fix_walking import NOW as LISTED_AT
from tests.sync.coverage.fix_walking import walk_through
from tests.sync.fix_values import NOW, at, seen

pytestmark = pytest.mark.pure

WALK = Walk(Lane.BACKFILL, Interval(BEGINNING, at(0)), 300, total=5000)


def falling(first: int, rows: int, offset: int, total: int | None = 5000) -> Advance:
    """Let the walk take a page whose rows were created a minute apart, the first so many minutes after NOW."""
    return advance(WALK, seen([at(first - row) for row in range(rows)], offset, total), oldest_known=None)


def left(outcome: Advance) -> Walk:
    assert outcome.walk is not None
    assert not outcome.is_unsorted
    return outcome.walk


def test_a_page_that_spans_the_top_closes_it() -> None:
    """It begins above the hole's top and ends below it: all between its first and last row is proven, and the top sinks there."""
    outcome = falling(1, 100, 300)
    assert outcome.pieces == (Piece(at(-98) + TICK, at(1), NOW),)
    walk = left(outcome)
    assert walk.hole == Interval(BEGINNING, at(-98) + TICK)
    assert walk.offset == 399 - 1  # one row strictly newer than the top, and the last row once more


def test_nothing_is_claimed_of_the_instants_of_a_pages_first_and_last_row() -> None:
    """Calls of those instants may stand on the neighbouring pages."""
    (piece,) = falling(1, 10, 300).pieces
    assert piece.since == at(-8) + TICK
    assert piece.until == at(1)


def test_a_page_below_the_top_is_followed_by_one_further_up() -> None:
    """Between the top and its first row there may be calls that were not seen: the top stays, and is searched for above."""
    walk = left(falling(-5, 100, 300))
    assert walk.hole == WALK.hole
    assert walk.offset < 300
    assert (walk.high, walk.stuck) == (300, 1)


def test_a_page_above_the_top_is_followed_by_one_further_down() -> None:
    """All its rows are newer than the hole: the top is searched for behind it."""
    walk = left(falling(200, 100, 300))
    assert walk.hole == WALK.hole
    assert walk.offset > 300
    assert (walk.low, walk.stuck) == (400, 1)


@settings(max_examples=8)
@given(st.integers(1, 5), st.integers(2, 60), st.integers(1, 120))
def test_a_hole_closes_with_few_requests(tie: int, more: int, calls: int) -> None:
    """Where a page holds all calls of one instant and a newer and an older one, all is proven, in a request a row at most."""
    done = walk_through(calls, tie=tie, most_rows=tie + more)
    assert done.shown == set(range(calls))
    assert done.requests <= calls + 4
    assert all(piece.is_proven for piece in done.ledger.pieces)
    assert done.ledger.top <= LISTED_AT


def test_the_head_is_believed_up_to_a_margin_before_the_servers_clock() -> None:
    """A page at offset 0 proves that nothing newer was there, but for the last five seconds."""
    head = Walk(Lane.FRESH, Interval(at(-60), END), 0)
    outcome = advance(head, seen([at(-30), at(-61)], 0, 5000), oldest_known=None)
    assert outcome.pieces[0].until == NOW - HEAD_MARGIN
    assert outcome.pieces[0].since < at(-60)


def test_a_list_in_rising_order_is_not_walked() -> None:
    """A page whose rows rise, or are in no order, gives the walk up; equal instants do not."""
    for rows in ([at(-2), at(-1)], [at(-2), at(-1), at(-3)]):
        assert advance(WALK, seen(rows, 300, 5000), oldest_known=None).is_unsorted
    assert not advance(WALK, seen([at(-1), at(-1)], 300, 5000), oldest_known=None).is_unsorted


def test_pages_of_one_row_prove_nothing() -> None:
    """Four in a row where more were asked for and are there make the list one that cannot be walked; a last row is no such page."""
    walk = WALK
    for _ in range(MOST_LONELY - 1):
        walk = left(advance(walk, seen([at(-2)], walk.offset, 5000), oldest_known=None))
    assert walk.lonely == MOST_LONELY - 1
    assert advance(walk, seen([at(-2)], walk.offset, 5000), oldest_known=None).is_unsorted
    assert not advance(walk, seen([at(-2)], 4999, 5000), oldest_known=None).is_unsorted
    assert left(advance(walk, seen([at(1), at(-2)], 300, 5000), oldest_known=None)).lonely == 0


def test_a_tie_group_as_large_as_a_page_is_unsure_and_left_behind() -> None:
    """A full page of one instant, but for one newer row, cannot be proven: that instant alone is unsure, and the walk goes on below."""
    walk = replace(WALK, hole=Interval(BEGINNING, at(-1) + TICK))
    outcome = advance(walk, seen([at(0), *[at(-1)] * (PAGE_LIMIT - 1)], 300, 5000), oldest_known=None)
    assert outcome.pieces[-1] == Piece(at(-1), at(-1) + TICK, NOW, is_proven=False, reason=Doubt.TIE)
    assert left(outcome).hole.until == at(-1)
    assert left(outcome).offset > 300


def test_a_short_page_inside_a_tie_group_is_asked_again() -> None:
    """A server that sends short pages gets six more tries before the group is called unsure."""
    walk, page = replace(WALK, hole=Interval(BEGINNING, at(-1) + TICK)), seen([at(0), *[at(-1)] * 40], 300, 5000)
    for _ in range(TIE_PATIENCE):
        outcome = advance(walk, page, oldest_known=None)
        assert all(piece.is_proven for piece in outcome.pieces)
        walk = left(outcome)
    assert advance(walk, page, oldest_known=None).pieces[-1].reason == Doubt.TIE


def test_a_tie_group_at_the_end_of_a_page_is_aimed_at() -> None:
    """A page that ends inside the group, with newer rows before it, is followed by one that begins right above the group."""
    walk = replace(WALK, hole=Interval(BEGINNING, at(-1) + TICK))
    page = seen([at(3), at(2), at(1), at(0), *[at(-1)] * 60], 300, 5000)
    outcome = advance(walk, page, oldest_known=None)
    assert left(outcome).offset == 303
    assert [piece.reason for piece in outcome.pieces] == [None]


def test_a_page_grows_again_after_it_was_narrowed_down() -> None:
    """Each answered page doubles what the next one asks for, up to a hundred rows."""
    walk = replace(WALK, limit=30, has_failed=True)
    walk = left(advance(walk, seen([at(1), at(-1)], 300, 5000), oldest_known=None))
    assert (walk.limit, walk.has_failed) == (60, True)
    walk = left(advance(walk, seen([at(0), at(-2)], 301, 5000), oldest_known=None))
    assert (walk.limit, walk.failures) == (PAGE_LIMIT, 0)


def test_no_page_begins_at_a_row_that_was_stepped_over() -> None:
    """Wherever the next page would be aimed, it begins right behind that row."""
    walk = replace(WALK, barrier=300, offset=301, limit=1)
    outcome = advance(walk, seen([at(-5)], 301, 5000), oldest_known=None)
    assert left(outcome).offset > 300
    assert [(piece.reason, piece.since, piece.until) for piece in outcome.pieces if not piece.is_proven] == [
        (Doubt.UNREADABLE, at(-5), at(0))
    ]


def test_a_search_does_not_go_back_above_a_row_that_was_stepped_over() -> None:
    """It would begin a few rows further up, and its page would fail at that row again: it begins right behind it."""
    walk = replace(WALK, barrier=404, offset=406)
    page = seen([at(-5), at(-6)], 406, 5000)
    assert left(advance(replace(walk, barrier=None), page, oldest_known=None)).offset == 402
    assert left(advance(walk, page, oldest_known=None)).offset == 405


def test_a_row_behind_a_suspect_is_a_sign_of_life_and_nothing_else() -> None:
    """It proves nothing, moves no top, and the suspect is asked for once more."""
    walk = replace(WALK, offset=301, limit=1, mode=Convicting(300, WALK.mode))
    outcome = advance(walk, seen([at(-5)], 301, 5000), oldest_known=None)
    assert outcome.pieces == ()
    assert (left(outcome).offset, left(outcome).hole, left(outcome).is_alive) == (300, WALK.hole, True)


def test_a_top_that_is_not_found_is_left_unsure() -> None:
    """After 48 answers that did not shrink the hole the walk jumps, and what lies above the next page is unsure."""
    walk = replace(WALK, stuck=SEEK_PATIENCE)
    walk = left(advance(walk, seen([at(-5), at(-6)], 300, 5000), oldest_known=None))
    assert walk.mode == Jumping(Doubt.LOST)
    outcome = advance(walk, seen([at(-5), at(-6)], 300, 5000), oldest_known=None)
    assert Piece(at(-5), at(0), NOW, is_proven=False, reason=Doubt.LOST) in outcome.pieces


def test_the_last_page_is_checked_before_it_is_believed() -> None:
    """A page that reaches the total asks for what lies behind it; nothing is proven downwards before that is answered."""
    outcome = falling(1, 100, 4900)
    walk = left(outcome)
    assert isinstance(walk.mode, CheckingEnd)
    assert walk.offset == 5000
    assert all(piece.since > BEGINNING for piece in outcome.pieces)
    end = advance(walk, seen([], 5000, 5000 - 1), oldest_known=None)
    assert end.walk is None
    assert end.pieces[0].since == BEGINNING


def test_rows_that_come_behind_the_last_page_end_the_check() -> None:
    """The list has grown meanwhile: the walk reads on, and what looked like the end is none."""
    walk = left(falling(1, 100, 4900))
    outcome = advance(walk, seen([at(-99), at(-100)], 5000, 5100), oldest_known=None)
    assert not isinstance(left(outcome).mode, CheckingEnd)
    assert all(piece.since > BEGINNING for piece in outcome.pieces)


def test_slack_follows_what_the_list_loses() -> None:
    """Rows that vanish above make the next pages overlap more, never beyond 24 rows; twenty calm pages take one row off."""
    lost = replace(WALK, slack=2, stuck=1)
    assert left(advance(lost, seen([at(1), at(-9)], 300, 5000), oldest_known=None)).slack == 5
    most = replace(WALK, slack=MOST_SLACK, stuck=1)
    assert left(advance(most, seen([at(1), at(-9)], 300, 5000), oldest_known=None)).slack == MOST_SLACK
    calm = replace(WALK, slack=2, calm=CALM_PAGES)
    quiet = left(advance(calm, seen([at(4), at(3), at(2), at(1), at(-9)], 300, 5000), oldest_known=None))
    assert (quiet.slack, quiet.calm) == (1, 0)


def test_the_total_is_remembered_where_an_answer_says_none() -> None:
    """An answer without a total leaves the last one in force; one with a total replaces it."""
    assert left(falling(1, 100, 300, None)).total == 5000
    assert left(falling(1, 100, 300, 5010)).total == 5010
