"""How pages are spaced at a source that fails when it is asked too fast, and at one whose rows cannot be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from replicator.sync.coverage.ledger import BEGINNING, Interval
from replicator.sync.coverage.narrowing import fail
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.walk import READING, Convicting, Walk
from replicator.sync.engine.throttle import LONGEST_GAP, RESTS, Throttle

pytestmark = pytest.mark.pure


NOW = datetime(2026, 7, 1, tzinfo=UTC)
PAGE = Walk(Lane.BACKFILL, Interval(BEGINNING, NOW), 100)


class Limiter:
    """Answers one page in so many seconds, and fails for every other."""

    def __init__(self, seconds: float) -> None:
        self.every, self.last = timedelta(seconds=seconds), NOW - timedelta(days=1)
        self.now, self.throttle, self.failures = NOW, Throttle(), 0

    def ask(self, walk: Walk) -> bool | None:
        """Ask in the page's time; return whether it was answered, or None where it is to be narrowed down."""
        self.now = max(self.now, self.throttle.rest_until or self.now) + timedelta(milliseconds=20)
        if self.now - self.last >= self.every:
            self.last = self.now
            self.throttle.answered(walk, self.now)
            return True
        self.failures += 1
        return None if self.throttle.failure(walk, self.now) else False


@pytest.mark.parametrize("seconds", [0.5, 1, 3, 5])
def test_a_limiter_is_asked_as_slowly_as_it_wants(seconds: float) -> None:
    """Nothing is narrowed down, and after a few pages almost each is answered at once."""
    there = Limiter(seconds)
    for number in range(40):
        walk = replace(PAGE, offset=100 * number)
        while (answer := there.ask(walk)) is not True:
            assert answer is not None, "a page that only came too soon was narrowed down"
    assert there.failures <= 16
    assert there.throttle.gap <= LONGEST_GAP


def test_a_page_that_cannot_be_read_is_narrowed_down_after_a_rest_and_the_next_one_at_once() -> None:
    throttle, now = Throttle(), NOW
    for rest in RESTS:
        assert not throttle.failure(PAGE, now)
        assert throttle.rest_until == now + rest
        now += rest
    assert throttle.failure(PAGE, now)
    assert throttle.repeats
    walk = fail(PAGE).walk
    assert walk is not None
    throttle.answered(walk, now)
    other = replace(PAGE, offset=900)
    assert [throttle.failure(other, now), throttle.failure(other, now)] == [False, True]
    assert throttle.rest_until == now
    assert throttle.most(now, 2) == 2


def test_where_no_gap_helps_nothing_is_slowed_down() -> None:
    """Rows that cannot be read move in their list, so that pages that failed are answered later: that is no limiter."""
    throttle, now = Throttle(), NOW
    for number in range(6):
        walk = replace(PAGE, offset=1000 * number)
        throttle.failure(walk, now)
        now += timedelta(minutes=1)
        throttle.answered(walk, now)
    assert throttle.is_refuted
    assert throttle.gap == timedelta(0)


def test_a_suspected_row_has_to_fail_for_longer_than_all_pages_did() -> None:
    """Its neighbour was answered after four seconds of failures: a failure right after that says nothing of the row."""
    throttle = Throttle(repeats=True)
    throttle.answered(PAGE, NOW)
    row = replace(PAGE, limit=1, has_failed=True)
    for second in (1, 2, 3):
        throttle.failure(row, NOW + timedelta(seconds=second))
    alive = NOW + timedelta(seconds=4)
    throttle.answered(replace(row, offset=101, mode=Convicting(100, READING)), alive)
    suspect = replace(row, mode=Convicting(100, READING, is_alive=True))
    assert not throttle.failure(suspect, alive + timedelta(seconds=0.1))
    assert throttle.most(alive + timedelta(seconds=0.2), 2) == 0
    assert throttle.rest_until == alive + timedelta(seconds=5)
    assert throttle.most(throttle.rest_until, 2) == 1
    assert throttle.failure(suspect, throttle.rest_until)


def test_others_rest_too_while_a_lane_fails() -> None:
    """Or they would take what a limiter leaves, and the one that fails would fail for ever."""
    throttle = Throttle()
    throttle.failure(PAGE, NOW)
    throttle.failure(PAGE, NOW + timedelta(seconds=1))
    head = replace(PAGE, lane=Lane.FRESH, offset=0)
    throttle.answered(head, NOW + timedelta(seconds=2.1))
    assert throttle.rest_until == NOW + timedelta(seconds=3.1)
    assert throttle.most(NOW + timedelta(seconds=3.2), 2) == 1
    assert throttle.most(NOW + timedelta(seconds=60), 2) == 2
