"""Roll-ups are refreshed beside a run and at its end; a stop, and a database that fails, are no obstacle."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from replicator.errors import DatabaseUnavailable
from replicator.service import rollup_refresh
from replicator.service.rollup_refresh import refreshed
from replicator.store import rollups
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from collections.abc import Callable

    from replicator.store.database import Database

STALE = "SELECT count(*) FROM rollup.stale"


def count(database: Database, query: str = STALE) -> int:
    with database.connection() as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_after_a_sync_every_day_is_kept(database: Database) -> None:
    """What the sync has touched is computed when it ends, and no report counts calls any more."""
    with source(database, calls=60) as there, refreshed(database, threading.Event()):
        there.sync()
        assert count(database) > 0
    assert count(database) == 0
    assert count(database, "SELECT sum(calls)::int FROM rollup.funnel") == 60


def test_days_are_computed_while_the_run_goes_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first sync of hours does not leave its reports slow until it ends."""
    monkeypatch.setattr(rollup_refresh, "PAUSE_SECONDS", 0.05)
    with source(database, calls=60) as there, refreshed(database, threading.Event()):
        there.sync()
        wait_until(lambda: count(database) == 0)


def test_a_stop_leaves_the_rest_touched(database: Database) -> None:
    """Whoever pressed Ctrl-C does not wait for roll-ups."""
    stop = threading.Event()
    with source(database, calls=60) as there, refreshed(database, stop):
        there.sync()
        touched = count(database)
        stop.set()
    assert count(database) == touched > 0


@pytest.mark.slow
def test_a_database_that_fails_in_the_middle_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run beside it meets the same database and says so; the next refresh does the work."""
    real, tries = rollups.refresh, []

    def fails_once(*arguments: Any, **options: Any) -> int:
        tries.append(1)
        if len(tries) == 1:
            raise DatabaseUnavailable("the database is away")
        return real(*arguments, **options)

    monkeypatch.setattr(rollup_refresh, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(rollups, "refresh", fails_once)
    with source(database, calls=20) as there, refreshed(database, threading.Event()):
        there.sync()
        wait_until(lambda: len(tries) > 1 and count(database) == 0)


def test_an_error_of_the_run_is_the_run_s(database: Database) -> None:
    """It is not hidden by a refresh, and none is begun after it."""

    def run() -> None:
        with source(database, calls=20) as there, refreshed(database, threading.Event()):
            there.sync()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert count(database) > 0
