"""A detail that is not there: when it is asked for again, and when that is a fact."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from replicator.sync.content.calls import Policy
from replicator.sync.content.missing import (
    BACK_OFF,
    BELIEVED_LOOKS,
    DAY,
    LONGEST_WAIT,
    MOST_FAULTS,
    may_be_believed,
    missing_detail,
)
from tests.sync.fix_values import NOW, a_detail, at, known_detail

if TYPE_CHECKING:
    from datetime import datetime

    from replicator.store.rows import DetailRow, KnownDetail

pytestmark = pytest.mark.pure

POLICY = Policy()
WEEK = timedelta(days=7)


def missing(ends: timedelta, known: KnownDetail | None = None, attempts: int = 0, **how: Any) -> DetailRow:
    """Return the row after a detail was not there, so long after the call's end."""
    asked = a_detail(attempts=attempts, deadline_at=NOW + POLICY.give_up_age - ends)
    return missing_detail(asked, known, NOW, POLICY, **{"reason": "x", "is_fault": False, **how})


def looked(looks: int, since: datetime, **changes: Any) -> KnownDetail:
    return known_detail("pending", absent_looks=looks, absent_since=since, **changes)


def looks_until_final(age: timedelta, **how: Any) -> list[timedelta]:
    """Return when a detail of a call that ended so long ago is asked for, until it is a fact that it is not there."""
    known, now, moments = None, NOW, []
    deadline = NOW + POLICY.give_up_age - age
    for attempts in range(100):
        moments.append(now - NOW)
        asked = a_detail(attempts=attempts, deadline_at=deadline)
        row = missing_detail(asked, known, now, POLICY, **{"reason": "x", "is_fault": False, **how})
        if row.due_at is None:
            assert row.state == "absent_final"
            return moments
        known = looked(row.absent_looks, row.absent_since or NOW, waits_last=row.waits_last)
        now = row.due_at
    raise AssertionError("it has no end")


@pytest.mark.parametrize(
    ("age", "delay"),
    [
        (timedelta(0), BACK_OFF[0][1]),
        (timedelta(minutes=9), timedelta(seconds=50)),
        (timedelta(minutes=10), timedelta(minutes=5)),
        (timedelta(hours=1), timedelta(minutes=30)),
        (timedelta(hours=6), timedelta(hours=3)),
        (timedelta(days=1), timedelta(days=1)),
        (timedelta(days=6), timedelta(days=1)),
        (timedelta(days=-3), timedelta(seconds=50)),
    ],
)
def test_a_detail_that_is_not_there_is_asked_again_by_the_age_of_its_call(age: timedelta, delay: timedelta) -> None:
    """Nearly each minute at first, once a day in the end; also where the call's end lies in the future."""
    row = missing(age)
    assert (row.state, row.due_at, row.attempts) == ("pending", NOW + delay, 1)
    assert (row.absent_looks, row.absent_since, row.waits_last) == (1, NOW, age >= DAY)


def test_an_old_detail_is_asked_for_three_times_over_two_days() -> None:
    """However old its call is: a provider that is down for an hour answers 404 for the calls of years."""
    assert looks_until_final(timedelta(days=400)) == [timedelta(0), DAY, 2 * DAY]


def test_a_new_detail_is_final_at_its_deadline() -> None:
    """A week after the end of the call, and not before, however often it was looked for."""
    moments = looks_until_final(timedelta(0))
    assert WEEK <= moments[-1] < WEEK + DAY
    assert len(moments) < 60


def test_looks_count_only_over_a_day() -> None:
    """Many looks within a day prove nothing, and two a year apart neither."""
    old = timedelta(days=30)
    assert missing(old, looked(99, at(-60 * 24 + 1))).state == "pending"
    assert missing(old, looked(BELIEVED_LOOKS - 1, at(-60 * 24))).state == "absent_final"
    assert missing(old, looked(BELIEVED_LOOKS - 2, at(-60 * 24 * 365))).state == "pending"


def test_an_empty_transcript_is_believed_after_a_day() -> None:
    """Before the call's deadline, too; it is asked for a few times."""
    moments = looks_until_final(timedelta(0), is_empty=True)
    assert moments[:3] == [timedelta(0), timedelta(seconds=50), timedelta(seconds=100)]
    assert moments[-1] == DAY
    assert len(moments) == 5


def test_in_a_wave_nothing_is_believed() -> None:
    """It is asked for again, ever more rarely; after the wave one more look suffices."""
    old, known = timedelta(days=30), looked(2, at(-60 * 48))
    row = missing(old, known, is_wave=True)
    assert (row.state, row.due_at, row.absent_looks) == ("pending", NOW + DAY, 3)
    assert missing(old, looked(5, at(-60 * 240)), is_wave=True).due_at == NOW + 8 * DAY
    assert missing(old, looked(90, at(-60 * 240)), is_wave=True).due_at == NOW + LONGEST_WAIT
    assert missing(old, looked(3, at(-60 * 240))).state == "absent_final"


def test_a_fault_of_the_source_says_nothing_about_a_detail() -> None:
    """Only after so many of them, past the deadline, it is given up. What was seen before stays."""
    assert missing(WEEK, attempts=MOST_FAULTS - 2, is_fault=True).state == "pending"
    assert missing(WEEK, attempts=MOST_FAULTS - 1, is_fault=True).state == "gave_up"
    assert missing(DAY, attempts=MOST_FAULTS + 50, is_fault=True).state == "pending"
    row = missing(WEEK, looked(2, at(-9), waits_last=True), is_fault=True)
    assert (row.absent_looks, row.absent_since, row.waits_last) == (2, at(-9), True)


def test_a_fault_is_asked_again_after_pauses_that_double() -> None:
    """30 seconds, 1, 2, 4 minutes …, and never later than a detail that is not there."""
    old = timedelta(days=2)
    pauses = [missing(old, attempts=attempts, is_fault=True).due_at for attempts in range(4)]
    assert pauses == [NOW + timedelta(seconds=30 * 2**attempts) for attempts in range(4)]
    assert missing(old, attempts=10**6, is_fault=True).due_at == NOW + timedelta(seconds=30 * 2**10)
    assert missing(timedelta(0), attempts=9, is_fault=True).due_at == NOW + timedelta(seconds=50)


def test_a_detail_without_a_deadline_gets_one() -> None:
    """A week from the first time that it was not there."""
    row = missing_detail(a_detail(deadline_at=None), None, NOW, POLICY, is_fault=False, reason="NotFound 404")
    assert (row.deadline_at, row.state, row.last_error) == (NOW + WEEK, "pending", "NotFound 404")


def test_when_one_more_answer_would_be_a_fact() -> None:
    """At the third look, a day after the first one."""
    assert may_be_believed(looked(BELIEVED_LOOKS - 1, NOW - DAY), NOW)
    assert not may_be_believed(looked(BELIEVED_LOOKS - 2, NOW - DAY), NOW)
    assert not may_be_believed(looked(BELIEVED_LOOKS, NOW - DAY / 2), NOW)
    assert not may_be_believed(known_detail("pending"), NOW)
    assert not may_be_believed(None, NOW)
