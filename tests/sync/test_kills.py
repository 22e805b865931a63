"""Hundreds of real processes, killed with real signals: at any moment, and right before, in and right after a COMMIT.

The product knows nothing of it: a proxy in front of PostgreSQL freezes the connection at the message that the test
names, and then the process is killed.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from replicator.archive.verification import inspection
from replicator.simulator.api import KEY
from replicator.simulator.switches import Switches
from tests import fix_processes, fix_proxy
from tests.fix_commands import environment
from tests.fix_proxy import COMMIT, Proxy, Toxic
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store.database import Database

KILLS = int(os.environ.get("KILLS", "200"))
"""Kills that hit a living process, over all chunks."""
CHUNKS = 5
ALIVE_SECONDS = 20.0
CHECKS = sorted((Path(__file__).resolve().parents[2] / "sql" / "checks").glob("*.sql"))

PLACES = {
    "before the commit": Toxic("freeze", message=COMMIT),
    "in the commit": Toxic("freeze", message=COMMIT, offset=6),
    "after the commit": Toxic("freeze", message=COMMIT, offset=len(COMMIT), answer=True),
}
WAYS = ("any moment", "any moment", "at the start", "paused", *PLACES)
"""How a process meets its end, the likeliest twice."""


@pytest.fixture(scope="session")
def children(reachable_folder: Path) -> Iterator[fix_processes.Nursery]:
    with fix_processes.running(reachable_folder, environment({})) as running:
        yield running


def settings(there: Setting, url: str) -> dict[str, str]:
    switches = there.api.switches
    return environment(
        {
            "TRUEDY_API_KEY": KEY,
            "TRUEDY_BASE_URL": there.base_url,
            "TRUEDY_REQUESTS_PER_MINUTE": str(switches.limit or 0),
            "TRUEDY_WINDOW_SECONDS": str(switches.window_seconds),
            "REPLICATOR_HEADROOM": "0",
            "DATABASE_URL": url,
            # So that what each of them seals has to be whole, too.
            "REPLICATOR_ARCHIVE": "on",
        }
    )


class Killer:
    """Starts syncs whose database connections go through a proxy, and kills them."""

    def __init__(self, there: Setting, children: fix_processes.Nursery, between: Proxy, url: str, seed: int) -> None:
        self.there, self.children, self.between = there, children, between
        self.url = sa.make_url(url).set(port=between.port).render_as_string(hide_password=False)
        self.random = random.Random(seed)
        self.hits: Counter[str] = Counter()
        """Kills that hit a living process, by the way of it."""

    def kill_one(self) -> None:
        """Start a sync and kill it, somehow. One that ends before the kill does not count."""
        way = self.random.choice(WAYS)
        self.between.arm(None)
        if way in PLACES:
            toxic = PLACES[way]
            nth = self.random.choice((1, 2, 3, 3, 4, 5, 6, 8, 12))
            self.between.arm(
                Toxic(toxic.action, offset=toxic.offset, message=toxic.message, nth=nth, answer=toxic.answer)
            )
        before = self.there.api.log.requests
        pid = self.children.start("sync", "--quiet", environment=settings(self.there, self.url))
        if way == "at the start":
            time.sleep(self.random.uniform(0, 0.15))
        elif way in PLACES:
            self._wait(pid, self.between.frozen.is_set)
        else:
            self._wait(pid, lambda: self.there.api.log.requests > before)
            time.sleep(self.random.expovariate(1 / 0.08))
            if way == "paused":
                os.kill(pid, signal.SIGSTOP)
                time.sleep(self.random.uniform(0, 0.1))
                os.kill(pid, signal.SIGCONT)
                time.sleep(self.random.expovariate(1 / 0.05))
        self.hits[way] += self.children.kill(pid)
        self.between.thaw()

    def _wait(self, pid: int, until: object) -> None:
        """Wait for something, or for the process's end, whose body stays for `kill` to bury."""
        assert callable(until)
        limit = time.monotonic() + ALIVE_SECONDS
        while not until() and time.monotonic() < limit and not _is_over(pid):
            time.sleep(0.002)


def _is_over(pid: int) -> bool:
    """Say whether a process has ended, without burying it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:  # no /proc here: the wait ends by what it waits for, or by its limit
        return False


def change(there: Setting, rng: random.Random) -> None:
    """Let something happen at the source, and make history due for another look, so that there is work."""
    there.world.create(status="completed")
    for call_id in rng.sample(there.world.live_ids(), 8):
        there.world.update(call_id, context={"round": str(rng.random())})
    if rng.random() < 0.2:
        there.world.update(rng.choice(there.world.live_ids()[:50]), summary=f"in other words {rng.random()}")
    with there.database.connection() as connection:
        connection.execute("UPDATE replicator.coverage SET verified_at = verified_at - interval '91 days'")


def grow(there: Setting, number: int) -> None:
    """Let more calls come than one page holds, so that what a killed run lost would not be seen by the head again."""
    first = there.api.clock() + timedelta(seconds=number)
    for place in range(130):
        there.world.create(at=first + timedelta(milliseconds=place), status="no_answer")


def not_stored_though_proven(there: Setting) -> list[str]:
    """Return the calls that lie in a stretch that is called proven, and are not stored: what was killed between the two."""
    stored = {str(row[0]) for row in there.rows("SELECT id FROM truedy.calls")}
    proven = there.rows(
        "SELECT nullif(since, '-infinity'), nullif(until, 'infinity') FROM replicator.coverage WHERE is_proven"
    )
    found = []
    for call_id in set(there.world.live_ids()) - stored:
        at = there.world.row(call_id)["created_at"]
        if any((since is None or since <= at) and (until is None or at < until) for since, until in proven):
            found.append(call_id)
    return found


def assert_nothing_is_lost_or_doubled(there: Setting) -> None:
    """The replica is the source, everything is proven, and the history holds no content twice in a row."""
    assert there.differences() == []
    assert there.value("SELECT bool_and(is_proven) FROM replicator.coverage")
    doubled = there.rows(
        "SELECT call_id, version FROM (SELECT call_id, version, fingerprint = lag(fingerprint) OVER "
        "(PARTITION BY call_id ORDER BY version) AS is_same FROM truedy.call_versions) v WHERE is_same"
    )
    assert doubled == []
    uneven = there.rows(
        "SELECT c.id FROM truedy.calls c JOIN truedy.call_versions v ON v.call_id = c.id GROUP BY c.id "
        "HAVING count(*) <> c.version OR max(v.version) <> c.version"
    )
    assert uneven == []
    for check in CHECKS:
        assert there.rows(check.read_text(encoding="utf-8")) == [], check.name


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_hundreds_of_kills_lose_nothing(
    database: Database, database_url: str, children: fix_processes.Nursery, chunk: int
) -> None:
    """KILLS processes (200 unless told) are killed in the middle of their work, with changes in between; the next one
    goes on, and in the end every call and transcript is there, every hole is closed, no version is there twice, and the
    archive of all of it is whole. In two
    of the chunks most of them read in a process apart, as after any three deaths in a row.
    """
    wanted = KILLS // CHUNKS
    port = sa.make_url(database_url).port
    assert port is not None
    switches = Switches(limit=None, latency_seconds=0.004)
    with source(database, calls=700, seed=chunk, switches=switches) as there, fix_proxy.running(port) as between:
        killer = Killer(there, children, between, database_url, seed=chunk)
        tries = 0
        while killer.hits.total() < wanted:
            killer.kill_one()
            if chunk % 2 == 0:  # nothing comes late there, so what is proven holds of this moment
                assert not_stored_though_proven(there) == []
            # Where history is looked at again, a loss would be healed: half of the chunks do without.
            change(there, killer.random) if chunk % 2 else grow(there, tries)
            tries += 1
            if chunk < 3 and tries % 2 == 0:
                # One that ends well between: three deaths in a row would let the others read apart (test_crash_loop.py).
                well = children.start(
                    "sync", "--quiet", "--max-requests", "1", environment=settings(there, database_url)
                )
                assert children.wait(well) == 0, children.log.read_text(encoding="utf-8")[-2000:]
            assert tries < 3 * wanted + 20, f"too few processes were at work when they were killed: {killer.hits}"
        there.api.switches = there.api.switches.but(latency_seconds=0)
        # The last one may have left the lease to a process id that nobody has any more: that is free at once.
        last = children.start("sync", "--quiet", environment=settings(there, database_url))
        assert children.wait(last) == 0, children.log.read_text(encoding="utf-8")[-2000:]
        assert_nothing_is_lost_or_doubled(there)
        found = inspection.verify(database, "default")
        assert (found.faults, found.unsealed) == ([], 0)
        assert there.value("SELECT count(*) FROM replicator.runs WHERE outcome = 'lost'") > wanted / 3
        assert all(killer.hits[way] for way in WAYS), killer.hits


@pytest.mark.slow
def test_killed_and_paused_processes_stay_inside_the_limit(
    database: Database, database_url: str, children: fix_processes.Nursery
) -> None:
    """Killed, paused and started again and again inside windows of two seconds, no window holds more than its limit, and
    the books know of every request that the source counted.
    """
    port = sa.make_url(database_url).port
    assert port is not None
    switches = Switches(limit=60, window_seconds=2.0, latency_seconds=0.02, clock_skew_seconds=-0.7)
    with source(database, calls=1500, switches=switches) as there, fix_proxy.running(port) as between:
        killer = Killer(there, children, between, database_url, seed=99)
        until = time.monotonic() + 25
        while time.monotonic() < until:
            killer.kill_one()
        assert killer.hits.total() >= 10
        assert 0 < there.api.log.max_in_window <= 60
        assert there.api.log.refused == 0
        counted = dict.fromkeys((window for _, window in there.api.log.by_window), 0)
        for (_, window), count in there.api.log.by_window.items():
            counted[window] += count
        charged = dict(there.rows("SELECT window_number, charged FROM replicator.budget_windows"))
        known = {window: count for window, count in counted.items() if window in charged}
        assert known
        assert [window for window, count in known.items() if charged[window] < count] == []
