"""What an answer makes of the planner's state: what is proven by it, and what goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicator.store.doubts import Doubt
from replicator.sync.coverage.filters import BEFORE
from replicator.sync.coverage.full_scan import SCAN_EVERY, FullScan
from replicator.sync.coverage.ledger import BEGINNING, HEAD_MARGIN, TICK, Interval, Ledger, Piece
from replicator.sync.coverage.narrowing import MOST_IN_A_ROW
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.partitions import begin
from replicator.sync.coverage.walk import Walk
from replicator.sync.deletions import bisect
from replicator.sync.engine.answers import LEFT_FOR, absorb_failure, absorb_page, absorb_search, absorb_slice
from replicator.sync.engine.planner import head_walk
from replicator.sync.engine.state import Absorbed, Comparison, State
from tests.sync.fix_values import NOW, at, seen

pytestmark = pytest.mark.pure

NOTHING: frozenset[str] = frozenset()
WHOLE = Ledger((Piece(BEGINNING, at(-60), at(-60)),))
STATE = State(WHOLE)
WALK = Walk(Lane.BACKFILL, Interval(BEGINNING, at(0)), 300, total=5000)
NEW = State(Ledger((Piece(at(0), at(9), NOW),)), walks={Lane.BACKFILL: WALK})


def head(state: State, rows: list[float], total: int | None = 5000, known: float | None = None) -> Absorbed:
    """Let the state take the first page of the list, with rows created so many minutes after NOW."""
    page = seen([at(one) for one in rows], 0, total)
    return absorb_page(
        state, head_walk(state), page, is_head=True, oldest_known=None if known is None else at(known), news=0
    )


def test_a_head_that_reaches_what_is_covered_leaves_nothing_to_walk() -> None:
    """The first page ends below the covered stretch: all up to a margin before now is proven."""
    absorbed = head(STATE, [-1, -30, -61])
    assert absorbed.state.walks == {}
    assert absorbed.state.ledger.top == NOW - HEAD_MARGIN
    assert absorbed.pieces[0].is_proven


def test_a_head_that_does_not_reach_it_leaves_a_walk() -> None:
    """What lies between is caught up with; at a first run that is history, of the backfill lane."""
    absorbed = head(STATE, [-1, -30])
    assert absorbed.state.walks[Lane.FRESH].hole == Interval(at(-60), at(-30) + TICK)
    absorbed = head(State(Ledger()), [-1, -30])
    assert absorbed.state.walks[Lane.BACKFILL].hole == Interval(BEGINNING, at(-30) + TICK)


def test_a_walk_under_way_is_not_replaced_by_the_head() -> None:
    """It only moves with the list: 10 calls more are 10 offsets further down."""
    busy = replace(STATE, walks={Lane.FRESH: replace(WALK, lane=Lane.FRESH)})
    walk = head(busy, [-1, -30], 5010).state.walks[Lane.FRESH]
    assert (walk.hole, walk.offset) == (WALK.hole, 310)


def test_an_account_that_looks_empty_is_unsure() -> None:
    """No call was ever seen: that there is none is said with its reason, and is forgotten when one is."""
    absorbed = head(State(Ledger()), [], 0)
    (piece,) = absorbed.pieces
    assert (piece.is_proven, piece.reason) == (False, Doubt.EMPTY)
    assert absorbed.state.ledger.pieces == (piece,)
    later = head(absorbed.state, [-1, -30], 2)
    assert all(one.reason != Doubt.EMPTY for one in later.state.ledger.pieces)
    assert later.state.ledger.at(at(-20)) is not None


def test_an_empty_list_of_an_account_with_calls_proves_nothing() -> None:
    """Calls are stored: that they are all gone is not believed."""
    absorbed = head(STATE, [], 0, known=-90)
    assert [piece.is_proven for piece in absorbed.pieces if piece.until > at(-60)] in ([], [False])


def test_a_walk_that_closes_its_hole_is_over() -> None:
    """Its lane is free, and what it proved is in the ledger."""
    hole = Interval(at(-9), at(0))
    state = State(Ledger((Piece(BEGINNING, at(-9), NOW), Piece(at(0), at(9), NOW))), walks={})
    asked = Walk(Lane.FRESH, hole, 300, total=5000)
    page = seen([at(1), at(-5), at(-10)], 300, 5000)
    absorbed = absorb_page(state, asked, page, is_head=False, oldest_known=None)
    assert absorbed.state.walks == {}
    assert not absorbed.state.ledger.holes(Interval(BEGINNING, at(9)))


def test_a_walk_that_goes_on_keeps_its_place() -> None:
    """The lane asks the next page of the same hole."""
    page = seen([at(1), at(-5)], 300, 5000)
    absorbed = absorb_page(NEW, WALK, page, is_head=False, oldest_known=None)
    assert absorbed.state.walks[Lane.BACKFILL].hole.until == at(-5) + TICK
    assert absorbed.state.ledger.at(at(-2)) is not None


def test_a_walk_whose_hole_another_one_closed_is_over() -> None:
    """Two lanes may have read the same: nothing is asked twice for that. A renewal reads what is covered, and goes on."""
    covered = State(WHOLE.record(Piece(at(-60), at(9), NOW)))
    page = seen([at(1), at(-5)], 300, 5000)
    assert absorb_page(covered, WALK, page, is_head=False, oldest_known=None).state.walks == {}
    renewal = replace(WALK, lane=Lane.RENEWAL)
    assert Lane.RENEWAL in absorb_page(covered, renewal, page, is_head=False, oldest_known=None).state.walks


def test_what_an_ended_walk_left_of_its_hole_is_unsure() -> None:
    """A list that shows nothing, and does not say when: else the hole would be walked again at once and for ever."""
    page = seen([], 0, 0, server_time=None)
    absorbed = absorb_page(NEW, replace(WALK, offset=0, total=0), page, is_head=False, oldest_known=None)
    assert absorbed.state.walks == {}
    assert absorbed.pieces == (Piece(BEGINNING, at(0), NOW, is_proven=False, reason=Doubt.NO_PROOF),)
    assert not absorbed.state.ledger.holes(Interval(BEGINNING, at(0)))


def test_a_list_in_no_order_is_read_as_a_whole() -> None:
    """Its walks are given up and a pass begins; not sooner than ten minutes after the last passes."""
    mixed = seen([at(-3), at(-1), at(-2)], 300, 5000)
    absorbed = absorb_page(NEW, WALK, mixed, is_head=False, oldest_known=None)
    assert (absorbed.state.scan, absorbed.state.walks) == (FullScan(started_at=NOW), {})
    early = replace(NEW, scanned_at=NOW - SCAN_EVERY + TICK)
    assert absorb_page(early, WALK, mixed, is_head=False, oldest_known=None).state.scan is None
    later = replace(NEW, scanned_at=NOW - SCAN_EVERY)
    assert absorb_page(later, WALK, mixed, is_head=False, oldest_known=None).state.scan is not None


def test_a_head_without_a_single_date_is_in_no_order() -> None:
    """Rows that say no created_at stand nowhere."""
    page = seen([None, None], 0, 2)
    absorbed = absorb_page(STATE, head_walk(STATE), page, is_head=True, oldest_known=None)
    assert absorbed.state.scan is not None


def test_a_pass_takes_all_pages_but_the_heads() -> None:
    """The head's page leaves the pass where it stands; any other page moves it, and the last one ends it."""
    state = replace(STATE, scan=FullScan(offset=100, passes=9))
    page = seen([at(-3), at(-1), at(-2)], 100, 5000)
    assert absorb_page(state, WALK, page, is_head=False, oldest_known=None).state.scan != state.scan
    assert head(state, [-1, -61]).state.scan == state.scan
    ended = absorb_page(state, WALK, seen([], 5000, 5000), is_head=False, oldest_known=None)
    assert (ended.state.scan, ended.state.scanned_at) == (None, NOW)


def test_rows_above_an_unreadable_one_are_counted_with_the_head() -> None:
    """Each new call pushes it one row further down."""
    assert head(replace(STATE, clear=40), [-1, -30, -61]).state.clear == 42


def test_a_page_that_fails_is_narrowed_down() -> None:
    """The lane goes on with half a page; nothing is proven."""
    absorbed = absorb_failure(NEW, WALK, NOW)
    assert absorbed.state.walks[Lane.BACKFILL].limit == 50
    assert (absorbed.pieces, absorbed.state.ledger) == ((), NEW.ledger)


def test_a_hole_in_which_page_after_page_fails_is_left_alone() -> None:
    """After forty failures in a row, for ten minutes; the other lanes go on."""
    asked = replace(WALK, failures=MOST_IN_A_ROW - 1)
    other = walk = Walk(Lane.RENEWAL, Interval(at(-9), at(-5)), 9)
    state = absorb_failure(replace(NEW, walks={Lane.BACKFILL: asked, Lane.RENEWAL: other}), asked, at(3)).state
    assert state.walks == {Lane.RENEWAL: walk}
    assert [(left.failed_at, left.until) for left in state.left.values()] == [(at(3), at(3) + LEFT_FOR)]
    assert state.left[at(0)].hole.until == at(0)
    once_less = absorb_failure(NEW, replace(asked, failures=MOST_IN_A_ROW - 2), at(3)).state
    assert (Lane.BACKFILL in once_less.walks, once_less.left) == (True, {})


def test_a_failed_page_of_a_pass_steps_over_it_or_ends_it() -> None:
    """The walks are not touched."""
    state = replace(NEW, scan=FullScan(offset=100))
    assert absorb_failure(state, WALK, NOW).state.scan == FullScan(offset=150, failures=1)
    last = replace(NEW, scan=FullScan(failures=MOST_IN_A_ROW - 1))
    assert absorb_failure(last, WALK, at(3)).state.scanned_at == at(3)


def test_a_failed_search_begins_again_another_time() -> None:
    """With the next look at the totals."""
    state = replace(STATE, search=bisect.begin(NOW, total=100, surplus=1))
    assert absorb_failure(state, replace(WALK, lane=Lane.SEARCH), NOW).state == replace(state, search=None)


@pytest.mark.parametrize("reason", [Doubt.TIE, Doubt.ROUND, None])
def test_a_slice_that_fails_ends_what_counts(reason: Doubt | None) -> None:
    """A tie stays unsure as of the last look, a list's end is tried again a day later, and what nobody doubted stays so."""
    slices = begin(Interval(BEGINNING, at(-90)), reason, 500, ["busy"], ["inbound"], [])
    state = replace(STATE, partitioning=slices, head_asked_at=at(-5))
    asked = replace(WALK, lane=Lane.SLICE)
    absorbed = absorb_failure(state, asked, NOW)
    if reason is not Doubt.TIE:
        # The filter by time was refused: the list is counted.
        assert absorbed.pieces == ()
        assert absorbed.state.partitioning is not None
        assert absorbed.state.partitioning.ask().filter == (("status", "busy"),)
        absorbed = absorb_failure(absorbed.state, asked, NOW)
    doubts = [(piece.verified_at, piece.reason) for piece in absorbed.pieces]
    assert doubts == {Doubt.TIE: [(at(-60), Doubt.SPLIT_TIE)], Doubt.ROUND: [(at(-60), Doubt.SLICED)], None: []}[reason]
    assert absorbed.state.partitioning is None
    assert absorbed.state.sliced_at == (None if reason is Doubt.TIE else at(-5))


def test_one_page_of_a_slice_below_the_list_proves_the_stretch() -> None:
    """The source honours the filter by time: its page begins above the stretch, and nothing follows."""
    hole = Interval(BEGINNING, at(-90))
    state = replace(STATE, partitioning=begin(hole, Doubt.ROUND, 500, ["busy"], [], []))
    below = absorb_slice(state, seen([at(-89), at(-90) - TICK, at(-95)], 0, 3), ignored=NOTHING, values=())
    assert below.pieces == (Piece(at(-95) + TICK, at(-90), NOW),)
    assert below.state.sliced_at is None
    ended = absorb_slice(below.state, seen([], 3, 3), ignored=NOTHING, values=())
    assert (ended.state.partitioning, ended.state.sliced_at, ended.state.capped_at) == (None, NOW, 500)
    assert ended.state.ledger.is_proven(hole)


def test_slices_that_add_up_prove_a_round_end() -> None:
    """The last of them ends the reading through filters, and its instant is remembered."""
    slices = begin(Interval(BEGINNING, at(-90)), Doubt.ROUND, 500, ["busy", "failed"], [], [])
    state = replace(STATE, partitioning=slices)
    state = absorb_slice(state, seen([at(-1)], 0, 500), ignored=frozenset({BEFORE}), values=()).state
    state = absorb_slice(state, seen([at(-1)], 0, 300), ignored=NOTHING, values=()).state
    absorbed = absorb_slice(state, seen([at(-1)], 0, 200), ignored=NOTHING, values=())
    assert absorbed.pieces == (Piece(BEGINNING, at(-90), NOW),)
    assert (absorbed.state.partitioning, absorbed.state.sliced_at) == (None, NOW)
    assert absorbed.state.ledger.is_proven(Interval(BEGINNING, at(-90)))


def test_slices_of_a_source_that_ignores_filters_prove_nothing() -> None:
    """The stretch stays unsure, for that reason."""
    state = replace(STATE, partitioning=begin(Interval(BEGINNING, at(-90)), Doubt.CAPPED, 500, ["busy"], [], []))
    page = seen([at(-1)], 0, 500)
    absorbed = absorb_slice(state, page, ignored=frozenset({BEFORE}), values=())
    absorbed = absorb_slice(absorbed.state, page, ignored=frozenset({"status"}), values=())
    assert [(piece.is_proven, piece.reason) for piece in absorbed.pieces] == [(False, Doubt.UNHONOURED)]


def test_a_late_answer_to_a_slice_or_a_search_changes_no_plan() -> None:
    """What is over stays over; what the page of a search proves counts all the same."""
    page = seen([at(-1), at(-5)], 300, 5000)
    assert absorb_slice(STATE, page, ignored=NOTHING, values=()) == Absorbed(STATE)
    absorbed = absorb_search(STATE, page, {})
    assert absorbed.pieces == (Piece(at(-5) + TICK, at(-1), NOW),)
    assert absorbed.state.search is None


def test_a_search_that_found_calls_beyond_the_end_makes_a_look_there_due() -> None:
    """A call is stored below the list's oldest row: what lies there is unsure once the search has seen that page twice."""
    state = replace(STATE, search=bisect.begin(NOW, total=2, surplus=1))
    page = seen([at(-1), at(-5)], 0, 2)
    once = absorb_search(state, page, {at(-1): 2, at(-5): 1})
    assert once.state.search is not None
    assert all(piece.is_proven for piece in once.pieces)
    twice = absorb_search(once.state, page, {at(-1): 2, at(-5): 1})
    assert twice.state.search is None
    assert twice.pieces[-1] == Piece(BEGINNING, at(-5), NOW, is_proven=False, reason=Doubt.BEYOND)


def test_a_search_out_of_patience_orders_a_whole_pass() -> None:
    """All that was compared before it began is due."""
    search = replace(bisect.begin(at(-7), total=5000, surplus=3), left=1)
    page = seen([at(-1), at(-5)], 300, 5000)
    absorbed = absorb_search(replace(STATE, search=search), page, dict.fromkeys(bisect.marks(page), 1))
    assert absorbed.state.comparison == Comparison(at(-7))
