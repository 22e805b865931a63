"""Every run ends: whatever a source answers, within a bound of requests that is stated in docs/promises.md.

The real client, engine and database; only the wire is a function. Pauses are real for the engine and short for us: its clock
goes faster than ours.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hostile import LISTS, Hostile

from replicator.errors import SourceError
from replicator.source.client import Reader
from replicator.sync.bounds import FREE_BY_ID, FREE_LIST, TIMES
from replicator.sync.run import Options, Run
from replicator.sync.spending import Limits

if TYPE_CHECKING:
    from replicator.store.database import Database
    from replicator.sync.shapes import Report

FASTER = 20
CALLS = 130
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
    calls = min(stored(database), 2 * 10**15)
    by_id = FREE_BY_ID + TIMES * calls
    assert there.by_id <= by_id + 8
    assert there.lists <= FREE_LIST + TIMES * calls + there.by_id + 8
    if not isinstance(ended, SourceError):
        assert ended.result == "done" or ended.unfinished, "it was stopped by time"
    return ended


READ_TO_THE_END = {
    "right", "data is null where empty", "data is {calls}", "data is a list in a text", "no body where empty",
    "204 where empty", "404 past the end", "422 past the end", "416 past the end", "400 past the end", "null past the end",
    "nothing past the end", "total in a text", "has_more always", "one row at a time", "a bare list", "no pagination",
    "seven rows at a time, no total", "everything for every offset", "everything, no total", "rows repeated", "any order",
    "oldest first", "created_at null", "created_at equal", "created_at is no instant", "updated_at at random",
    "cost at random", "the clock of 1999", "the clock of 2099", "a clock at random", "total is null", "total is a list",
    "total below zero", "total changes", "total grows", "total falls", "total is round", "500 half of the time",
    "filters are refused", "500 past the end", "an error past the end", "created_at in the future",
    "half the answers cut", "total is the page's", "every second created_at null",
}  # fmt: skip
"""Oddities in spite of which every call is stored."""


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_a_run_ends_whatever_a_list_answers(database: Database, name: str) -> None:
    """It ends by itself, within the bound; where the calls can be told from the answers, all of them are stored."""
    there = Hostile(LISTS[name], CALLS)
    check(database, there)
    if name in READ_TO_THE_END:
        assert stored(database) == CALLS
