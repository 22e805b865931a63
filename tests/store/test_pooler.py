"""Behind a transaction pooler, where a session is shared with strangers: everything works, and one writes."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.archive.verification import inspection
from replicator.budget.durable import Limits
from replicator.errors import LeaseHeld, LeaseLost
from replicator.simulator.api import KEY
from replicator.simulator.switches import Switches
from replicator.store import lease, migrate, schema_check
from replicator.store.database import Database
from tests import fix_pooler
from tests.fix_commands import TOP, start
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.store import embedded
    from tests.sync.fix_source import Setting

FREE = Switches(limit=None)
WRITTEN = (
    "SELECT (SELECT max(xmin::text::bigint) FROM truedy.calls), (SELECT count(*) FROM truedy.call_versions), "
    "(SELECT max(xmin::text::bigint) FROM truedy.transcripts), (SELECT max(xmin::text::bigint) FROM replicator.coverage), "
    "(SELECT max(id) FROM replicator.runs)"
)
"""What moves when a row of the mirror or of the ledger is written."""


@pytest.fixture(scope="session")
def pooler_port(postgres_server: embedded.Server, reachable_folder: Path) -> Iterator[int]:
    """The port of a running PgBouncer. Without one the tests are skipped, and where CI says that it is CI they fail."""
    program = fix_pooler.binary()
    if program is None:
        reason = "pgbouncer is not installed (Debian: apt-get install pgbouncer)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with fix_pooler.running(program, postgres_server, reachable_folder / "pooler") as port:
        yield port


@pytest.fixture
def pooled_url(database_url: str, pooler_port: int) -> str:
    """The URL of a new, migrated database behind the pooler."""
    return fix_pooler.through(database_url, pooler_port)


@pytest.fixture
def pooled(pooled_url: str) -> Iterator[Database]:
    """The same, open."""
    opened = Database(pooled_url)
    yield opened
    opened.close()


def settings(there: Setting, url: str) -> dict[str, str]:
    return {
        "TRUEDY_API_KEY": KEY,
        "TRUEDY_BASE_URL": there.base_url,
        "TRUEDY_REQUESTS_PER_MINUTE": "0",
        "DATABASE_URL": url,
    }


def test_the_pooler_shares_sessions(pooled_url: str) -> None:
    """The test bench can see: a session's setting and a session's lock are found, or missing, in somebody else's turn."""
    with psycopg.connect(pooled_url, autocommit=True, prepare_threshold=None) as connection:
        until = time.monotonic() + 20
        pids: set[object] = set()
        while len(pids) < fix_pooler.SERVER_CONNECTIONS and time.monotonic() < until:
            pids.add(connection.execute("SELECT pg_backend_pid()").fetchone())
            time.sleep(0.01)
        assert len(pids) == fix_pooler.SERVER_CONNECTIONS
        connection.execute("SET lock_timeout = '7s'; SELECT pg_advisory_lock(77)")
        shown = {connection.execute("SHOW lock_timeout").fetchone() for _ in range(6)}
        assert shown == {("0",), ("7s",)}


@pytest.mark.slow
def test_a_migration_works_behind_a_pooler(empty_database: str, pooler_port: int) -> None:
    """Tables and views are made through it, once; the second time there is nothing to do."""
    url = fix_pooler.through(empty_database, pooler_port)
    assert migrate.migrate(url).views
    assert list(migrate.migrate(url).views) == []
    database = Database(url)
    schema_check.check(database)
    database.close()


def test_syncs_behind_a_pooler_are_exact(pooled: Database) -> None:
    """A whole sync, changes, and another one: the replica is the source, and the ledger proves it."""
    with source(pooled, calls=350) as there:
        there.sync()
        assert there.differences() == []
        there.world.create(status="completed")
        there.world.update(there.world.live_ids()[20], context={"priority": "high"})
        there.sync()
        assert there.differences() == []
        assert there.value("SELECT bool_and(is_proven) FROM replicator.coverage")


@pytest.mark.slow
def test_hostile_syncs_behind_a_pooler_are_exact(pooled: Database) -> None:
    """With faults, odd text, replaced transcripts and a budget in the database, nothing is lost either, and the books
    know of every request that the source counted.
    """
    switches = FREE.but(
        error_rate=0.05, connection_cut_rate=0.03, nul_and_surrogates_share=0.1, reading_moves_updated_at=True
    )
    with source(pooled, calls=250, switches=switches) as there:
        for _ in range(8):
            report = there.sync(limits=Limits(100_000, 60.0, 0.0))
            if report.details_due == report.details_waiting == 0:
                break
            for table in ("transcripts", "recordings"):
                there.rows(f"UPDATE truedy.{table} SET due_at = now() WHERE due_at IS NOT NULL RETURNING 1")
        assert there.differences() == []
        assert there.value("SELECT sum(charged) FROM replicator.budget_windows") >= there.api.log.requests


def test_what_is_sealed_behind_a_pooler_verifies(pooled: Database) -> None:
    """The hashes are asked for in a pipeline, which the pooler has to pass on."""
    with source(pooled, calls=250) as there:
        there.sync(seals=True)
        there.world.update(there.world.live_ids()[3], context={"newer": True})
        there.sync(seals=True)
        verdict = inspection.verify(pooled, "default", ())
    assert verdict.is_whole
    assert verdict.records > 250


def test_an_idle_sync_behind_a_pooler_writes_no_row(pooled: Database) -> None:
    """Nothing has changed: no row of the mirror is written."""
    with source(pooled, calls=250) as there:
        there.sync()
        there.sync()  # our own reading has moved some rows: this one takes note of that
        before = there.rows(WRITTEN)[0][:3]
        report = there.sync()
        assert report.counters.calls_inserted == report.counters.calls_changed == 0
        assert there.rows(WRITTEN)[0][:3] == before


@pytest.mark.slow
def test_two_processes_behind_a_pooler_are_one_writer(pooled: Database, pooled_url: str) -> None:
    """Two syncs start at the same moment: one works, the other says who holds the lease, nothing is doubled."""
    with source(pooled, calls=250, switches=FREE.but(latency_seconds=0.01)) as there:
        both = [start("sync", "--quiet", cwd=TOP, **settings(there, pooled_url)) for _ in range(2)]
        said = [process.communicate(timeout=60)[1] for process in both]
        assert sorted(process.returncode for process in both) in ([0, 1], [0, 0]), said
        assert there.differences() == []
        assert there.value("SELECT count(*) = count(DISTINCT (call_id, fingerprint)) FROM truedy.call_versions")


def test_a_lease_behind_a_pooler_is_had_by_one(pooled: Database) -> None:
    """Whichever server connection a second one meets, the lease is held; a lock of a session would be anybody's."""
    lease.acquire(pooled, "default", "serve")
    for _ in range(4 * fix_pooler.SERVER_CONNECTIONS):
        with pytest.raises(LeaseHeld):
            lease.acquire(pooled, "default", "sync")


@pytest.mark.slow
def test_a_sleeper_behind_a_pooler_writes_nothing(pooled: Database, pooled_url: str) -> None:
    """A sync is stopped in the middle of its work, its lease runs out, another one takes over and completes. Woken, the
    first one writes no row, and ends with an error that says why.
    """
    with source(pooled, calls=1500, switches=FREE.but(latency_seconds=0.01)) as there:
        sleeper = start("sync", "--quiet", cwd=TOP, **settings(there, pooled_url))
        try:
            until = time.monotonic() + 30
            while not there.value("SELECT count(*) FROM truedy.calls") and time.monotonic() < until:
                time.sleep(0.01)
            sleeper.send_signal(signal.SIGSTOP)
            time.sleep(0.1)
            there.rows("UPDATE replicator.lease SET expires_at = clock_timestamp() RETURNING 1")
            there.api.switches = there.api.switches.but(latency_seconds=0)
            there.sync()
            assert there.differences() == []
            before = there.rows(WRITTEN)
            # What the sleeper has in hand is older than this: it must not come back.
            there.world.update(there.world.live_ids()[3], context={"newer": True})
            there.sync()
            after = there.rows(WRITTEN)
            assert after != before
        finally:
            sleeper.send_signal(signal.SIGCONT)
        _, said = sleeper.communicate(timeout=60)
        assert sleeper.returncode == 1, said
        assert "another replicator has taken over" in said
        assert there.rows(WRITTEN) == after
        assert there.differences() == []


def test_a_lost_lease_is_found_in_every_transaction(pooled: Database) -> None:
    """The old epoch is refused behind a pooler too, whichever server connection it meets."""
    old = lease.acquire(pooled, "default", "serve")
    with pooled.connection() as connection:
        connection.execute("UPDATE replicator.lease SET expires_at = clock_timestamp()")
    lease.acquire(pooled, "default", "sync")
    for _ in range(2 * fix_pooler.SERVER_CONNECTIONS):
        with pytest.raises(LeaseLost), pooled.transaction() as tx:
            lease.hold(tx, old)
