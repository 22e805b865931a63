"""A day of a full backlog in virtual time: clocks apart, clocks that are set, servers that tell the time in seconds only."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from replicator.budget.rules import Budget, Completion

pytestmark = pytest.mark.slow

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
LIMIT, WINDOW, WORKERS = 100, 60.0, 8


@dataclass
class Day:
    """Sends whatever the budget allows. `now` is true time; our clock is `ours` ahead of it, the server's `skew`."""

    skew: timedelta
    says: str = "microseconds"
    """How the server tells its time: microseconds, seconds (cut), nothing."""
    step: timedelta = timedelta(0)
    """By how much our clock is set after noon, in a window that is half used."""
    restarts: bool = False
    """Where set, that happens between two processes."""
    hours: int = 24
    counted: Counter[int] = field(default_factory=Counter)
    """Requests in each window of the server."""
    stepped_in: int | None = None

    def run(self) -> Day:
        rng = random.Random(5)
        end, noon = MIDNIGHT + timedelta(hours=self.hours), MIDNIGHT + timedelta(hours=self.hours / 2)
        budget, now, ours = Budget(LIMIT, WINDOW), MIDNIGHT + timedelta(seconds=17.3), timedelta(0)
        flying: list[tuple[datetime, int, datetime, datetime]] = []
        sent = 0
        while now < end:
            is_half_used = self.counted[self._window(now)] >= LIMIT // 2
            is_ending = self.step and self.stepped_in is None and now >= noon and is_half_used
            if is_ending and not (self.restarts and flying):
                ours, self.stepped_in = self.step, self._window(now)
                budget = replace(budget, is_clock_seen=budget.is_clock_seen and not self.restarts)
            clock = now + ours
            is_ending = is_ending and self.stepped_in is None  # an ending process waits for its answers
            free = 0 if is_ending else min(WORKERS - len(flying), budget.allowance(clock) or 0)
            if free > 0:
                budget = budget.charge(clock, free)
                for _ in range(free):
                    sent += 1
                    arrives = now + timedelta(seconds=0.02 + rng.expovariate(20))
                    lands = arrives + timedelta(seconds=0.02 + rng.expovariate(20))
                    self.counted[self._window(arrives)] += 1
                    heapq.heappush(flying, (lands, sent, clock, arrives))
            opens = budget.opens_at(clock) - ours
            if not flying or (len(flying) < WORKERS and flying[0][0] > opens > now):
                now = max(opens, now + timedelta(milliseconds=1))
                continue
            lands, _, sent_at, arrived = heapq.heappop(flying)
            now = max(now, lands)
            budget = budget.completed(Completion(sent_at, now + ours, self._said(arrived)))
        return self

    def _window(self, at: datetime) -> int:
        return int((at + self.skew).timestamp() // WINDOW)

    def _said(self, at: datetime) -> datetime | None:
        if self.says == "nothing":
            return None
        told = at + self.skew
        return told.replace(microsecond=0) if self.says == "seconds" else told

    @property
    def utilisation(self) -> float:
        return sum(self.counted.values()) / (LIMIT * self.hours * 3600 / WINDOW)


@pytest.mark.slow
@pytest.mark.parametrize("says", ["microseconds", "seconds"])
@pytest.mark.parametrize("skew", [-90, -30.5, 0, 90])
def test_a_day_of_backlog_uses_the_limit_and_never_exceeds_it(skew: float, says: str) -> None:
    """With our clock up to 90 s wrong, each of the day's 1,440 minutes of the server holds at most 100 requests, and at
    least 95 % of what is allowed is used.
    """
    day = Day(timedelta(seconds=skew), says).run()
    assert max(day.counted.values()) <= LIMIT
    assert day.utilisation >= 0.95


def test_a_server_that_never_tells_the_time_is_not_overrun() -> None:
    """Then windows may lie anywhere: the limit holds at the price of half of what is allowed."""
    day = Day(timedelta(seconds=90), "nothing", hours=2).run()
    assert max(day.counted.values()) <= LIMIT


@pytest.mark.parametrize("says", ["microseconds", "seconds"])
@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_under_a_budget(hours: int, says: str) -> None:
    """Were our clock set by an hour in the middle of a run (a run's clock is steady, so it is not): backwards, the limit
    holds but for the requests under way; forwards, the counts of the one window of that moment are forgotten, and it can
    be used twice. Every other window holds.
    """
    day = Day(timedelta(seconds=20), says, step=timedelta(hours=hours), hours=2).run()
    assert {window for window, count in day.counted.items() if count > LIMIT} <= {day.stepped_in}
    assert max(day.counted.values()) < (LIMIT + WORKERS if hours < 0 else 2 * LIMIT)
    assert day.utilisation >= 0.95


@pytest.mark.parametrize("says", ["microseconds", "seconds"])
@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_between_two_runs(hours: int, says: str) -> None:
    """The next process finds windows named by a clock that was set since: it asks once, learns, and keeps to the counts
    of before. One request too many in that one window is what it can cost.
    """
    day = Day(timedelta(seconds=20), says, step=timedelta(hours=hours), restarts=True, hours=2).run()
    assert {window for window, count in day.counted.items() if count > LIMIT} <= {day.stepped_in}
    assert max(day.counted.values()) <= LIMIT + 1
    assert day.utilisation >= 0.95
