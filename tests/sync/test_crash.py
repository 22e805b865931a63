"""Real processes and a real server, started as a user starts them and killed: nothing is lost. Kills by the hundred, and
at chosen places, are in test_kills.py.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.simulator.api import KEY
from replicator.simulator.switches import Switches
from replicator.store import embedded, migrate
from replicator.store.database import Database
from tests.fix_commands import TOP, run, start
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen

KILLS = 8


def settings(there: Setting, database_url: str) -> dict[str, str]:
    switches = there.api.switches
    return {
        "TRUEDY_API_KEY": KEY,
        "TRUEDY_BASE_URL": there.base_url,
        "TRUEDY_REQUESTS_PER_MINUTE": str(switches.limit or 0),
        "TRUEDY_WINDOW_SECONDS": str(switches.window_seconds),
        "REPLICATOR_HEADROOM": "0",
        "DATABASE_URL": database_url,
    }


def kill(process: Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def wait_for_requests(there: Setting, process: Popen[str]) -> None:
    """Wait until the process has asked for something (or ended), so that a kill hits it at work."""
    there.api.log.clear()
    until = time.monotonic() + 20
    while there.api.log.requests == 0 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_lost(database: Database, database_url: str) -> None:
    """Some syncs are killed at random moments of their work, with changes in between; the next one goes on, and in the
    end every call and transcript is there, no hole was hidden, and no row is there twice.
    """
    rng = random.Random(20)
    with source(database, calls=1500, switches=Switches(limit=None, latency_seconds=0.004)) as there:
        chosen = settings(there, database_url)
        for _ in range(KILLS):
            process = start("sync", "--quiet", cwd=TOP, **chosen)
            wait_for_requests(there, process)
            time.sleep(rng.expovariate(1 / 0.25))
            kill(process)
            there.world.create(status="completed")
            there.world.update(rng.choice(there.world.live_ids()), context={"round": str(rng.random())})
        there.api.switches = there.api.switches.but(latency_seconds=0)
        # After so many deaths the last run reads one answer at a time.
        done = run("sync", "--quiet", cwd=TOP, timeout=240, **chosen)
        assert done.returncode == 0, done.stderr
        assert there.differences() == []
        assert there.value("SELECT bool_and(is_proven) FROM replicator.coverage")
        assert there.value("SELECT count(*) FROM replicator.runs WHERE outcome = 'lost'") >= KILLS / 3
        broken = there.rows(
            "SELECT call_id FROM truedy.transcripts t WHERE segment_count IS DISTINCT FROM "
            "(SELECT count(*) FROM truedy.transcript_segments s WHERE s.call_id = t.call_id) AND state = 'present'"
        )
        assert broken == []


@pytest.mark.slow
def test_a_database_that_is_killed_and_restarted_loses_nothing(reachable_folder: Path) -> None:
    """PostgreSQL itself is killed with SIGKILL in the middle of a sync and comes back: the sync waits and completes."""
    folder = reachable_folder / "killed-postgres"
    with embedded.running(folder) as server:
        migrate.migrate(server.url)
        database = Database(server.url)
        with (
            closing(database),
            source(database, calls=1500, switches=Switches(limit=None, latency_seconds=0.002)) as there,
        ):
            done: list[object] = []
            thread = threading.Thread(target=lambda: done.append(there.sync()))
            thread.start()
            until = time.monotonic() + 30
            while there.api.log.requests < 200 and time.monotonic() < until:
                time.sleep(0.01)
            assert thread.is_alive(), "the sync was over too soon for this test"
            pid = int((folder / "cluster" / "data" / "postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, signal.SIGKILL)
            with embedded.running(folder) as again:
                assert again.port == server.port
                thread.join(90)
                assert done, "the sync did not come to its end"
                assert there.differences() == []


@pytest.mark.slow
def test_cut_connections_lose_nothing(database: Database, database_url: str) -> None:
    """Again and again all of the sync's database connections are ended by the server; it goes on and completes."""
    ending = threading.Event()
    # On a busy machine a transaction may take longer than the short pauses.
    pauses = itertools.cycle([0.3, 0.3, 0.3, 3.0])

    def cut() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            while not ending.wait(next(pauses)):
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND pid <> pg_backend_pid() AND application_name = 'truedy-replicator'"
                )

    with source(database, calls=800, switches=Switches(limit=None, latency_seconds=0.002)) as there:
        cutter = threading.Thread(target=cut)
        cutter.start()
        try:
            there.sync()
        finally:
            ending.set()
            cutter.join()
        time.sleep(0.05)
        assert there.differences() == []
        assert there.value("SELECT bool_and(is_proven) FROM replicator.coverage")


@pytest.mark.slow
def test_two_syncs_at_once_are_one(database: Database, database_url: str) -> None:
    """Two processes start at the same moment: one works, the other says who holds the lease, and nothing is doubled."""
    with source(database, calls=200, switches=Switches(limit=None, latency_seconds=0.01)) as there:
        chosen = settings(there, database_url)
        both = [start("sync", "--quiet", cwd=TOP, **chosen) for _ in range(2)]
        said = [process.communicate(timeout=60)[1] for process in both]
        codes = sorted(process.returncode for process in both)
        assert codes in ([0, 1], [0, 0]), said
        if codes == [0, 1]:
            assert any(
                "another replicator writes to this database for the account default: sync (process" in text
                for text in said
            )
        assert there.differences() == []
