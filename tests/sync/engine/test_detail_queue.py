"""The details at hand: none is asked for twice, none is passed over, and the more valuable go first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.sync.coverage.ledger import TICK
from replicator.sync.coverage.page import Lane
from replicator.sync.engine.detail_queue import LOOK_EVERY, QUEUE_SIZE, SHORT, Details
from replicator.sync.protocol.requests import Detail
from tests.sync.fix_values import NOW, a_detail

pytestmark = pytest.mark.pure

YOUNG, OLD = a_detail(1), a_detail(2, call_created_at=NOW - timedelta(days=9))
SOUND = a_detail(1, "recording")


def filled(*due: Detail, wanted: int = 9) -> Details:
    details = Details()
    details.fill(due, wanted, NOW)
    return details


def test_an_empty_queue_is_to_be_filled_once() -> None:
    """At the start nobody knows what is due; after a look that found less than was asked for, nothing more is."""
    details = Details()
    assert details.is_to_be_filled(8, NOW)
    details.fill([], details.wanted, NOW)
    assert not details.is_to_be_filled(8, NOW)
    assert details.by_lane() == {Lane.DETAIL: 0, Lane.BACKLOG: 0, Lane.ABSENT: 0}


def test_details_of_recent_calls_and_of_history_are_apart() -> None:
    """In the order in which they were told."""
    details = filled(YOUNG, OLD, SOUND)
    assert details.by_lane() == {Lane.DETAIL: 2, Lane.BACKLOG: 1, Lane.ABSENT: 0}
    assert [details.next(Lane.DETAIL), details.next(Lane.DETAIL), details.next(Lane.BACKLOG)] == [YOUNG, SOUND, OLD]


def test_what_was_not_there_before_waits_last() -> None:
    """Whatever the age of its call."""
    again = a_detail(3, waits_last=True)
    details = filled(YOUNG, again)
    assert details.by_lane() == {Lane.DETAIL: 1, Lane.BACKLOG: 0, Lane.ABSENT: 1}
    assert details.next(Lane.ABSENT) == again


def test_as_many_as_were_asked_for_may_not_be_all() -> None:
    """Then there is another look, when fewer are at hand than may be sent."""
    details = filled(YOUNG, OLD, wanted=2)
    assert not details.is_to_be_filled(2, NOW)
    assert details.is_to_be_filled(3, NOW)
    assert not filled(YOUNG, OLD, wanted=3).is_to_be_filled(3, NOW)


def test_many_at_hand_are_enough_for_a_second() -> None:
    """With SHORT details at hand the replica is not asked again, however many could be sent, but once in a second: a more
    valuable one may have become due. Where all that is due is at hand, it is not asked at all.
    """
    many = [a_detail(one) for one in range(SHORT)]
    details = filled(*many, wanted=SHORT)
    assert not details.is_to_be_filled(10 * QUEUE_SIZE, NOW)
    assert not details.is_to_be_filled(10 * QUEUE_SIZE, NOW + LOOK_EVERY - TICK)
    assert details.is_to_be_filled(10 * QUEUE_SIZE, NOW + LOOK_EVERY)
    details.next(Lane.DETAIL)
    assert details.is_to_be_filled(10 * QUEUE_SIZE, NOW)
    assert not filled(*many, wanted=SHORT + 1).is_to_be_filled(10 * QUEUE_SIZE, NOW + LOOK_EVERY)


def test_a_detail_that_was_asked_for_is_not_taken_again() -> None:
    """Not before what became of it is committed: the replica calls it due until then, and is asked for so many more."""
    details = filled(YOUNG, OLD)
    details.next(Lane.DETAIL)
    assert details.wanted == QUEUE_SIZE + 1
    details.fill([YOUNG, SOUND, OLD], 9, NOW)
    assert details.by_lane() == {Lane.DETAIL: 1, Lane.BACKLOG: 1, Lane.ABSENT: 0}
    details.came_in(YOUNG, is_kind_open=True)
    details.fill([YOUNG], 9, NOW)
    assert details.by_lane() == {Lane.DETAIL: 0, Lane.BACKLOG: 0, Lane.ABSENT: 0}
    details.committed(has_pages=False)
    assert details.wanted == QUEUE_SIZE
    details.fill([YOUNG], 9, NOW)
    assert details.by_lane()[Lane.DETAIL] == 1


def test_a_look_replaces_what_was_at_hand() -> None:
    """What is not due any more is not asked for."""
    details = filled(YOUNG, SOUND)
    details.fill([OLD], 9, NOW)
    assert details.by_lane() == {Lane.DETAIL: 0, Lane.BACKLOG: 1, Lane.ABSENT: 0}


def test_pages_that_were_committed_may_have_queued_more_valuable_details() -> None:
    """They are looked for, however many are at hand; a commit without pages changes nothing."""
    details = filled(YOUNG)
    details.committed(has_pages=False)
    assert not details.is_to_be_filled(0, NOW)
    details.committed(has_pages=True)
    assert details.is_to_be_filled(0, NOW)
    details.committed(has_pages=False)
    assert details.is_to_be_filled(0, NOW)
    details.fill([YOUNG], 9, NOW)
    assert not details.is_to_be_filled(0, NOW)


def test_a_kind_that_is_closed_is_put_back() -> None:
    """Where a provider fails, what is at hand of its kind is looked for anew."""
    details = filled(YOUNG, SOUND)
    details.came_in(details.next(Lane.DETAIL), is_kind_open=False)
    assert details.is_to_be_filled(0, NOW)


def test_an_answer_that_was_none_is_looked_for_after_the_commit() -> None:
    """Not before: until then it counts as asked, and would be passed over."""
    details = filled(YOUNG)
    details.came_in(details.next(Lane.DETAIL), is_kind_open=True)
    details.is_some_to_be_asked_again = True
    assert not details.is_to_be_filled(5, NOW)
    details.committed(has_pages=False)
    assert details.is_to_be_filled(5, NOW)
    assert not details.is_some_to_be_asked_again


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from("fnac"), st.integers(0, 5)), max_size=25))
def test_no_detail_is_under_way_twice(steps: list[tuple[str, int]]) -> None:
    """Whatever order looks, requests, answers and commits come in."""
    details, flying = Details(), list[Detail]()
    for kind, number in steps:
        if kind == "f":
            details.fill([a_detail(one) for one in range(number)], number, NOW)
        elif kind == "n" and details.by_lane()[Lane.DETAIL]:
            detail = details.next(Lane.DETAIL)
            assert detail not in flying
            flying.append(detail)
        elif kind == "a" and flying:
            details.came_in(flying.pop(number % len(flying)), is_kind_open=True)
        elif kind == "c":
            details.committed(has_pages=False)
        assert {("transcript", one.call_id) for one in flying} <= details.asked
