"""What is asked next: which stretches are worth a walk, which lanes may send, and what a run is done with."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.budget.run_bound import Bound
from replicator.store.doubts import Doubt
from replicator.sync.coverage.counting import COUNTED_FROM
from replicator.sync.coverage.full_scan import FullScan
from replicator.sync.coverage.ledger import (
    BEGINNING,
    END,
    TICK,
    UNREADABLE_EVERY,
    Interval,
    Ledger,
    Piece,
    RenewalPolicy,
    RenewalRule,
)
from replicator.sync.coverage.page import PAGE_LIMIT, Lane
from replicator.sync.coverage.partitions import begin
from replicator.sync.coverage.walk import Walk
from replicator.sync.deletions import bisect
from replicator.sync.engine.credit import Credit, Rest
from replicator.sync.engine.planner import (
    ACTIVE_AGE,
    DETAIL_AGE,
    DOUBTS_EVERY,
    PATIENT_LANES,
    SHARES,
    SLICE_EVERY,
    SPENT_HORIZON,
    choose,
    clear_of,
    completed,
    detail_lane,
    goals,
    head_walk,
    is_cut_short,
    is_head_due,
    newest_unreadable,
    rest,
    sent,
    through,
    to_slice,
)
from replicator.sync.engine.state import Comparison, Goal, Left, State
from tests.sync.fix_values import NOW, at

pytestmark = pytest.mark.pure

WHOLE = Ledger((Piece(BEGINNING, at(-1), NOW),))
QUIET = State(WHOLE, head_asked_at=NOW)
"""Everything is proven as of now, and the head was just asked for."""


def walk(lane: Lane, since: float = -500, until: float = -400) -> Walk:
    return Walk(lane, Interval(at(since), at(until)), 300)


def left_until(minutes: float) -> Left:
    return Left(Interval(BEGINNING, at(-90)), NOW, at(minutes), NOW)


def unsure(reason: Doubt, since: float = -90, until: float = -80, ago: float = 0) -> Piece:
    return Piece(at(since), at(until), at(-ago), is_proven=False, reason=reason)


def ledger(*pieces: Piece) -> Ledger:
    """Return a ledger of these pieces, with proofs of now between and around them, up to a minute ago."""
    whole = WHOLE
    for piece in pieces:
        whole = Ledger(tuple(sorted([*whole.until(piece.since).pieces, piece, Piece(piece.until, at(-1), NOW)])))
    return whole


# Walks -------------------------------------------------------------------------------------------------------------


def test_nothing_is_walked_where_all_is_fresh() -> None:
    """Everything was just compared: no stretch is worth a request; and before the first page nothing is known to be."""
    assert goals(QUIET, NOW) == []
    assert goals(State(Ledger()), NOW) == []


def test_history_and_a_gap_each_get_a_walk() -> None:
    """A hole down to the beginning of time is history, one between two stretches is caught up with first."""
    covered = Ledger((Piece(at(-90), at(-60), NOW), Piece(at(-30), at(-1), NOW)))
    assert goals(replace(QUIET, ledger=covered), NOW) == [
        Goal(Lane.FRESH, Interval(at(-60), at(-30))), Goal(Lane.BACKFILL, Interval(BEGINNING, at(-90))),
    ]  # fmt: skip


def test_a_lane_with_a_walk_gets_no_other() -> None:
    """What it reads already is not begun again."""
    covered = replace(QUIET, ledger=Ledger((Piece(at(-90), at(-1), NOW),)))
    assert goals(replace(covered, walks={Lane.BACKFILL: walk(Lane.BACKFILL)}), NOW) == []


def test_a_hole_that_failed_is_left_alone_for_its_time() -> None:
    """Until the instant that was set, and not longer."""
    state = replace(
        QUIET,
        ledger=Ledger((Piece(at(-90), at(-1), NOW),)),
        left={at(-90): left_until(10)},
    )
    assert goals(state, at(9)) == []
    assert [goal.lane for goal in goals(state, at(10))][:1] == [Lane.BACKFILL]


def test_an_unsorted_list_is_not_walked() -> None:
    """While whole passes are made over it, and after them."""
    state = replace(QUIET, ledger=Ledger((Piece(at(-90), at(-1), NOW),)))
    assert goals(state, NOW) != []
    assert goals(replace(state, scan=FullScan()), NOW) == []
    assert goals(replace(state, scanned_at=NOW), NOW) == []


@pytest.mark.parametrize(
    ("opened", "looked", "is_asked"),
    [(-30, -1, True), (-30, -0.9, False), (-360, -9, True), (-361, -9, False)],
)
def test_an_open_call_is_looked_at_with_each_poll(opened: float, looked: float, is_asked: bool) -> None:
    """A call that goes on and was not looked at for a minute, for six hours after it began."""
    state = State(Ledger((Piece(BEGINNING, at(-0.5), at(looked)),)), open_calls=(at(opened),), renews=False)
    expected = [Goal(Lane.ACTIVE, Interval(at(opened), at(opened) + TICK))] if is_asked else []
    assert goals(state, NOW) == expected
    assert timedelta(minutes=360) == ACTIVE_AGE


def test_the_newest_open_call_is_looked_at_first() -> None:
    """Of several that are due."""
    state = State(Ledger((Piece(BEGINNING, at(-1), at(-5)),)), open_calls=(at(-50), at(-9)), renews=False)
    assert [goal.hole.since for goal in goals(state, NOW)] == [at(-9)]


def test_what_is_due_for_another_look_is_renewed() -> None:
    """Unless renewal is off, or one of its pages is under way."""
    state = State(Ledger((Piece(BEGINNING, at(-30), at(-30)),)))
    (goal,) = goals(state, NOW)
    assert (goal.lane, goal.hole.until) == (Lane.RENEWAL, at(-30))
    assert goals(replace(state, renews=False), NOW) == []
    assert goals(replace(state, in_flight={Lane.RENEWAL: 1}), NOW) == []


def test_a_renewal_of_younger_calls_goes_before_one_of_older_ones() -> None:
    """Today's calls do not wait for a pass over last year's; the same age class waits."""
    state = State(Ledger((Piece(BEGINNING, at(-30), at(-30)),)))
    old = walk(Lane.RENEWAL, -1_000_000, -900_000)
    young = walk(Lane.RENEWAL, -50, -40)
    assert [goal.lane for goal in goals(replace(state, walks={Lane.RENEWAL: old}), NOW)] == [Lane.RENEWAL]
    assert goals(replace(state, walks={Lane.RENEWAL: young}), NOW) == []


def test_a_whole_pass_compares_all_that_is_older_than_it() -> None:
    """What was compared before it was ordered is due, newest first; what was compared since is not."""
    state = replace(QUIET, comparison=Comparison(at(1)))
    assert goals(state, NOW) == [Goal(Lane.COMPARE, Interval(BEGINNING, at(-1)))]
    assert goals(replace(QUIET, comparison=Comparison(NOW)), NOW) == []


def test_a_stretch_that_is_asked_for_is_compared_and_nothing_else() -> None:
    """Of three pieces the part inside the stretch is asked for, as far as it was last compared before."""
    pieces = (
        Piece(BEGINNING, at(-300), at(-9)), Piece(at(-300), at(-200), at(-8)), Piece(at(-200), at(-1), at(2)),
    )  # fmt: skip
    asked = Comparison(NOW, Interval(at(-400), at(-100)))
    state = replace(QUIET, ledger=Ledger(pieces), comparison=asked, renews=False, credit=Credit(requests=99))
    assert goals(state, NOW) == [Goal(Lane.COMPARE, Interval(at(-400), at(-200)))]
    assert goals(replace(state, comparison=Comparison(NOW, Interval(at(-150), END))), NOW) == []


OLD = replace(
    QUIET,
    ledger=Ledger((Piece(BEGINNING, at(-90), at(-8)), Piece(at(-90), at(-50), at(-9)), Piece(at(-50), at(-1), NOW))),
    credit=Credit(requests=1),
)
"""Nothing is due; the stretch in the middle was compared longest ago, what lies below it a little later."""


def test_credit_reads_the_oldest_look_again() -> None:
    """With a request left, and only while nothing is due by the policy."""
    assert goals(OLD, NOW) == [Goal(Lane.REREAD, Interval(BEGINNING, at(-50)))]
    assert goals(replace(OLD, credit=Credit(requests=0.9)), NOW) == []
    assert goals(replace(OLD, renews=False), NOW) == []
    assert [
        goal.lane for goal in goals(replace(OLD, ledger=OLD.ledger.record(Piece(at(-30), at(-20), at(-11)))), NOW)
    ] == [Lane.REREAD]
    due = Ledger((Piece(BEGINNING, at(-1), at(-30)),))
    assert [goal.lane for goal in goals(replace(OLD, ledger=due), NOW)] == [Lane.RENEWAL]


def test_credit_reads_nothing_twice_in_a_run_or_right_after_one() -> None:
    """Not what this run has compared, not within a polling interval, and not what the run before compared until
    it is over for a polling interval.
    """
    assert goals(replace(OLD, begun_at=at(-9)), NOW) == []
    assert len(goals(replace(OLD, begun_at=at(-8.5)), NOW)) == 1
    assert goals(replace(OLD, poll_every=timedelta(minutes=9)), NOW) == []
    assert goals(replace(OLD, rest=Rest(at(-10), at(0.5))), NOW) == []
    assert len(goals(replace(OLD, rest=Rest(at(-8.5), at(0.5))), NOW)) == 1
    assert len(goals(replace(OLD, rest=Rest(at(-10), NOW)), NOW)) == 1


def test_a_stretch_that_fails_keeps_no_other_from_being_read() -> None:
    """What lies above and below it is re-read on credit, renewed and compared, while it is left alone."""
    left = {at(-50): Left(Interval(at(-90), at(-50)), NOW, at(5), NOW)}
    failing = replace(OLD, left=left)
    assert goals(failing, NOW) == [Goal(Lane.REREAD, Interval(BEGINNING, at(-90)))]
    due = replace(failing, ledger=Ledger((Piece(BEGINNING, at(-90), at(-99)), Piece(at(-90), at(-50), at(-999)))))
    assert [(goal.lane, goal.hole.until) for goal in goals(due, NOW)] == [(Lane.RENEWAL, at(-90))]
    asked = replace(failing, comparison=Comparison(at(-5)), renews=False)
    assert goals(asked, NOW) == [Goal(Lane.COMPARE, Interval(BEGINNING, at(-90)))]
    assert [goal.hole.until for goal in goals(failing, at(5))] == [at(-50)]


def test_a_capped_list_is_reread_on_credit_once_a_day() -> None:
    """As often as it is read through filters; unsure stretches that only filters show are not re-read."""
    capped = replace(OLD, capped_at=1000)
    assert goals(capped, NOW) == []
    later = NOW + SLICE_EVERY - timedelta(minutes=8.5)
    young = replace(capped, policy=RenewalPolicy((RenewalRule(timedelta(days=9), timedelta(days=9)),)))
    assert goals(young, later) == [Goal(Lane.REREAD, Interval(at(-90), at(-50)))]
    sliced = Piece(BEGINNING, at(-1), at(-200), is_proven=False, reason=Doubt.SLICED)
    assert Lane.REREAD not in [goal.lane for goal in goals(replace(OLD, ledger=Ledger((sliced,))), NOW)]


def test_a_walk_on_credit_stops_where_the_credit_ends() -> None:
    """It is the least valuable work, and each of its requests is paid for; so is each that the policy demands."""
    state = replace(OLD, walks={Lane.REREAD: walk(Lane.REREAD)}, details={Lane.BACKLOG: 1})
    assert choose(state, NOW, 9) == [Lane.BACKLOG, Lane.REREAD]
    assert sent(state, Lane.REREAD).credit.requests == 0
    assert sent(state, Lane.RENEWAL).credit.requests == 0
    assert sent(state, Lane.BACKLOG).credit.requests == 1
    assert choose(sent(state, Lane.RENEWAL), NOW, 9) == [Lane.BACKLOG]


def test_a_doubtful_end_is_looked_at_again() -> None:
    """At once where calls are stored beyond it, after an hour where the list may be capped; other doubts wait for their age."""
    beyond = Piece(BEGINNING, at(-90), NOW, is_proven=False, reason=Doubt.BEYOND)
    rest = Piece(at(-90), at(-1), NOW)
    assert [goal.hole.until for goal in goals(replace(QUIET, ledger=Ledger((beyond, rest))), NOW)] == [at(-90)]
    for ago, is_due in ((DOUBTS_EVERY - TICK, False), (DOUBTS_EVERY, True)):
        capped = replace(beyond, reason=Doubt.CAPPED, verified_at=NOW - ago, until=at(-99_000))
        state = replace(QUIET, ledger=Ledger((capped, replace(rest, since=at(-99_000)))))
        assert bool(goals(state, NOW)) is is_due
    other = Ledger((replace(beyond, reason=Doubt.NO_TOTAL), rest))
    assert goals(replace(QUIET, ledger=other), NOW) == []


# The head ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "is_due"),
    [
        ({"head_asked_at": None}, True),
        ({"head_asked_at": at(-1)}, True),
        ({"head_asked_at": at(-0.99)}, False),
        ({"head_asked_at": at(5)}, False),
        ({"head_asked_at": at(-9), "head_in_flight": True}, False),
        ({"head_asked_at": at(-9), "left": {END: left_until(1)}}, False),
        ({"head_asked_at": at(-9), "left": {END: left_until(0)}}, True),
        ({"head_asked_at": at(-9), "walks": {Lane.FRESH: Walk(Lane.FRESH, Interval(at(-9), END), 0)}}, False),
        ({"head_asked_at": at(-9), "walks": {Lane.FRESH: walk(Lane.FRESH)}}, True),
    ],
)
def test_when_the_head_is_due(changes: dict[str, Any], is_due: bool) -> None:
    """A poll after the last one, while none is under way, none is narrowed down, and it is not left alone."""
    assert is_head_due(replace(QUIET, **changes), NOW) is is_due


def test_the_head_is_all_above_what_is_covered() -> None:
    """From offset 0; at a first run it is the whole list."""
    assert head_walk(QUIET).hole == Interval(at(-1), END)
    assert (head_walk(QUIET).offset, head_walk(QUIET).limit) == (0, PAGE_LIMIT)
    assert head_walk(State(Ledger())).hole == Interval(BEGINNING, END)


def test_the_newest_row_that_cannot_be_read_is_known_for_an_hour() -> None:
    """Then it is time to look whether it can be read; other doubts are none, and a proof is none."""
    bad, older = unsure(Doubt.UNREADABLE), unsure(Doubt.UNREADABLE, -190, -180)
    assert newest_unreadable(ledger(older, bad), NOW) == bad.interval
    due = replace(bad, verified_at=NOW - UNREADABLE_EVERY)
    assert newest_unreadable(ledger(older, due), NOW) is None
    assert newest_unreadable(ledger(unsure(Doubt.TIE)), NOW) is None
    assert newest_unreadable(WHOLE, NOW) is None


def test_a_page_ends_above_a_row_that_cannot_be_read() -> None:
    """Where it would show that row; not where it is meant to reach it, is searched for, or ends above it anyway."""
    state = replace(QUIET, unreadable=Interval(at(-90), at(-80)), clear=40)
    head = Walk(Lane.FRESH, Interval(at(-1), END), 0)
    assert clear_of(state, head).limit == 40
    assert clear_of(state, replace(head, offset=10)).limit == 30
    for same in (replace(head, offset=40), replace(head, limit=40), replace(head, stuck=1), walk(Lane.BACKFILL)):
        assert clear_of(state, same) is same
    assert clear_of(QUIET, head) is head


# Slices ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "since_last", "is_read"),
    [
        (Doubt.TIE, timedelta(0), True),
        (Doubt.ROUND, timedelta(0), True),
        (Doubt.CAPPED, SLICE_EVERY - TICK, False),
        (Doubt.CAPPED, SLICE_EVERY, True),
        (Doubt.CAPPED, None, True),
        (Doubt.SLICED, SLICE_EVERY, True),
        (Doubt.SPLIT_CAP, SLICE_EVERY, True),
        (Doubt.SPLIT_CAP, SLICE_EVERY - TICK, False),
        (Doubt.SPLIT_TIE, None, False),
        (Doubt.UNREADABLE, None, False),
    ],
)
def test_what_only_filters_can_show_is_read_through_them(
    reason: Doubt, since_last: timedelta | None, is_read: bool
) -> None:
    """Ties and round ends at once, a capped list once a day, and nothing that filters have not helped with."""
    piece = unsure(reason)
    state = replace(QUIET, ledger=ledger(piece), sliced_at=None if since_last is None else NOW - since_last)
    assert to_slice(state, NOW, 10, None) == ((piece.interval, reason) if is_read else None)


def test_a_capped_list_that_was_proven_once_is_proven_again_at_once() -> None:
    """A renewal of what lies behind the cap ends at the cap; the filter that proved it is asked again without waiting a day."""
    piece = unsure(Doubt.CAPPED)
    state = replace(QUIET, ledger=ledger(piece), sliced_at=NOW)
    assert to_slice(state, NOW, 1000, None) is None
    assert to_slice(replace(state, capped_at=1000), NOW, 1000, None) == (piece.interval, Doubt.CAPPED)


@pytest.mark.parametrize(("total", "is_counted"), [(COUNTED_FROM - 1, False), (COUNTED_FROM, True)])
def test_a_long_list_is_counted_once_a_day(total: int, is_counted: bool) -> None:
    """From 500 calls on, beyond its oldest call that is stored, though nobody doubts its end."""
    expected = (Interval(BEGINNING, at(-99) + TICK), None) if is_counted else None
    assert to_slice(QUIET, NOW, total, at(-99)) == expected
    assert to_slice(replace(QUIET, sliced_at=at(-9)), NOW, total, at(-99)) is None


def test_nothing_is_sliced_before_the_list_was_read() -> None:
    """While a hole is left, slices or passes are under way, or nothing is covered."""
    busy = begin(Interval(BEGINNING, NOW), Doubt.ROUND, 500, ["busy"], [], [])
    for state in (
        State(Ledger()),
        replace(QUIET, ledger=Ledger((Piece(at(-90), at(-1), NOW),))),
        replace(QUIET, partitioning=busy),
        replace(QUIET, scan=FullScan()),
        replace(QUIET, scanned_at=NOW),
    ):
        assert to_slice(state, NOW, 5000, None) is None


# Lanes -------------------------------------------------------------------------------------------------------------


BUSY = replace(
    QUIET,
    head_asked_at=None,
    walks={lane: walk(lane) for lane in (Lane.ACTIVE, Lane.BACKFILL, Lane.COMPARE, Lane.RENEWAL)},
    search=bisect.begin(NOW, total=100, surplus=1),
    details={Lane.DETAIL: 50, Lane.BACKLOG: 50, Lane.CONFIRM: 50},
    most_pages=9,
)
"""Every lane but the slices has something to ask."""


@settings(max_examples=25)
@given(
    st.integers(0, 40),
    st.none() | st.integers(0, 40),
    st.integers(0, 4),
    st.dictionaries(st.sampled_from(list(Lane)), st.floats(0, 200)),
)
def test_no_more_is_chosen_than_is_free(free: int, spare: int | None, pages: int, spent: dict[Lane, float]) -> None:
    """Whatever was spent before: at most what is free, of each lane at most its work, list pages as far as there is room, and
    for what can wait at most what is spare.
    """
    chosen = choose(replace(BUSY, most_pages=pages, spent=spent), NOW, free, spare)
    count = Counter(chosen)
    assert len(chosen) <= free
    assert sum(count[lane] for lane in count if lane not in {Lane.DETAIL, Lane.BACKLOG, Lane.CONFIRM}) <= pages
    assert count[Lane.DETAIL] <= 50
    if spare is not None:
        assert sum(count[lane] for lane in PATIENT_LANES) <= spare
    if spare is None:
        assert len(chosen) == free or free > 100


def test_what_is_new_goes_first() -> None:
    """With a single request free it is the head of the list."""
    assert choose(BUSY, NOW, 1) == [Lane.FRESH]
    assert choose(BUSY, NOW, 0) == []
    assert choose(QUIET, NOW, 9) == []


def test_no_lane_starves() -> None:
    """Over 400 requests with endless work, each lane gets its share of them, though one goes before the other."""
    state, count = BUSY, Counter[Lane]()
    for _ in range(SPENT_HORIZON):
        state = replace(state, details={Lane.DETAIL: 50, Lane.BACKLOG: 50, Lane.CONFIRM: 50}, head_asked_at=None)
        (lane,) = choose(state, NOW, 1)
        count[lane] += 1
        state = replace(sent(state, lane), in_flight={})
    for lane, share in SHARES.items():
        assert count[lane] >= share * SPENT_HORIZON - 2 or lane is Lane.SLICE, lane
    assert count[Lane.FRESH] >= 0.15 * SPENT_HORIZON


def test_a_lane_that_cannot_wait_uses_what_is_not_spare() -> None:
    """With nothing to spare only what is new, what is open and details of calls that just ended go out."""
    assert set(choose(BUSY, NOW, 30, 0)) == {Lane.FRESH, Lane.ACTIVE, Lane.DETAIL}


def test_a_walk_has_one_page_under_way() -> None:
    """Each page is aimed by the one before."""
    state = replace(QUIET, walks={Lane.BACKFILL: walk(Lane.BACKFILL)})
    assert choose(state, NOW, 9) == [Lane.BACKFILL]
    assert choose(replace(state, in_flight={Lane.BACKFILL: 1}), NOW, 9) == []
    assert choose(replace(state, in_flight={Lane.RENEWAL: 1}, head_in_flight=True), NOW, 9) == []


def test_a_whole_pass_is_the_only_reading_of_the_list() -> None:
    """Beside it the head is polled, and walks that were left wait."""
    state = replace(BUSY, scan=FullScan(), details={}, search=None)
    assert sorted(choose(state, NOW, 9)) == [Lane.BACKFILL, Lane.FRESH]


def test_an_unknown_source_is_asked_for_its_first_page_and_known_calls_only() -> None:
    """Before it has shown a call that is stored nothing else is asked."""
    state = replace(BUSY, is_identified=False)
    assert set(choose(state, NOW, 30)) == {Lane.FRESH, Lane.CONFIRM}
    assert Counter(choose(state, NOW, 30))[Lane.FRESH] == 1


def test_a_bound_that_is_reached_ends_its_kind_of_request() -> None:
    """No page where the list's requests are used up, no call by id where those are; then the run is cut short."""
    lists, by_id = Bound(lists=10**6), Bound(by_id=10**6)
    assert set(choose(replace(BUSY, bound=lists), NOW, 30)) == {Lane.DETAIL, Lane.BACKLOG, Lane.CONFIRM}
    assert not {Lane.DETAIL, Lane.BACKLOG, Lane.CONFIRM} & set(choose(replace(BUSY, bound=by_id), NOW, 30))
    assert not is_cut_short(replace(BUSY, bound=lists), NOW)
    assert is_cut_short(replace(BUSY, bound=lists, details={}), NOW)
    assert not is_cut_short(replace(QUIET, bound=lists), NOW)
    assert not is_cut_short(BUSY, NOW)


@pytest.mark.parametrize(
    ("age", "lane"),
    [(DETAIL_AGE, Lane.DETAIL), (DETAIL_AGE + TICK, Lane.BACKLOG), (-DETAIL_AGE, Lane.DETAIL), (None, Lane.BACKLOG)],
)
def test_details_of_calls_that_just_ended_go_before_history(age: timedelta | None, lane: Lane) -> None:
    """For an hour; a call without a date is history, one that is created in the future is new."""
    assert detail_lane(None if age is None else NOW - age, NOW) is lane


def test_what_is_sent_is_under_way_until_it_is_completed() -> None:
    """Of a lane by its number, of the head as such; more answers than requests leave nothing below zero."""
    state = sent(QUIET, Lane.DETAIL, 3)
    assert (state.in_flight[Lane.DETAIL], state.spent[Lane.DETAIL]) == (3, 3)
    assert completed(state, Lane.DETAIL).in_flight[Lane.DETAIL] == 2
    assert completed(state, Lane.DETAIL, 9).in_flight[Lane.DETAIL] == 0
    head = sent(QUIET, Lane.FRESH, is_head=True, at=at(1))
    assert (head.head_in_flight, head.head_asked_at, dict(head.in_flight)) == (True, at(1), {})
    assert not completed(head, Lane.FRESH, is_head=True).head_in_flight


def test_what_is_sent_counts_against_the_runs_bound() -> None:
    """Pages and calls by id apart; the head is a page."""
    state = replace(QUIET, bound=Bound())
    state = sent(sent(sent(state, Lane.FRESH, is_head=True), Lane.RENEWAL), Lane.DETAIL, 5)
    assert state.bound == Bound(lists=2, by_id=5)


def test_what_was_spent_long_ago_fades() -> None:
    """Beyond 400 requests all counts are halved, so that shares follow the work."""
    state = replace(QUIET, spent={Lane.BACKFILL: float(SPENT_HORIZON)})
    assert sent(state, Lane.DETAIL).spent == {Lane.BACKFILL: SPENT_HORIZON / 2, Lane.DETAIL: 0.5}


def test_calls_are_asked_for_by_id_through_one_key() -> None:
    """The others take what is left, and each request is taken once, in the order of its worth."""
    lanes = [Lane.FRESH, Lane.CONFIRM, Lane.DETAIL, Lane.CONFIRM, Lane.DETAIL, Lane.BACKLOG]
    assert through(0, lanes) == lanes
    assert through(1, lanes) == [Lane.FRESH, Lane.DETAIL, Lane.DETAIL, Lane.BACKLOG]
    assert rest(lanes, through(1, lanes)[:2]) == [Lane.CONFIRM, Lane.CONFIRM, Lane.DETAIL, Lane.BACKLOG]
    assert rest(lanes, []) == lanes
    assert rest(lanes, lanes) == []
