"""How a walk aims: where it begins, how it finds the top of its hole, and what it leaves behind when it jumps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.store.doubts import Doubt
from replicator.sync.coverage.ledger import BEGINNING, END, HEAD_MARGIN, TICK, Interval, Piece
from replicator.sync.coverage.page import PAGE_LIMIT, Lane
from replicator.sync.coverage.walk import (
    MOST_JUMPS,
    NARROW_PATIENCE,
    READING,
    SEEK_PATIENCE,
    SLACK,
    CheckingEnd,
    Convicting,
    Jumping,
    Walk,
    after,
    land,
    lowered,
    search,
    start,
    within,
)
from tests.sync.coverage.fix_walking import walk_through
from tests.sync.fix_values import NOW, at, seen

pytestmark = pytest.mark.pure

WALK = Walk(Lane.BACKFILL, Interval(BEGINNING, at(0)), 300)


@settings(max_examples=12)
@given(st.integers(0, 260), st.integers(1, 40), st.integers(0, 300), st.sampled_from([PAGE_LIMIT, 60]))
def test_a_walk_shows_every_row_wherever_it_begins(calls: int, tie: int, offset: int, most_rows: int) -> None:
    """Over a list that stands still, from any offset, with ties and short pages, no row is skipped and no hole is left."""
    done = walk_through(calls, tie=tie, offset=offset, most_rows=most_rows)
    assert done.shown == set(range(calls))
    if calls:
        assert not done.ledger.holes(Interval(BEGINNING, done.created[0]))


def test_a_walk_begins_a_little_above_its_hole() -> None:
    """It is aimed by the calls that are stored above, never below offset 0, and at 0 where the hole has no top."""
    assert start(Lane.BACKFILL, Interval(BEGINNING, NOW), newer_calls=100).offset == 100 - 1 - SLACK
    assert start(Lane.BACKFILL, Interval(BEGINNING, NOW), newer_calls=0).offset == 0
    assert start(Lane.FRESH, Interval(NOW, END), newer_calls=50).offset == 0


def test_a_single_instant_is_put_in_the_middle_of_the_page() -> None:
    """A walk for one call's instant leaves half a page above it, for whatever order its ties have."""
    assert start(Lane.ACTIVE, Interval(NOW, NOW + TICK), newer_calls=100).offset == 100 - PAGE_LIMIT // 2


def test_a_walk_moves_with_the_list() -> None:
    """After 7 calls were created all offsets and ranks are 7 larger; what is not known stays so."""
    walk = replace(WALK, total=1000, low=250, high=400, barrier=280, read_to=310, wall=320)
    moved = walk.moved(1007)
    assert (moved.offset, moved.low, moved.high, moved.total) == (307, 257, 407, 1007)
    assert (moved.barrier, moved.read_to, moved.wall) == (287, 317, 327)
    assert replace(WALK, total=1000).moved(1007).low is None


def test_a_walk_does_not_move_where_that_means_nothing() -> None:
    """Without a total, at the head, and while the list's end is checked, a walk stays where it is."""
    for walk in (WALK, replace(WALK, total=5, offset=0), replace(WALK, total=5, mode=CheckingEnd(seen([NOW])))):
        assert walk.moved(900) is walk
    assert replace(WALK, total=5).moved(None).offset == 300


def test_a_list_that_shrinks_moves_no_walk_above_its_head() -> None:
    """An offset is never negative, however many calls were deleted."""
    assert replace(WALK, total=1000).moved(10).offset == 0


def test_the_top_only_sinks() -> None:
    """A top that is not lower than the present one changes nothing; a lower one forgets what was known of the old one."""
    walk = replace(WALK, low=5, high=9, stuck=3, endings=2, stride=8)
    assert lowered(walk, at(0)) is walk
    assert lowered(walk, at(1)) is walk
    sunk = lowered(walk, at(-5))
    assert sunk.hole == Interval(BEGINNING, at(-5))
    assert (sunk.low, sunk.high, sunk.stuck, sunk.endings, sunk.stride) == (None, None, 0, 0, 0)


def test_what_was_jumped_over_is_unsure_for_its_reason() -> None:
    """Between the hole's top and the first row of the page behind a jump nothing is proven."""
    walk, pieces = land(replace(WALK, mode=Jumping(Doubt.NO_ROWS)), seen([at(-9)], 350), at(-9))
    assert pieces == (Piece(at(-9), at(0), NOW, is_proven=False, reason=Doubt.NO_ROWS),)
    assert (walk.hole.until, walk.jumps, walk.mode) == (at(-9), 1, READING)


def test_a_page_without_a_jump_leaves_nothing_behind() -> None:
    """A walk that reads lands nowhere, and a jump that ends above the hole's top has jumped over nothing."""
    assert land(WALK, seen([at(-9)], 350), at(-9)) == (WALK, ())
    assert land(replace(WALK, mode=Jumping(Doubt.LOST)), seen([at(3)], 350), at(3))[1] == ()


def test_the_newest_row_that_cannot_be_read_is_unsure_up_to_the_servers_clock() -> None:
    """Where the first row of the whole list was stepped over, the doubt ends a margin before the server's clock, not at the end
    of time; without the server's clock nothing is said.
    """
    walk = Walk(Lane.FRESH, Interval(at(-60), END), 1, mode=Jumping(Doubt.UNREADABLE), barrier=0)
    (piece,) = land(walk, seen([at(-30)], 1), at(-30))[1]
    assert (piece.since, piece.until, piece.is_proven) == (at(-30), NOW - HEAD_MARGIN, False)
    assert land(walk, seen([at(-30)], 1, server_time=None), at(-30))[1] == ()


def test_a_search_bisects_between_what_is_known() -> None:
    """With bounds on both sides the next page begins right above their middle; a bound that contradicts the answer goes."""
    found = search(replace(WALK, high=500), seen([at(5)] * 100, 200), low=300)
    assert (found.low, found.high, found.offset, found.stuck) == (300, 500, 400 - 1 - SLACK, 1)
    found = search(replace(WALK, high=250), seen([at(5)] * 100, 200), low=300)
    assert (found.low, found.high) == (300, None)
    found = search(replace(WALK, low=350), seen([at(-5)], 300), high=300)
    assert (found.low, found.high) == (None, 300)


def test_a_search_gallops_where_one_side_is_open() -> None:
    """Each answer on the same side doubles the step, in both directions."""
    walk, steps = WALK, []
    for _ in range(4):
        walk = search(walk, seen([at(5)] * 100, walk.offset), low=walk.offset + 100)
        steps.append(walk.stride)
    assert steps == [100, 200, 400, 800]
    walk, steps = replace(WALK, offset=5000), []
    for _ in range(3):
        walk = search(walk, seen([at(-5)], walk.offset), high=walk.offset)
        steps.append(walk.stride)
    assert steps == [4, 8, 16]


def test_a_search_never_asks_for_the_same_page_again() -> None:
    """A page that lay wholly above the top is followed by one that begins at least a row further down."""
    walk = replace(WALK, high=302)
    assert search(walk, seen([at(5)], 300), low=301).offset >= 301


def test_near_the_end_of_the_list_half_a_page_is_left() -> None:
    """An offset beyond it is drawn back; without a total nobody knows where the end is."""
    assert within(replace(WALK, total=200), 190) == 150
    assert within(replace(WALK, total=200), 100) == 100
    assert within(replace(WALK, total=10), 100) == 0
    assert within(WALK, 190) == 190


def test_a_walk_that_jumps_too_often_makes_the_list_unsorted() -> None:
    """One jump fewer than that is no reason to give a walk up."""
    assert not after((), replace(WALK, jumps=MOST_JUMPS - 1)).is_unsorted
    assert after((), replace(WALK, jumps=MOST_JUMPS)).is_unsorted


def test_a_top_is_lost_sooner_where_pages_are_small() -> None:
    """After so many answers in a row that did not shrink the hole; fewer where a page has failed."""
    assert not replace(WALK, stuck=SEEK_PATIENCE - 1).is_lost
    assert replace(WALK, stuck=SEEK_PATIENCE).is_lost
    assert not replace(WALK, stuck=NARROW_PATIENCE - 1, has_failed=True).is_lost
    assert replace(WALK, stuck=NARROW_PATIENCE, has_failed=True).is_lost


def test_a_suspect_does_not_make_a_walk_forget_what_it_did() -> None:
    """While a row is suspected, the page that looked like the last one is still known; any other answer ends that check."""
    last = seen([at(-3)], 99, 100)
    walk = replace(WALK, mode=Convicting(99, CheckingEnd(last)))
    assert (walk.ending, walk.suspect, walk.is_alive) == (last, 99, False)
    assert replace(WALK, mode=CheckingEnd(last)).no_longer_checking().mode == READING
    assert WALK.no_longer_checking() is WALK
