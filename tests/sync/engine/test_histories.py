"""Whole histories of the engine, chaos then heal: safe at every step, and equal to the source in the end."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from replicator.errors import NotFound
from replicator.sync.content import calls, details
from replicator.sync.content import missing as missing_module
from replicator.sync.deletions import probes, rules
from replicator.sync.engine import planner
from tests.sync.fix_history import Shape, Whole, failures

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

pytestmark = pytest.mark.pure


HISTORIES = int(os.environ.get("HISTORIES", "2000"))
CHUNKS = 50


def test_a_few_histories_end_well() -> None:
    """As below, in a second or two."""
    assert failures(range(5)) == []


def test_what_is_not_stored_yet_counts_when_another_process_was_faster() -> None:
    """Seed 13898: with the offset of the clocks, the first request was found to belong to another window; before that was
    stored, another process charged the key, the books were read again, and the window held one request too many.
    """
    assert failures([13898]) == []


def test_what_an_answer_moved_to_another_window_is_stored_at_the_end_of_a_run() -> None:
    """Seed 25518: a run ended after that without another commit, and the next one sent one request too many."""
    assert failures([25518]) == []


def test_a_row_that_moves_during_the_last_run_may_be_stored_as_it_was() -> None:
    """Seed 33037: the transcript that a row carries came a third of a second after the row was read."""
    assert failures([33037]) == []


@pytest.mark.slow
def test_some_histories_end_well() -> None:
    """No call is lost inside what is proven, none is called deleted that lives, no window is overrun, and when the chaos
    ends the replica becomes what the source is: the same live calls with their latest content and their transcripts.
    """
    assert failures(range(40)) == []


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_many_histories_end_well(chunk: int) -> None:
    """The same over HISTORIES (2,000 unless told; `make campaigns` runs 10,000) histories. A failing seed replays: `failures([seed])`."""
    size = HISTORIES // CHUNKS
    assert failures(range(1000 + chunk * size, 1000 + (chunk + 1) * size)) == []


def test_a_seed_replays() -> None:
    """The same seed gives the same history, to the last request."""
    shape = Shape(churn=1.0, faults=0.1, kills=0.02, largest_tie=5)
    one, two = Whole(5, shape).run(), Whole(5, shape).run()
    assert (one.requests, one.kills, one.now, one.counts) == (two.requests, two.kills, two.now, two.counts)
    assert {i: c.content for i, c in one.replica.calls.items()} == {i: c.content for i, c in two.replica.calls.items()}


SPOKEN = Shape(calls=100, churn=0.5, spoken=0.4, provider=0.05, faults=0.1)


def test_transcripts_are_what_the_source_has() -> None:
    """Transcripts that come late, are replaced, hide behind 404s and a provider that fails are all there in the end, but
    for the few of which nothing told.
    """
    histories = [Whole(seed, SPOKEN).run() for seed in range(6)]
    assert [problem for history in histories for problem in history.check()] == []
    assert sum(history.transcripts for history in histories) > 100
    assert sum(history.blind for history in histories) < 10


def polls(rank: int, minutes: int = 8) -> tuple[list[int], Whole, UUID]:
    """Poll a quiet source each minute, in which one row cannot be read; return the requests of each poll but the first.

    Nothing is re-read on credit.
    """
    history = Whole(1, Shape(calls=300))
    history.is_healed, history.renewal_share = True, 0
    bad = history.order[-1 - rank][2]
    history.poisoned.add(bad)
    counts = []
    for _ in range(minutes):
        before = history.requests
        history._process()
        counts.append(history.requests - before)
        history.now += timedelta(seconds=61)
    return counts[1:], history, bad


@pytest.mark.parametrize("rank", [1, 5, 50, 99])
def test_a_row_that_cannot_be_read_costs_a_poll_nothing(rank: int) -> None:
    """Once it is isolated, pages are kept clear of it: after one search for where the totals differ, a poll is one request.
    An hour later it is looked at again, and what can be read by then is stored.
    """
    counts, history, bad = polls(rank)
    assert counts[0] <= 6  # the search meets it, and asks again after real rests
    assert set(counts[1:]) == {1}
    history.poisoned.clear()
    history._process()
    assert bad not in history.replica.calls
    history.now += timedelta(hours=1)
    history._process()
    assert bad in history.replica.calls
    assert history.check() == []


def test_what_is_new_is_found_above_a_row_that_cannot_be_read() -> None:
    """New calls push it down: they are read all the same, for a few requests each, also where they are more than the rows
    that were known to come before it.
    """
    counts, history, _ = polls(3)
    for burst in (1, 2, 9, 40):
        for one in range(burst):
            history._born(history.now - timedelta(seconds=6 + one))
        before = history.requests
        history._process()
        counts.append(history.requests - before)
        history.now += timedelta(seconds=61)
    assert max(counts[1:]) <= 45
    assert sum(counts[-4:]) <= 70
    assert history.check() == []


HARD = Shape(churn=1.0, blackouts=0.03, kills=0.02, chaos_requests=80)


def problems(shape: Shape, until: str, seeds: int = 25) -> str:
    """Return the problems of the histories of a shape, as far as the first that has one with these words."""
    found: list[str] = []
    for seed in range(seeds):
        if any(until in problem for problem in found):
            break
        history = Whole(seed, shape)
        try:
            found += history.run().check()
        except (AssertionError, IndexError, ValueError) as error:
            found.append(repr(error))
    return "\n".join(found)


def deleted_at_once(prober: probes.Prober, probe: probes.Probe, outcome: Any) -> list[rules.Absence]:
    """One 404, and no control."""
    at = outcome.sent_at
    if probe.absence is None or not isinstance(outcome.error, NotFound):
        return completed(prober, probe, outcome)
    prober.asked.discard(probe.absence.id)
    return [replace(probe.absence, misses=2, missed_at=at, due_at=None, state="deleted", confirmed_at=at)]


completed, missing = probes.Prober.completed, details.missing_detail


def final_at_once(*asked: Any, is_fault: bool, **how: Any) -> Any:
    """The first 404 past the deadline is a fact, as it was in earlier releases."""
    row = missing(*asked, is_fault=is_fault, **how)
    return row if is_fault else replace(row, state="absent_final", due_at=None)


def given_up(*asked: Any, is_fault: bool, **how: Any) -> Any:
    row = missing(*asked, is_fault=is_fault, **how)
    return replace(row, state="gave_up", due_at=None) if is_fault else row


PLANTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Shape, str]] = {
    "delete on the first absence": (
        lambda m: m.setattr(probes.Prober, "completed", deleted_at_once), replace(HARD, churn=2.0, blackouts=0.08),
        "lives and was called deleted",
    ),
    "never look for deletions": (lambda m: m.setattr("replicator.sync.engine.position.claims", lambda *_: []), HARD, "is gone"),
    "overwrite whatever comes": (
        lambda m: m.setattr(calls, "compare", lambda known, _: calls.Change.CHANGED if known else calls.Change.NEW),
        Shape(churn=6.0, chaos_requests=120, faults=0.1), "went back",
    ),
    "never renew": (
        lambda m: (m.setattr(planner, "_stale", lambda *_: None), m.setattr("replicator.sync.coverage.ledger.Ledger.due", lambda *_: None))[0],
        HARD, "old content",
    ),
    "no renewal credit": (lambda m: m.setattr(planner, "_stale", lambda *_: None), Shape(churn=1.0), "old content after 1 h"),
    "stamps are believed whatever they say": (
        lambda m: (m.setattr(calls, "is_in_the_future", lambda *_: False), m.setattr(calls, "_is_shown_again", lambda *_: False))[0],
        Shape(churn=2.0, lies=0.5), "old content",
    ),
    "an empty transcript is believed at once": (
        lambda m: m.setattr(missing_module, "BELIEVED_LOOKS", 1) or m.setattr(missing_module, "BELIEVED_AFTER", timedelta(0)),
        replace(SPOKEN, waves=0.1), "has another transcript",
    ),
    "never look at a transcript again": (
        lambda m: m.setattr(calls, "_has_moved_since", lambda *_: False), SPOKEN, "has another transcript",
    ),
    "the first 404 is the last": (lambda m: m.setattr(details, "missing_detail", final_at_once), SPOKEN, "none is stored: absent_final"),
    "a provider's fault is final": (lambda m: m.setattr(details, "missing_detail", given_up), SPOKEN, "none is stored: gave_up"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTS)
def test_the_simulation_sees(plant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these faults, planted in the engine, shows up as a problem of the history."""
    how, shape, says = PLANTS[plant]
    assert says not in problems(shape, says)
    how(monkeypatch)
    assert says in problems(shape, says)
