"""The service in virtual time: what is new is prompt while history is read, no lane starves, and delays keep their bound.

The large version of this, a million calls of history over hours, is bench/service.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bench.service import Service, Simulation
from replicator.budget.rules import KEPT_SHARE, Budget, ClockOffset
from replicator.sync.coverage.ledger import BEGINNING, Interval, Ledger, Piece, RenewalPolicy, RenewalRule
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.walk import Walk
from replicator.sync.engine.freshness import delays
from replicator.sync.engine.planner import choose, goals
from replicator.sync.engine.state import State

pytestmark = pytest.mark.pure


NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.slow
@pytest.mark.parametrize("latency", [(0.1, 0.4), (0.005, 0.02)], ids=["usual", "quick"])
def test_a_call_that_ends_now_is_prompt_while_history_is_read(latency: tuple[float, float]) -> None:
    """Within two polling intervals (p95) call and transcript are stored, while history gets 95 % of what is left, the
    limit is kept, every lane gets its turn within a window or so, and nothing is forgotten.
    """
    service = Service(hours=0.4, backlog=100_000, latency_seconds=latency)
    there = Simulation(service).run()
    figures = there.figures()
    assert figures["judged_transcripts"] > 20
    assert figures["p95_seconds"] <= 120
    assert figures["end_p95_seconds"] <= 62
    assert figures["history_share_of_the_rest"] >= 0.95
    assert figures["used_a_minute"] >= 0.99 * 95
    assert (figures["never_stored"], figures["over_the_limit"]) == (0, 0)
    assert max(there.measured.longest_wait.values()) <= 61
    assert there.measured.longest_wait[Lane.FRESH] <= 5
    # The guaranteed share of the list lanes is one: history is listed, not only its details are read.
    assert there.measured.requests[Lane.BACKFILL] >= 0.15 * 95 * 24


def test_a_quiet_service_is_prompt_too() -> None:
    """Without history a run ends in a second and the next begins a minute later: a transcript that was not there yet is
    asked for again in each of them.
    """
    figures = Simulation(Service(hours=1, backlog=50)).run().figures()
    assert figures["p95_seconds"] <= 62
    assert figures["never_stored"] == 0
    assert figures["used_a_minute"] < 20


def policy(*rules: tuple[float, float]) -> RenewalPolicy:
    """Return a policy from (age in hours, minutes between two looks)."""
    return RenewalPolicy(tuple(RenewalRule(timedelta(hours=age), timedelta(minutes=every)) for age, every in rules))


@pytest.mark.slow
@pytest.mark.parametrize("oldest_every", [30, 20], ids=["kept up with", "falling behind"])
def test_no_look_is_older_than_the_bound(oldest_every: float) -> None:
    """While details of history use up all that is left, every stretch of every age class is read again within the
    bound that is computed for it; also of a class that is more than can be read in its time.
    """
    rules = policy((2, 10), (24, 20), (10**5, oldest_every))
    service = Service(hours=2, backlog=20_000, policy=rules)
    there = Simulation(service).run()
    assert there.measured.requests[Lane.BACKLOG] > 5000
    calls = [2 * 120, 22 * 120, 20_000 - 22 * 120]
    bounds = delays([(rule.every.total_seconds(), count) for rule, count in zip(rules.rules, calls, strict=True)], 95)
    # Until the list was read once, there is nothing to be renewed.
    for number, delay in enumerate(bounds, 1):
        assert delay.bound_seconds is not None
        assert there.measured.longest_look[number] <= delay.bound_seconds, number
    assert there.measured.longest_look[3] > 0.4 * (bounds[2].bound_seconds or 0), "the bound says nothing"


def test_a_renewal_of_young_calls_interrupts_one_of_old_calls() -> None:
    """The old stretch goes on later; within one class nothing interrupts, or its older part would never be read."""
    rules = policy((6, 10), (10**5, 24 * 60))
    young, old = NOON - timedelta(hours=6), NOON - timedelta(days=30)
    ledger = Ledger(
        (
            Piece(BEGINNING, young, NOON - timedelta(days=2)),
            Piece(young, NOON, NOON - timedelta(minutes=11)),
        )
    )
    walk = Walk(Lane.RENEWAL, Interval(BEGINNING, old), offset=5000)
    state = State(ledger, rules, walks={Lane.RENEWAL: walk}, head_asked_at=NOON)
    assert [goal.hole for goal in goals(state, NOON)] == [Interval(young, NOON)]
    same = State(ledger, rules, walks={Lane.RENEWAL: Walk(Lane.RENEWAL, Interval(young, NOON), 0)}, head_asked_at=NOON)
    assert goals(same, NOON) == []
    flying = State(ledger, rules, walks={Lane.RENEWAL: walk}, head_asked_at=NOON, in_flight={Lane.RENEWAL: 1})
    assert goals(flying, NOON) == []


def test_the_stretch_with_the_oldest_look_goes_first() -> None:
    """Of one age class: not the newest, and all that is due and connected with it."""
    at = [NOON - timedelta(hours=hours) for hours in (5, 4, 3, 2, 1)]
    looked = [NOON - timedelta(minutes=minutes) for minutes in (20, 30, 1, 25)]
    ledger = Ledger(tuple(Piece(at[i], at[i + 1], looked[i]) for i in range(4)))
    assert ledger.due(NOON, policy((6, 10), (10**5, 60))) == Interval(at[0], at[2])
    ledger = Ledger((*ledger.pieces[:3], Piece(at[3], at[4], NOON - timedelta(minutes=40))))
    assert ledger.due(NOON, policy((6, 10), (10**5, 60))) == Interval(at[3], at[4])


def test_what_can_wait_leaves_a_part_of_the_window() -> None:
    """At a window's beginning two fifths are kept; what is kept is given out evenly, all of it before the window ends."""
    budget = Budget(100, 60.0, ClockOffset(timedelta(0), timedelta(0)), is_clock_seen=True)
    assert KEPT_SHARE == 0.4
    assert budget.spare(NOON) == 60
    assert budget.spare(NOON + timedelta(seconds=30)) == 80
    assert budget.spare(NOON + timedelta(seconds=59)) == 100
    spent = budget.charge(NOON, 60)
    assert (spent.spare(NOON), spent.allowance(NOON)) == (0, 40)
    assert NOON < spent.spares_at(NOON) <= NOON + timedelta(seconds=2)
    assert spent.spare(NOON + timedelta(seconds=3)) == 2
    assert Budget(None).spare(NOON) is None
    # While the clocks are not known there is one request at a time, and nothing is kept of that.
    assert Budget(100, 60.0).spare(NOON) == 1


def test_only_lanes_that_can_wait_are_held_back() -> None:
    """Without a spare request the head and details of calls that just ended are sent, history is not."""
    state = State(Ledger(), details={Lane.DETAIL: 2, Lane.BACKLOG: 9})
    assert choose(state, NOON, 9, 0) == [Lane.FRESH, Lane.DETAIL, Lane.DETAIL]
    assert choose(state, NOON, 9, 5) == [Lane.FRESH, Lane.DETAIL, Lane.DETAIL, Lane.BACKLOG, Lane.BACKLOG]
    assert len(choose(state, NOON, 20)) == 12
