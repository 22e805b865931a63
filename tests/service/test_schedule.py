"""The service as its supervisor meets it: real processes that are stopped, whose clock is set, whose database hangs or is
not there yet. It goes on by itself, or ends so that it is started again.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from replicator.service.schedule import JOB_DEFAULTS
from replicator.service.watchdog import Watch
from replicator.simulator.switches import Switches
from replicator.store import database as room
from tests import fix_proxy
from tests.fix_commands import TOP, start
from tests.fix_proxy import COMMIT, Toxic
from tests.sync.fix_source import Setting, source
from tests.sync.test_crash import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from subprocess import Popen

    from replicator.store.database import Database

FREE = Switches(limit=None)
POLL_SECONDS = 4.0


def wait_until(is_so: Callable[[], object], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


@contextmanager
def serving(there: Setting, url: str, **more: str) -> Iterator[Popen[str]]:
    """Give a running `serve`."""
    chosen = {**settings(there, url), "REPLICATOR_POLL_SECONDS": "1", **more}
    service = start("serve", cwd=TOP, **chosen)
    try:
        yield service
    finally:
        service.kill()
        service.communicate()


def through(url: str, port: int) -> str:
    return sa.make_url(url).set(port=port).render_as_string(hide_password=False)


def port_of(url: str) -> int:
    port = sa.make_url(url).port
    assert port is not None
    return port


def has_call(there: Setting, call_id: str, status: str = "completed") -> bool:
    return bool(there.value(f"SELECT count(*) FROM truedy.calls WHERE id = '{call_id}' AND status = '{status}'"))


def test_a_late_tick_is_one_tick() -> None:
    """APScheduler drops what is late by a second and runs what was missed, unless told otherwise."""
    assert JOB_DEFAULTS == {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}


@pytest.mark.slow
def test_a_service_that_was_stopped_catches_up_once(database: Database, database_url: str) -> None:
    """SIGSTOP over several ticks: right after SIGCONT there is one sync, not one for each tick and not none."""

    def begun(since: str) -> int:
        return int(there.value(f"SELECT count(*) FROM replicator.runs WHERE started_at > '{since}'"))

    with source(database, calls=50, switches=FREE) as there:
        with serving(there, database_url, REPLICATOR_POLL_SECONDS=str(POLL_SECONDS)) as service:
            wait_until(lambda: there.value("SELECT count(*) FROM replicator.runs WHERE outcome = 'done'"))
            first = there.value("SELECT started_at FROM replicator.runs")
            sleep_until(there, first, 1.0)
            service.send_signal(signal.SIGSTOP)
            sleep_until(there, first, 2 * POLL_SECONDS + 1.5)
            new = there.world.create(status="completed")
            continued = there.value("SELECT clock_timestamp()::text")
            service.send_signal(signal.SIGCONT)
            sleep_until(there, first, 3 * POLL_SECONDS - 0.5)
            assert begun(continued) == 1
            assert has_call(there, new)
            wait_until(lambda: begun(continued) > 1)
            assert service.poll() is None


def sleep_until(there: Setting, first: object, seconds: float) -> None:
    """Sleep until so many seconds after an instant of the database's clock."""
    with there.database.connection() as connection:
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp() - %s)::float8", [first]).fetchone()
    assert row is not None
    time.sleep(max(0.0, seconds - row[0]))


def libfaketime() -> str:
    """Return the library that sets one process's clock; skip where it is not, and fail there in CI."""
    found = sorted(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"))
    if found:
        return str(found[0])
    reason = "libfaketime is not installed (Debian: apt-get install faketime)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["-1h", "+1h"])
def test_a_clock_that_is_set_does_not_stop_the_service(
    database: Database, database_url: str, reachable_folder: Path, step: str
) -> None:
    """The machine's clock is set back, or on, by an hour while the service waits: new and changed calls come with the next
    tick or so, as before. (A clock that is set back would let APScheduler sleep for that hour; half a minute is for a busy
    machine.)
    """
    library, file = libfaketime(), reachable_folder / f"clock{step}"
    file.write_text("+0", encoding="ascii")
    faked = {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with source(database, calls=50, switches=FREE) as there:
        with serving(there, database_url, REPLICATOR_POLL_SECONDS="2", **faked) as service:
            wait_until(lambda: there.value("SELECT count(*) FROM replicator.runs WHERE outcome = 'done'"))
            (reachable_folder / "next").write_text(step, encoding="ascii")
            (reachable_folder / "next").rename(file)
            new = there.world.create(status="completed")
            for _ in range(2):
                wait_until(lambda: has_call(there, new), seconds=30)  # noqa: B023 - waited for at once
                new = there.world.create(status="completed")
            wait_until(lambda: there.differences() == [], seconds=30)
            assert service.poll() is None
            service.terminate()
            _, said = service.communicate(timeout=20)
            assert "clock was set by" in said
            assert service.returncode == 0, said


@pytest.mark.slow
@pytest.mark.parametrize("nth", [1, 5], ids=["as it takes the lease", "in the middle"])
def test_a_service_that_hangs_ends_itself(database: Database, database_url: str, nth: int) -> None:
    """The database falls silent in a COMMIT, and no error ever comes: within twice the time that silence is allowed, the
    process ends with 1 and says why. Its supervisor starts it again, and nothing is lost.
    """
    hang_seconds = 3
    with source(database, calls=300, switches=FREE) as there, fix_proxy.running(port_of(database_url)) as between:
        url = through(database_url, between.port)
        between.arm(Toxic("freeze", message=COMMIT, nth=nth))
        with serving(there, url, REPLICATOR_HANG_SECONDS=str(hang_seconds)) as service:
            wait_until(between.frozen.is_set)
            _, said = service.communicate(timeout=2 * hang_seconds)
            assert service.returncode == 1
            assert "no sign of life for 3 s" in said
            assert "schedule.py" in said
            assert "Truedy" not in said
        between.thaw()
        with serving(there, url, REPLICATOR_HANG_SECONDS=str(hang_seconds)):
            wait_until(lambda: there.differences() == [])


@pytest.mark.slow
def test_a_stop_is_over_in_time_though_the_database_hangs(database: Database, database_url: str) -> None:
    """SIGTERM while the database is silent: the process is gone in time, and says that something was left behind."""
    with source(database, calls=300, switches=FREE) as there, fix_proxy.running(port_of(database_url)) as between:
        between.arm(Toxic("freeze", message=COMMIT, nth=4))
        with serving(there, through(database_url, between.port)) as service:
            wait_until(between.frozen.is_set)
            service.terminate()
            _, said = service.communicate(timeout=12)
            assert service.returncode == 1
            assert "left behind" in said
        between.thaw()
        there.sync()
        assert there.differences() == []


def test_the_watch_counts_its_own_turns() -> None:
    """Silence is counted in turns of the watch; waiting for the next tick is no silence; a set clock is seen once."""
    watch = Watch(hang_seconds=3, turn_seconds=1)
    assert [watch.is_hung(signs, 0) for signs in (1, 1, 1, 1)] == [False] * 4
    assert watch.is_hung(1, 0)
    assert not watch.is_hung(1, 60)
    assert not watch.is_hung(2, 0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("command", ["sync", "serve"])
def test_a_database_that_comes_late_is_waited_for(database: Database, database_url: str, command: str) -> None:
    """A sync or a service that starts before its database waits for it, and then does its work."""
    port = free_port()
    with source(database, calls=50, switches=FREE) as there:
        chosen = {**settings(there, through(database_url, port)), "REPLICATOR_POLL_SECONDS": "1"}
        process = start(
            command, cwd=TOP, **chosen, REPLICATOR_DATABASE_PATIENCE_SECONDS="20" if command == "sync" else "0"
        )
        try:
            time.sleep(8)  # long enough for a program to start on a busy machine, and to find no database
            assert process.poll() is None
            assert there.api.log.requests == 0
            with fix_proxy.running(port_of(database_url), port=port):
                wait_until(lambda: there.differences() == [])
                if command == "serve":
                    process.terminate()
                _, said = process.communicate(timeout=20)
            assert process.returncode == 0, said
            assert "cannot be reached" in said
        finally:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_a_lock_at_the_start_is_waited_for(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease, or the books of runs, are locked for longer than the lock timeout when a sync begins: it waits."""
    monkeypatch.setattr(room, "LOCK_TIMEOUT_SECONDS", 0.3)
    with source(database, calls=20, switches=FREE) as there:
        for table in ("replicator.lease", "replicator.runs"):
            with psycopg.connect(database_url) as other:
                other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                with pytest.raises(room.DatabaseUnavailable, match="kept a lock"):
                    there.sync(database_patience_seconds=0)
                other.execute("SELECT pg_sleep(0.1)")
                releasing = release_after(other, 1.5)
                there.sync()
                releasing.join()
        assert there.differences() == []


def release_after(other: psycopg.Connection[tuple[object, ...]], seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, other.rollback)
    timer.start()
    return timer
