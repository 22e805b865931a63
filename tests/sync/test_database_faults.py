"""What a database may do to a sync: locks, deaths in the middle of a migration; and what a sync never does to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.simulator.switches import Switches
from replicator.store import database as room
from replicator.store import migrate, schema_check
from tests.fix_commands import TOP
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from replicator.store.database import Database

FREE = Switches(limit=None)


@pytest.mark.slow
def test_a_lock_that_somebody_holds_is_waited_for(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table is locked exclusively for longer than the lock timeout: the sync tries again, and loses nothing."""
    monkeypatch.setattr(room, "LOCK_TIMEOUT_SECONDS", 1)
    with source(database, calls=600, switches=replace(FREE, latency_seconds=0.02)) as there:
        done: list[object] = []
        thread = threading.Thread(target=lambda: done.append(there.sync()))
        thread.start()
        until = time.monotonic() + 30
        while there.api.log.requests < 30 and time.monotonic() < until:
            time.sleep(0.005)
        with psycopg.connect(database_url) as other:
            other.execute("LOCK TABLE truedy.calls IN ACCESS EXCLUSIVE MODE")
            time.sleep(4)
            assert thread.is_alive()
            other.rollback()
        thread.join(60)
        assert done
        assert there.differences() == []


def test_no_transaction_is_held_across_a_request(database: Database, database_url: str) -> None:
    """While a slow source is asked, none of our connections is idle in a transaction."""
    ending, longest = threading.Event(), [0.0]

    def watch() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            while not ending.wait(0.01):
                row = connection.execute(
                    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - state_change)), 0)::float8 "
                    "FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
                ).fetchone()
                assert row is not None
                longest[0] = max(longest[0], row[0])

    with source(database, calls=150, switches=replace(FREE, latency_seconds=0.3)) as there:
        watcher = threading.Thread(target=watch)
        watcher.start()
        there.sync(max_requests=12)
        ending.set()
        watcher.join()
    assert longest[0] < 0.25


@pytest.mark.slow
def test_a_migration_that_is_killed_changes_nothing(empty_database: str) -> None:
    """`replicator migrate` is killed at twelve moments: what is there afterwards is all or nothing, and the next one works."""
    for number in range(12):
        process = subprocess.Popen(
            [sys.executable, "-m", "replicator", "migrate"],
            cwd=TOP,
            env={**os.environ, "DATABASE_URL": empty_database},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.5 + number * 0.06)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with psycopg.connect(empty_database) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname IN ('truedy', 'replicator')"
            ).fetchone()
            assert row is not None
            is_versioned = connection.execute("SELECT to_regclass('replicator.schema_version')").fetchone() != (None,)
        assert (row[0] > 10) == is_versioned
        if is_versioned:
            with psycopg.connect(empty_database, autocommit=True) as connection:
                connection.execute("DROP SCHEMA truedy, replicator, rollup, billing, analytics CASCADE")
    assert migrate.migrate(empty_database).after == schema_check.revisions()[-1]
