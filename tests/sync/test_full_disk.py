"""The server's disk is full: a real one, a small tmpfs that holds the database's tablespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from replicator.simulator.switches import Switches
from replicator.store.database import Database
from tests.fix_commands import TOP, run
from tests.service.test_schedule import serving, wait_until
from tests.sync.fix_source import Setting, source
from tests.sync.test_crash import settings
from tests.sync.test_kills import assert_nothing_is_lost_or_doubled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.store import embedded
    from replicator.store.server.account import Account

DISK_BYTES = 48 << 20
LEFT_BYTES = 2 << 20
"""What the database finds: enough to begin."""


@contextmanager
def small_disk(folder: Path, account: Account) -> Iterator[Path]:
    """Give a file system of a few megabytes that the server may write to. Without the right to mount one the test is
    skipped, and where CI says that it is CI it fails.
    """
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0755", "tmpfs", str(folder)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if mounted.returncode != 0:
        reason = f"no small file system can be mounted here: {mounted.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        os.chown(folder, account.uid, account.gid)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def full(postgres_server: embedded.Server, template: str, reachable_folder: Path) -> Iterator[tuple[str, Path]]:
    """The URL of a database on a disk that is nearly full, and the file that fills it."""
    admin, account = postgres_server.tcp_url_of("postgres"), postgres_server.account
    disk_of = small_disk(reachable_folder / "small-disk", account)
    with disk_of as disk, psycopg.connect(admin, autocommit=True) as connection:
        place = disk / "space"
        place.mkdir()
        shutil.chown(place, account.uid, account.gid)
        connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'")  # type: ignore[call-overload]
        connection.execute(f"CREATE DATABASE on_small_disk TEMPLATE {template} TABLESPACE small")  # type: ignore[call-overload]
        try:
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(shutil.disk_usage(disk).free - LEFT_BYTES))
            yield postgres_server.tcp_url_of("on_small_disk"), ballast
        finally:
            connection.execute("DROP DATABASE IF EXISTS on_small_disk WITH (FORCE)")
            connection.execute("DROP TABLESPACE small")


@pytest.mark.slow
def test_a_full_disk_is_said_and_survived(full: tuple[str, Path]) -> None:
    """`sync` ends with 4 and says whose fault it is and what to do; what it stored are whole pages. `serve` goes on trying,
    and when there is space again it completes by itself.
    """
    url, ballast = full
    with closing(Database(url)) as database, source(database, calls=1500, switches=Switches(limit=None)) as there:
        chosen = {**settings(there, url), "REPLICATOR_DATABASE_PATIENCE_SECONDS": "1"}
        done = run("sync", "--quiet", cwd=TOP, **chosen)
        assert done.returncode == 4, done.stderr
        assert "has no disk space left" in done.stderr
        assert "at fault: the database; waiting helps." in done.stderr
        assert "free space" in done.stderr
        assert_proven_is_stored(there)
        assert there.differences(), "the disk was not full"
        with serving(there, url, REPLICATOR_DATABASE_PATIENCE_SECONDS="0") as service:
            asked = there.api.log.requests
            wait_until(lambda: there.api.log.requests > asked + 50)
            time.sleep(2.5)  # some syncs that fail
            assert service.poll() is None
            assert_proven_is_stored(there)
            assert there.differences()
            ballast.unlink()
            wait_until(lambda: there.differences() == [])
            service.terminate()
            _, said = service.communicate(timeout=20)
            assert service.returncode == 0, said
            assert said.count("sync failed, and is tried again in 1 s") >= 2
        assert_nothing_is_lost_or_doubled(there)


def assert_proven_is_stored(there: Setting) -> None:
    """No page was stored in part: whatever a proven stretch of the ledger holds is in the table."""
    stored = {str(row[0]) for row in there.rows("SELECT id FROM truedy.calls")}
    pieces = there.rows("SELECT nullif(since, '-infinity'), until FROM replicator.coverage WHERE is_proven")
    for call_id in there.world.live_ids():
        at: Any = there.world.row(call_id)["created_at"]
        at = at if isinstance(at, datetime) else datetime.fromisoformat(at).astimezone(UTC)
        if any((since is None or since <= at) and at < until for since, until in pieces):
            assert call_id in stored
