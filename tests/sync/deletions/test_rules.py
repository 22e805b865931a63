"""When a call that is missing counts as deleted: what a page says of membership, and what answers by id confirm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.records import Unreadable
from replicator.store.doubts import Doubt
from replicator.sync.coverage.ledger import BEGINNING, TICK, Interval, Piece
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.walk import CheckingEnd, Walk
from replicator.sync.deletions.rules import (
    AGAIN_AFTER,
    ASKED_AT_A_TIME,
    CONTROL_AGE,
    Absence,
    Claim,
    after_answer,
    after_miss,
    after_nothing,
    cap,
    claims,
    is_held,
)
from tests.sync.fix_values import NOW, a_call, a_page, at, seen

pytestmark = pytest.mark.pure

WAIT = timedelta(minutes=10)
GAP = Absence(1, UUID(int=1), "suspected", 0, None, NOW)
WALK = Walk(Lane.RENEWAL, Interval(at(-60), at(0)), 300)
INSIDE = Piece(at(-9), at(-1), NOW)
BOTH = a_page([a_call(1), a_call(9)], offset=300, total=5000)


def checking(ids: int, rows: int = 2) -> Walk:
    """Return a walk that checks the end of the list behind a page of so many rows, of which so many have an id."""
    shown = tuple(UUID(int=number + 1) for number in range(ids))
    last = seen([at(-1 - row) for row in range(rows)], 298, 300, ids=shown, asked_at=at(-1))
    return replace(WALK, mode=CheckingEnd(last))


def test_confirming_takes_two_answers_apart() -> None:
    """A 404 counts beside a control only, and two of them no closer than `confirm_after`."""
    assert after_miss(GAP, NOW, (None, NOW), WAIT).misses == 0
    assert after_miss(GAP, NOW, (NOW - timedelta(seconds=61), NOW), WAIT).misses == 0
    assert after_miss(GAP, NOW, (NOW, NOW + timedelta(seconds=61)), WAIT).misses == 0
    once = after_miss(GAP, NOW, (NOW - CONTROL_AGE, NOW + CONTROL_AGE), WAIT)
    assert (once.state, once.misses, once.due_at) == ("suspected", 1, NOW + WAIT)
    soon = NOW + timedelta(minutes=9)
    assert after_miss(once, soon, (soon, soon), WAIT).misses == 1
    later = NOW + WAIT
    twice = after_miss(once, later, (later, later), WAIT)
    assert (twice.state, twice.confirmed_at, twice.due_at) == ("deleted", later, None)


def test_a_miss_without_a_control_is_asked_again_at_once() -> None:
    """It stays due; one that came too soon is due when its time comes."""
    assert after_miss(GAP, at(3), (None, at(3)), WAIT).due_at == at(3)
    once = replace(GAP, misses=1, missed_at=NOW)
    assert after_miss(once, at(3), (at(3), at(3)), WAIT).due_at == at(10)


def test_an_answer_refutes_a_suspicion() -> None:
    """A call that answers as itself was never gone, also after a miss; it is not asked for again."""
    refuted = after_answer(replace(GAP, misses=1, missed_at=NOW), at(9))
    assert (refuted.state, refuted.ended_at, refuted.due_at, refuted.confirmed_at) == ("refuted", at(9), None, None)


def test_an_error_tells_nothing_of_a_suspicion_and_answers_a_question() -> None:
    """A suspected call is asked for again ten minutes later, with its misses; a call that was only asked about is left alone."""
    once = replace(GAP, misses=1, missed_at=NOW)
    again = after_nothing(once, at(9))
    assert (again.state, again.misses, again.due_at) == ("suspected", 1, at(9) + AGAIN_AFTER)
    assert after_nothing(replace(once, is_question=True), at(9)).state == "refuted"


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from("mmmne"), st.integers(0, 12), st.integers(-70, 5) | st.none(), st.integers(0, 70)),
        max_size=8,
    )
)
def test_no_call_is_deleted_without_two_controlled_misses_apart(steps: list[tuple[str, int, int | None, int]]) -> None:
    """Whatever comes in whatever order: deleted are exactly the calls with two 404s at least ten minutes apart, each of them
    less than a minute from its controls.
    """
    gap, now, counted = GAP, NOW, list[int]()
    minutes = 0
    for kind, pause, before, behind in steps:
        minutes += pause
        now = at(minutes)
        if kind == "m":
            controls = None if before is None else now + timedelta(seconds=before)
            gap = after_miss(gap, now, (controls, now + timedelta(seconds=behind)), WAIT)
            is_controlled = before is not None and before >= -60 and behind <= 60
            if is_controlled and (not counted or minutes - counted[-1] >= 10):
                counted.append(minutes)
        elif kind == "e":
            gap = after_nothing(gap, now)
        if len(counted) == 2:
            break
    assert (gap.state == "deleted") == (len(counted) == 2)
    assert (gap.confirmed_at is not None) == (gap.state == "deleted")


@pytest.mark.parametrize(("live", "most"), [(0, 20), (1999, 20), (2100, 21), (1_000_000, 10_000)])
def test_the_cap(live: int, most: int) -> None:
    """max(20, 1 % of the live calls) may be open; one more holds all, until as many were released."""
    assert cap(live) == most
    assert not is_held(most, live, None)
    assert is_held(most + 1, live, None)
    assert is_held(most + 2, live, most + 1)
    assert not is_held(most + 1, live, most + 1)


def test_a_release_of_none_holds_as_before() -> None:
    """A release of 0 lets nothing through, and one of more than are open lets all through."""
    assert is_held(21, 0, 0)
    assert not is_held(21, 0, 1000)
    assert not is_held(0, 0, None)


def test_a_page_says_that_nothing_else_is_inside_what_it_proves() -> None:
    """Its calls, and its rows that could not be read but tell their id, are present; all others there are missing."""
    assert claims(BOTH, [INSIDE], WALK, NOW) == [Claim(INSIDE.interval, (UUID(int=1), UUID(int=9)), NOW)]
    bad = Unreadable(b"{", "no JSON", UUID(int=5), at(-5))
    page = replace(BOTH, unreadable=(bad,), created=(*BOTH.created, at(-5)))
    (claim,) = claims(page, [INSIDE], WALK, NOW)
    assert UUID(int=5) in claim.present


def test_a_row_without_an_id_raises_no_suspicion() -> None:
    """Any of the missing may be that row."""
    page = replace(BOTH, unreadable=(Unreadable(b"null", "no object"),))
    assert claims(page, [INSIDE], WALK, NOW) == []


def test_doubt_and_older_proofs_raise_no_suspicion() -> None:
    """Only what this very page proves counts: no piece that is unsure, and none that another look made."""
    unsure = replace(INSIDE, is_proven=False, reason=Doubt.LOST)
    assert claims(BOTH, [unsure, replace(INSIDE, verified_at=at(-1))], WALK, NOW) == []


@pytest.mark.parametrize("reason", [Doubt.TIE, Doubt.UNREADABLE])
def test_where_no_proof_can_be_had_a_few_calls_are_asked_for(reason: Doubt) -> None:
    """Calls in a tie group as large as a page, or beside a row that cannot be read: ten at a time, as a question; also where a
    row without an id is on the page.
    """
    unsure = replace(INSIDE, is_proven=False, reason=reason)
    question = Claim(INSIDE.interval, (), NOW, ASKED_AT_A_TIME)
    assert claims(BOTH, [unsure], WALK, NOW) == [question]
    nameless = replace(BOTH, unreadable=(Unreadable(b"null", "no object"),))
    assert claims(nameless, [unsure], WALK, NOW) == [question]


def test_an_empty_page_says_nothing_by_itself() -> None:
    """Only where it is the look behind the list's last page does it speak of membership."""
    assert claims(a_page(offset=300), [INSIDE], WALK, NOW) == []


def test_the_end_of_the_list_speaks_of_its_last_page() -> None:
    """Behind the last page's oldest row nothing is listed, as of when that page was asked; with doubt it is a question."""
    beyond = Interval(BEGINNING, at(-2) + TICK)
    (claim,) = claims(a_page(offset=300), [Piece(BEGINNING, at(-1), at(-1))], checking(2), NOW)
    assert claim == Claim(beyond, (UUID(int=1), UUID(int=2)), at(-1))
    doubt = Piece(BEGINNING, at(-1), at(-1), is_proven=False, reason=Doubt.CAPPED)
    (claim,) = claims(a_page(offset=300), [doubt], checking(2), NOW)
    assert claim.most == ASKED_AT_A_TIME


def test_the_end_of_the_list_says_nothing_where_a_row_of_it_has_no_id() -> None:
    """A last page of two rows with one id: the other row may be any call."""
    assert claims(a_page(offset=300), [Piece(BEGINNING, at(-1), at(-1))], checking(1), NOW) == []


def test_a_piece_above_the_lists_end_says_nothing_of_it() -> None:
    """Only what reaches down to the last page's oldest row is about what lies beyond."""
    assert claims(a_page(offset=300), [Piece(at(-1), at(0), at(-1))], checking(2), NOW) == []
