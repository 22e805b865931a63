"""Whole histories in virtual time against a source that moves under the reader."""

from __future__ import annotations

import os
import random

import pytest

from bench.paging import SHAPES, least
from replicator.budget.rules import Budget
from replicator.store.doubts import Doubt
from replicator.sync.coverage.ledger import BEGINNING, Interval
from replicator.sync.engine import answers
from tests.fix_planted_bugs import naive
from tests.sync.fix_list_history import History, Shape, random_shape

pytestmark = pytest.mark.pure


HISTORIES = int(os.environ.get("LIST_HISTORIES", "600"))
CHUNKS = 20


def failures(seeds: range) -> list[str]:
    found = []
    for seed in seeds:
        history = History(seed, random_shape(random.Random(seed))).run()
        found += [f"seed {seed}, {history.shape}: {problem}" for problem in history.check()[:1]]
    return found


def test_a_few_histories_lose_nothing() -> None:
    """As below, in a second or two."""
    assert failures(range(5)) == []


@pytest.mark.slow
def test_some_histories_lose_nothing() -> None:
    """No call that lived through a proven interval is missing, no window is overrun, and every history ends."""
    assert failures(range(60)) == []


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_many_histories_lose_nothing(chunk: int) -> None:
    """The same over LIST_HISTORIES (600 unless told) histories."""
    size = HISTORIES // CHUNKS
    assert failures(range(1000 + chunk * size, 1000 + (chunk + 1) * size)) == []


def test_a_quiet_source_is_proven_to_its_beginning() -> None:
    """Where the list does not move, everything is proven, down to before the first call."""
    for seed, calls in enumerate((1, 99, 100, 101, 999)):
        history = History(seed, Shape(calls=calls)).run()
        assert history.check() == []
        ledger = history.state.ledger
        assert ledger.is_proven(Interval(BEGINNING, ledger.top))
        assert len(history.stored) == calls


@pytest.mark.slow
@pytest.mark.parametrize("source", [name for name, shape in SHAPES.items() if not shape.churn])
def test_a_quiet_list_costs_no_request_more_than_any_proof_needs(source: str) -> None:
    """One row of overlap and whole groups of ties are what a proof needs; the walk spends nothing beyond, and with half of
    all instants holding up to 30 calls that is less than 15 % over naive paging.
    """
    history = History(7, SHAPES[source])
    fewest = least(history)
    assert history.run().list_requests == fewest <= 1.15 * history.shape.calls / 100


@pytest.mark.slow
@pytest.mark.parametrize("source", [name for name, shape in SHAPES.items() if shape.churn])
def test_a_moving_list_costs_little_more(source: str) -> None:
    """Where rows vanish above, the walk takes as much slack as it sees to be needed: a tenth more than the least."""
    history = History(7, SHAPES[source])
    fewest = least(history)
    assert history.run().list_requests <= 1.1 * fewest
    assert not any("missing" in problem for problem in history.check())


def test_ties_up_to_nearly_a_page_are_proven() -> None:
    """A group of 90 calls with one created_at is held by one page between strictly newer and older rows."""
    history = History(5, Shape(calls=400, tie_share=0.5, largest_tie=90)).run()
    assert history.check() == []
    assert history.unsure == []


def test_a_tie_group_about_as_large_as_a_page_loses_nothing() -> None:
    """Where a page ends inside such a group, what joins it to the next page is a strictly newer row, never one of the group."""
    shape = Shape(calls=101, tie_share=0.5, largest_tie=150, has_details=False)
    assert [problem for seed in range(20) for problem in History(seed, shape).run().check()] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1591, 1701])
def test_questions_for_missing_calls_are_not_asked_in_vain(seed: int) -> None:
    """With six requests in two minutes and a dozen missing calls, each window has room for the control after its questions."""
    history = History(seed, random_shape(random.Random(seed)))
    assert history.shape.limit == 3
    assert history.run().check() == []
    assert history.requests < 1000


@pytest.mark.slow
def test_a_tie_group_larger_than_a_page_is_reported() -> None:
    """What cannot be proven by offset, at a source that knows no filters, is said to be unsure, and the histories around it
    are complete.
    """
    shape = Shape(calls=600, tie_share=0.9, largest_tie=260)
    reasons = {reason for seed in range(20) for reason in History(seed, shape).run().unsure}
    assert Doubt.UNHONOURED in reasons


def test_a_list_without_total_is_never_called_proven_to_its_end() -> None:
    """Without a total an empty page does not prove the end: a deletion may have hidden a row from both looks."""
    history = History(7, Shape(calls=250, has_total=False)).run()
    assert len(history.stored) == 250
    assert Doubt.NO_TOTAL in history.unsure


def test_an_unsorted_list_is_read_in_whole_passes_and_unsure() -> None:
    """A source that lists oldest first is read completely, and its replica is not called proven."""
    history = History(11, Shape(calls=350, is_ascending=True)).run()
    assert history.check() == []
    assert len(history.stored) == 350
    assert history.unsure


@pytest.mark.slow
def test_the_simulation_finds_a_naive_pager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle can see: a pager without overlap loses calls to deletions and to ties, and is caught at both."""
    monkeypatch.setattr(answers, "advance", naive)
    for shape in (Shape(calls=400, churn=4), Shape(calls=400, tie_share=0.9, largest_tie=30)):
        problems = [problem for seed in range(20) for problem in History(seed, shape).run().check()]
        assert any("missing" in problem for problem in problems)


def test_the_simulation_finds_a_budget_that_forgets_requests_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle can see: without charging late arrivals to the next window, a window is overrun."""
    monkeypatch.setattr(Budget, "completed", lambda self, *_: self)
    monkeypatch.setattr(Budget, "allowance", lambda self, _: self.limit)
    shape = Shape(calls=150, limit=20, window_seconds=1.0)
    assert any("more than 20" in problem for seed in range(10) for problem in History(seed, shape).run().check())
