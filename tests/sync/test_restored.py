"""The database goes back in time: a standby that was behind takes over, or an older copy is restored. Rows and ledger go
back together, so what was lost is found again. Both databases are real; the one that was lost is the fault-free twin.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from replicator.errors import CommitsLost
from replicator.simulator.switches import Switches
from tests.service.test_schedule import serving, wait_until
from tests.sync.fix_source import Setting, source
from tests.sync.test_kills import assert_nothing_is_lost_or_doubled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store.database import Database

pytestmark = pytest.mark.slow

TOMBSTONES = "SELECT id FROM truedy.calls WHERE deleted_at IS NOT NULL ORDER BY id"
ABSENCES = "SELECT call_id, state FROM replicator.absences ORDER BY call_id"


class Standby:
    """A copy of a database, as of one moment, that can take its place."""

    def __init__(self, url: str) -> None:
        parsed = sa.make_url(url)
        self.name = parsed.database
        self._admin = parsed.set(database="postgres").render_as_string(hide_password=False)
        self.lost_url = parsed.set(database=f"{self.name}_lost").render_as_string(hide_password=False)

    def copy(self) -> None:
        """Take the copy. Nobody may be connected meanwhile, so for that moment the database is away."""
        self._alone(f"CREATE DATABASE {self.name}_copy TEMPLATE {self.name} STRATEGY wal_log")

    def take_over(self) -> None:
        """Let the copy be the database. In one transaction: at each moment one database has the name."""
        self._alone(
            f"ALTER DATABASE {self.name} RENAME TO {self.name}_lost; ALTER DATABASE {self.name}_copy RENAME TO {self.name}",
            closed=f"{self.name}_lost",
        )

    def drop(self) -> None:
        for suffix in ("copy", "lost"):
            self._run(f"DROP DATABASE IF EXISTS {self.name}_{suffix} WITH (FORCE)")

    def lost(self, statement: str) -> list[tuple[object, ...]]:
        """Ask the database that was lost."""
        with psycopg.connect(self.lost_url) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload, no-any-return]

    def _alone(self, statement: str, closed: str = "") -> None:
        """Perform a statement while nobody is connected, then open the database, which is called `closed` by then."""
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
            until = time.monotonic() + 20
            while connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s", [self.name]
            ).fetchone() != (0,):
                assert time.monotonic() < until
                time.sleep(0.02)
            connection.execute(statement)
            connection.execute(f"ALTER DATABASE {closed or self.name} ALLOW_CONNECTIONS true")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture
def standby(database_url: str) -> Iterator[Standby]:
    found = Standby(database_url)
    yield found
    found.drop()


def test_a_copy_that_lost_the_tail_is_brought_up_to_date(
    database: Database, database_url: str, standby: Standby
) -> None:
    """A service runs on while its database is replaced by an older copy, which has no idea of 230 new calls, 30 changes and
    5 confirmed deletions: all of it is found again, and the copy says of each call what the lost database said.
    """
    with source(database, calls=700, switches=Switches(limit=None)) as there:
        there.sync()
        there.sync()
        there.rows("UPDATE replicator.coverage SET verified_at = verified_at - interval '91 days' RETURNING 1")
        standby.copy()
        change_much(there)
        with serving(there, database_url, REPLICATOR_CONFIRM_SECONDS="0") as service:
            wait_until(lambda: there.differences() == [] and len(there.rows(TOMBSTONES)) == 5, seconds=30)
            standby.take_over()
            database.close()
            assert len(there.rows(TOMBSTONES)) == 0
            wait_until(lambda: there.differences() == [] and len(there.rows(TOMBSTONES)) == 5, seconds=30)
            assert there.rows(TOMBSTONES) == standby.lost(TOMBSTONES)
            assert there.rows(ABSENCES) == standby.lost(ABSENCES)
            assert service.poll() is None
            service.terminate()
            _, said = service.communicate(timeout=20)
            assert service.returncode == 0, said
        assert_nothing_is_lost_or_doubled(there)


def change_much(there: Setting) -> None:
    """More than two pages of new calls, changes that move nothing else, and deletions all over the list."""
    old = there.world.live_ids()
    for number in range(230):
        there.world.create(at=there.api.clock() + timedelta(milliseconds=number), status="no_answer")
    for call_id in old[400:430]:
        there.world.update(call_id, summary="after the copy")
    for call_id in old[40::140]:
        there.world.delete(call_id)


LIMIT = 16
"""Requests in two seconds: a standby is copied long before 4,000 calls are read."""


def test_a_failover_in_the_middle_of_a_run_ends_it(database: Database, standby: Standby) -> None:
    """The database loses a minute while a run is writing: the run ends at its next commit, because what it believes to be
    proven rests on rows that are gone. The next one asks for them again; no window ever holds more than its limit.
    """
    switches = Switches(limit=LIMIT, window_seconds=2.0, latency_seconds=0.02)
    with source(database, calls=4000, switches=switches) as there:
        ended: list[BaseException] = []

        def sync() -> None:
            try:
                there.sync()
            except CommitsLost as error:
                ended.append(error)

        running = threading.Thread(target=sync)
        running.start()
        wait_until(lambda: stored(there) >= 300, seconds=60)
        standby.copy()
        before = stored(there)
        wait_until(lambda: stored(there) >= before + 600, seconds=60)
        standby.take_over()
        running.join(30)
        assert len(ended) == 1
        assert "set back" in str(ended[0])
        assert stored(there) < before + 300
        assert books_know(there, windows=2)
        there.api.switches = there.api.switches.but(latency_seconds=0)
        report = there.sync(max_seconds=6)
        assert report.counters.requests > 0
        assert there.api.log.max_in_window <= LIMIT
        assert there.api.log.refused == 0
        there.api.switches = there.api.switches.but(limit=None)
        there.sync()
        assert there.differences() == []
        assert_nothing_is_lost_or_doubled(there)


def books_know(there: Setting, windows: int) -> bool:
    """Say whether the books charge what the source counted in its latest windows, lost charges included."""
    counted: Counter[int] = Counter()
    for (_, window), count in there.api.log.by_window.items():
        counted[window] += count
    charged = dict(there.rows("SELECT window_number, charged FROM replicator.budget_windows"))
    return all(charged.get(window, 0) >= counted[window] for window in sorted(counted)[-windows:])


def stored(there: Setting) -> int:
    """Count the stored calls; the database may be away for a moment."""
    for _ in range(50):
        try:
            return int(there.value("SELECT count(*) FROM truedy.calls"))
        except Exception:  # noqa: BLE001 - it is away
            time.sleep(0.1)
    raise AssertionError("the database stays away")
