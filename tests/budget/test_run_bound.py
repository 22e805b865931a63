"""Every run ends: whatever a source answers, within a bound of requests that is stated in docs/promises.md.

The real client, engine and database; only the wire is a function. Pauses are real for the engine and short for us: its clock
goes faster than ours.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from replicator.budget import run_bound
from replicator.budget.durable import Limits
from replicator.budget.run_bound import FREE_BY_ID, FREE_CALLS, FREE_LIST, MOST_BEHIND, TIMES, Bound
from replicator.errors import RateLimited, RequestRefused, SourceError
from replicator.records import Page
from replicator.report.run_line import describe
from replicator.source.client import Reader
from replicator.store import status
from replicator.store.runs import Counters
from replicator.sync.content.details import as_past_the_end
from replicator.sync.coverage.ledger import EVERYTHING
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.walk import Walk
from replicator.sync.engine.failures import REFUSED_PATIENCE, Judge, Verdict
from replicator.sync.options import Report
from replicator.sync.protocol.requests import Outcome, Request
from replicator.sync.run import Options, Run
from tests.sync.fix_hostile_source import LISTS, SINGLES, Hostile, mixed

if TYPE_CHECKING:
    from replicator.store.database import Database

FASTER = 20
CALLS = 130
IN_FLIGHT = 8 * 64
"""Requests that may be under way when the bound is reached."""
LONGEST = timedelta(hours=6)
"""In the engine's time. Each oddity by itself ends far sooner."""


def run(database: Database, there: Hostile) -> Report | SourceError:
    """Sync once; return the report or the error that the run ended with."""
    began, began_at = time.monotonic(), datetime.now(UTC)

    def clock() -> datetime:
        return began_at + timedelta(seconds=FASTER * (time.monotonic() - began))

    options = Options(base_url="hostile", limits=Limits(None), max_seconds=LONGEST.total_seconds())
    with Reader("https://hostile.example/api/public/v1", "truedy_k", transport=there.transport()) as reader:
        try:
            return Run(database, [("truedy_k", reader)], options, stop=threading.Event(), clock=clock).perform()
        except SourceError as error:
            return error


def stored(database: Database) -> int:
    with database.connection() as connection:
        return int(connection.execute("SELECT count(*) FROM truedy.calls").fetchall()[0][0])


def check(database: Database, there: Hostile) -> Report | SourceError:
    """Run, and see that it ended by itself and within the bound."""
    ended = run(database, there)
    calls = stored(database)
    assert there.by_id <= FREE_BY_ID + TIMES * calls + IN_FLIGHT
    assert there.lists <= FREE_LIST + TIMES * calls + there.by_id + IN_FLIGHT
    if not isinstance(ended, SourceError):
        assert ended.result == "done" or ended.unfinished, "it was stopped by time"
    return ended


FEW = 110
"""Requests for a list of two pages that suffice for nearly every oddity: most walks, passes and searches end by themselves."""
UP_TO_THE_BOUND = {
    "earlier each time", "a list without an end", "a list without an end or a total", "the same id", "one row at a time",
    "rows are null", "rows are lists", "no ids", "seven rows at a time, no total", "created_at at random", "any rows, no total",
    "other ids each time", "cost at random",
}  # fmt: skip
READ_TO_THE_END = {
    "right", "data is null where empty", "data is {calls}", "data is a list in a text", "no body where empty",
    "204 where empty", "404 past the end", "422 past the end", "416 past the end", "400 past the end", "null past the end",
    "nothing past the end", "total in a text", "has_more always", "one row at a time", "a bare list", "no pagination",
    "seven rows at a time, no total", "everything for every offset", "everything, no total", "rows repeated", "any order",
    "oldest first", "created_at null", "created_at equal", "created_at is no instant", "updated_at at random",
    "cost at random", "the clock of 1999", "the clock of 2099", "a clock at random", "total is null", "total is a list",
    "total below zero", "total is huge", "total is the page's", "total grows", "total is round", "total is 0",
    "filters are refused", "500 past the end", "an error past the end", "created_at in the future",
    "every second created_at null", "any order, no total", "half the answers cut",
}  # fmt: skip
"""Oddities in spite of which every call is stored."""


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_a_run_ends_whatever_a_list_answers(database: Database, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends by itself, within the bound; where the calls can be told from the answers, all of them are stored."""
    monkeypatch.setattr(run_bound, "UNCOUNTED_CALLS", 1_500)
    there = Hostile(LISTS[name], CALLS)
    check(database, there)
    if name not in UP_TO_THE_BOUND:
        assert there.lists <= FEW
    if name in READ_TO_THE_END:
        assert stored(database) == CALLS


@pytest.mark.slow
@pytest.mark.parametrize("name", SINGLES)
def test_a_run_ends_whatever_a_detail_answers(database: Database, name: str) -> None:
    """Calls are stored as ever; details are asked for a bounded number of times, and none of these answers is one."""
    there = Hostile(SINGLES[name], 30)
    check(database, there)
    assert stored(database) == 30
    if name != "other words each time":
        with database.connection() as connection:
            assert connection.execute("SELECT count(*) FROM truedy.transcript_segments").fetchall() == [(0,)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(int(os.environ.get("HOSTILE", "8"))))
def test_a_run_ends_whatever_is_drawn_for_each_request(database: Database, seed: int) -> None:
    """Another oddity for each request, for lists and details alike."""
    check(database, Hostile(mixed, CALLS, seed))


def test_an_empty_list_is_not_believed_where_its_total_says_otherwise(database: Database) -> None:
    """null in place of 130 calls: nothing is called read, and the run says so."""
    there = Hostile(LISTS["data is null always"], CALLS)
    ended = run(database, there)
    assert not isinstance(ended, SourceError)
    assert (ended.is_listing_complete, there.lists <= FEW) == (False, True)
    assert "130 calls" in ended.unfinished
    with database.connection() as connection:
        assert connection.execute("SELECT count(*) FROM replicator.coverage WHERE is_proven").fetchall() == [(0,)]


def test_rows_that_repeat_do_not_reach_the_lists_end(database: Database) -> None:
    """Each row twice makes a page of 200 rows; the 30 calls behind it are read all the same."""
    run(database, Hostile(LISTS["rows repeated"], CALLS))
    assert stored(database) == CALLS


@pytest.mark.slow
def test_a_stretch_that_always_fails_is_left_and_said(database: Database) -> None:
    """The second page fails for ever while details are answered: the run ends after some tries, and says what is missing."""
    there = Hostile(LISTS["500 behind the first page"], CALLS)
    ended = run(database, there)
    assert not isinstance(ended, SourceError)
    assert there.lists <= FEW
    assert ended.result == "done"
    assert "fails" in ended.unfinished
    assert not ended.is_listing_complete
    assert "failing" in {gap.code for gap in ended.gaps}
    (failing,) = status.read(database, "default").failing
    assert failing["since"] is None
    assert failing["stored_calls"] <= 1
    run(database, Hostile(LISTS["rows repeated"], CALLS))
    assert stored(database) == CALLS
    assert status.read(database, "default").failing == []


def test_the_bound_is_raised_by_new_calls_only() -> None:
    """Neither a total nor rows that are known already raise it; new calls do, up to what the list had said at first."""
    bound = Bound(stored=1_000).answered(100, 10**12)
    assert bound.most_lists == FREE_LIST + TIMES * 1_000 / 100
    assert bound.answered(100, 10**15).most_lists == bound.most_lists
    grown = Bound(claimed=500, inserted=10**9)
    assert (grown.calls, grown.is_list_spent) == (1_000 + FREE_CALLS, True)
    assert "grows" in grown.why()
    behind = Bound(claimed=500).sliced(150_000).sliced(10**9)
    assert Bound(claimed=500).sliced(70).most_inserted == 2 * 500 + FREE_CALLS + 70
    assert behind.most_inserted == 2 * 500 + FREE_CALLS + MOST_BEHIND
    assert Bound(lists=399).is_list_spent is False
    assert Bound(lists=400).is_list_spent is True
    assert Bound(by_id=FREE_BY_ID).is_by_id_spent is True


def test_the_line_about_a_run_says_what_could_not_be_read() -> None:
    """The log of `serve` and the last line of `sync` name it."""
    report = Report(
        "bounded",
        Counters(),
        1.0,
        0,
        0,
        is_listing_complete=False,
        next_due_at=None,
        unfinished="it grows as it is read",
    )
    assert describe(report).endswith("not all could be read: it grows as it is read")


def test_a_source_that_only_refuses_is_left_after_an_hour() -> None:
    """A 429 never fails a run by itself; nothing but 429 for an hour does, and one answer begins the hour anew."""
    judge, now = Judge(), datetime(2026, 3, 1, tzinfo=UTC)
    request = Request(Lane.FRESH, 0, now, Walk(Lane.FRESH, EVERYTHING, 0))
    refused = Outcome(request, now, now, error=RateLimited("refused"))
    assert judge.judge(refused, now) is Verdict.REFUSED
    assert judge.judge(refused, now + REFUSED_PATIENCE) is Verdict.REFUSED
    page = Page((), (), (), 0, 100, 0, None, now)
    assert judge.judge(replace(refused, error=None, page=page), now + REFUSED_PATIENCE) is Verdict.TAKEN
    later = now + REFUSED_PATIENCE + timedelta(seconds=1)
    assert judge.judge(refused, later) is Verdict.REFUSED
    assert judge.judge(refused, later + REFUSED_PATIENCE + timedelta(seconds=1)) is Verdict.FATAL


@pytest.mark.parametrize("status", [400, 404, 410, 416, 422])
def test_a_refusal_behind_the_last_row_is_the_end_of_the_list(status: int) -> None:
    """Behind the rows that the total says it is an empty page; before them, or at the list's beginning, it is a refusal."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    error = RequestRefused("refused", status=status)

    def seen(walk: Walk) -> Outcome:
        return as_past_the_end(Outcome(Request(Lane.BACKFILL, 0, now, walk), now, now, error=error))

    behind = seen(Walk(Lane.BACKFILL, EVERYTHING, 130, total=130))
    assert behind.error is None
    assert behind.page is not None
    assert (behind.page.rows, behind.page.total) == (0, None)
    assert seen(Walk(Lane.BACKFILL, EVERYTHING, 129, total=130)).error is error
    assert seen(Walk(Lane.BACKFILL, EVERYTHING, 0, total=0)).error is error
    assert seen(Walk(Lane.BACKFILL, EVERYTHING, 130)).error is error
