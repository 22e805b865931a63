"""Which walks are begun, what the replica is asked for that, and which page a lane asks next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from replicator.store.doubts import Doubt
from replicator.sync.coverage.full_scan import FullScan
from replicator.sync.coverage.ledger import BEGINNING, END, EVERYTHING, TICK, Interval, Ledger, Piece
from replicator.sync.coverage.page import PAGE_LIMIT, Lane
from replicator.sync.coverage.partitions import begin
from replicator.sync.coverage.walk import SLACK, Walk
from replicator.sync.deletions import bisect
from replicator.sync.engine.pager import next_page, set_goals
from replicator.sync.engine.planner import ACTIVE_AGE
from replicator.sync.engine.position import Position, Source, committed
from replicator.sync.engine.state import State
from replicator.sync.protocol.questions import CountNewer, OpenCalls, Question, Values
from replicator.sync.protocol.results import Committed
from tests.sync.fix_values import NOW, at, decided

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.pure

WHOLE = Ledger((Piece(BEGINNING, at(-1), NOW),))
QUIET = State(WHOLE, head_asked_at=NOW, sliced_at=NOW)


def placed(state: State, total: int | None = 1000) -> Position:
    return Position(state, state.ledger, Source("", total=total), at(-99))


def aimed(position: Position, answers: Sequence[Any]) -> tuple[Position, list[Question]]:
    """Let the goals be set; return the position, and what was asked, to which these were the answers."""
    return decided(set_goals(position, NOW), *answers)


def test_before_the_head_was_asked_nothing_is_begun() -> None:
    """The first page comes first; the replica is asked nothing."""
    position = placed(replace(QUIET, head_asked_at=None, ledger=Ledger()))
    assert aimed(position, []) == (position, [])


def test_where_nothing_is_worth_a_walk_the_position_stays_the_same() -> None:
    """Only calls that go on are asked for, of the last six hours, and once after each commit; else the very same position comes
    back.
    """
    position, asked = aimed(placed(QUIET), [[]])
    assert asked == [OpenCalls(NOW - ACTIVE_AGE)]
    assert aimed(position, []) == (position, [])
    assert aimed(position, [])[0] is position
    written = committed(position, Committed(1, None, has_absences=False, inserted=0, news=0))
    assert aimed(written, [[]])[1] == [OpenCalls(NOW - ACTIVE_AGE)]


def test_a_hole_gets_a_walk_that_is_aimed_by_the_calls_above_it() -> None:
    """The replica is asked how many there are."""
    hole = replace(QUIET, ledger=Ledger((Piece(at(-90), at(-1), NOW),)))
    decision, asked = aimed(placed(hole), [[], 640])
    assert asked[-1] == CountNewer(at(-90))
    walk = decision.state.walks[Lane.BACKFILL]
    assert (walk.hole, walk.offset) == (Interval(BEGINNING, at(-90)), 640 - 1 - SLACK)


def test_calls_that_go_on_are_asked_for_while_none_is_looked_at() -> None:
    """Not while a page for one is under way, nor the head."""
    open_state = replace(QUIET, ledger=Ledger((Piece(BEGINNING, at(-0.5), at(-5)),)), renews=False)
    decision, asked = aimed(placed(open_state), [[at(-9)], 3])
    assert asked == [OpenCalls(NOW - ACTIVE_AGE), CountNewer(at(-9) + TICK)]
    assert decision.state.walks[Lane.ACTIVE].hole == Interval(at(-9), at(-9) + TICK)
    assert aimed(decision, [])[1] == []
    assert aimed(placed(replace(open_state, head_in_flight=True)), [])[1] == []


BAD = Piece(at(-50), at(-49), at(-5), is_proven=False, reason=Doubt.UNREADABLE)
BESIDE = Ledger((Piece(BEGINNING, at(-50), NOW), BAD, Piece(at(-49), at(-1), NOW)))


@pytest.mark.parametrize(
    ("newer", "clear", "is_known"), [(40, 40, True), (0, 1, True), (99, 99, True), (100, 100, False)]
)
def test_the_head_is_kept_clear_of_a_row_that_cannot_be_read(newer: int, clear: int, *, is_known: bool) -> None:
    """Where fewer than a page of calls come before it; one row is always asked for."""
    state = replace(QUIET, ledger=BESIDE, head_asked_at=at(-2), renews=False)
    decision, asked = aimed(placed(state), [newer, []])
    assert asked[0] == CountNewer(at(-49) - TICK, PAGE_LIMIT)
    assert decision.state.clear == clear
    assert decision.state.unreadable == (BAD.interval if is_known else None)


def test_a_walk_below_a_row_that_cannot_be_read_begins_right_behind_it() -> None:
    """Above it nothing can be had in one page with this; a walk further down is one row further, for that row is not stored."""
    state = replace(QUIET, unreadable=BAD.interval, ledger=Ledger(BESIDE.pieces[1:]))
    walk = aimed(placed(state), [[], 70])[0].state.walks[Lane.BACKFILL]
    assert (walk.hole.until, walk.offset) == (at(-50), 70)
    below = replace(state, ledger=Ledger((Piece(at(-60), at(-50), NOW), *BESIDE.pieces[1:])))
    walk = aimed(placed(below), [[], 70])[0].state.walks[Lane.BACKFILL]
    assert (walk.hole.until, walk.offset) == (at(-60), 70 - 1 - SLACK + 1)


def test_slices_are_begun_with_the_values_that_are_stored() -> None:
    """A list that ends at a round number is read through filters, once its total is known."""
    doubt = Piece(BEGINNING, at(-90), NOW, is_proven=False, reason=Doubt.ROUND)
    state = replace(QUIET, ledger=Ledger((doubt, Piece(at(-90), at(-1), NOW))))
    decision, asked = aimed(placed(state, 500), [[], (["busy"], ["webrtc"], [])])
    assert asked[-1] == Values()
    assert decision.state.partitioning == begin(doubt.interval, Doubt.ROUND, 500, ["busy"], ["webrtc"], [])
    assert aimed(placed(state, None), [[]])[0].state.partitioning is None


def test_each_lane_asks_its_own_page() -> None:
    """The head at offset 0, a slice what its partitions ask, a search where it halves, a pass where it stands, a walk its own."""
    walk = Walk(Lane.RENEWAL, Interval(at(-9), at(-5)), 77)
    slices = begin(Interval(BEGINNING, at(-90)), Doubt.ROUND, 500, ["busy"], [], [])
    search = bisect.begin(NOW, total=1000, surplus=1)
    position = placed(replace(QUIET, walks={Lane.RENEWAL: walk}, partitioning=slices, search=search))
    head = next_page(position, Lane.FRESH, is_head=True)
    assert (head.hole, head.offset) == (Interval(at(-1), END), 0)
    assert next_page(position, Lane.SLICE, is_head=False) == slices.ask()
    searched = next_page(position, Lane.SEARCH, is_head=False)
    assert (searched.hole, searched.offset) == (EVERYTHING, bisect.next_offset(search, 1000))
    assert next_page(position, Lane.RENEWAL, is_head=False) == walk
    passing = placed(replace(QUIET, scan=FullScan(offset=250)))
    assert next_page(passing, Lane.BACKFILL, is_head=False).offset == 250


def test_a_search_without_a_total_begins_at_the_head() -> None:
    """No offset is below zero."""
    position = placed(replace(QUIET, search=bisect.begin(NOW, total=1000, surplus=1)), None)
    assert next_page(position, Lane.SEARCH, is_head=False).offset == 0
