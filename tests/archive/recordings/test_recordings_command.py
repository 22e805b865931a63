"""The commands with the archive on: real processes, the simulated source, and its storage at another origin."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.archive.recordings import objects
from replicator.archive.recordings.folder_store import FolderStore
from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running, storing
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from tests import fix_commands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = {"REPLICATOR_ARCHIVE": "on", "REPLICATOR_ARCHIVE_ALLOW_HOSTS": "127.0.0.1", "TRUEDY_API_KEY": KEY,
            "TRUEDY_REQUESTS_PER_MINUTE": "0"}  # fmt: skip


@pytest.fixture
def api() -> Api:
    return Api(World(5, 40, days=5.0, switches=Switches(limit=None, recording_signed_expiring=True)))


@pytest.fixture
def served(api: Api, database_url: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The settings of a replicator whose source has its storage at another origin."""
    with storing(api), running(api) as base_url:
        yield {
            **SETTINGS, "TRUEDY_BASE_URL": base_url, "DATABASE_URL": database_url,
            "REPLICATOR_ARCHIVE_STORE": str(tmp_path / "store"), "REPLICATOR_DATA_DIR": str(tmp_path / "data"),
        }  # fmt: skip


def states(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT state, count(*) FROM archive.objects GROUP BY state").fetchall())


@pytest.mark.slow
def test_a_sync_keeps_the_recordings(api: Api, served: dict[str, str], tmp_path: Path) -> None:
    """Each recording that has a link is stored, sealed and whole; the storage never saw the key; nothing names a link;
    and the view knows of each call whether its recording is stored.
    """
    # The simulator's clock is the present: some of its calls are younger than their recordings.
    done = fix_commands.run("sync", "--json", cwd=tmp_path, **served)
    assert done.returncode == 0, done.stderr
    kept = json.loads(done.stdout)["archive"]
    assert kept["stored"] > 5
    assert kept["reasons"] == {}
    assert states(served["DATABASE_URL"]) == {"stored": kept["stored"]}
    assert api.log.keys_sent_to_storage == 0
    assert "X-Signature" not in done.stdout + done.stderr
    store = FolderStore(tmp_path / "store")
    assert all(objects.examine(store, place).is_whole for place, _ in store.listed())
    with psycopg.connect(served["DATABASE_URL"]) as connection:
        types = connection.execute("SELECT DISTINCT media_type FROM archive.objects ORDER BY 1").fetchall()
        seen = connection.execute(
            "SELECT recording_status, count(*) FROM analytics.archive_recordings WHERE recording_status = 'stored' GROUP BY 1"
        ).fetchall()
    assert {kind for (kind,) in types} == {"audio/wav", "audio/mpeg", "audio/ogg"}
    assert seen == [("stored", kept["stored"])]
    whole = fix_commands.run("archive", "verify", cwd=tmp_path, **served)
    assert whole.returncode == 0, whole.stdout


@pytest.mark.slow
def test_links_that_expired_are_renewed(api: Api, served: dict[str, str], tmp_path: Path) -> None:
    """Recordings from before the archive was switched on: `archive run` renews their links and downloads them, within the
    time that it is given.
    """
    off = fix_commands.run("sync", cwd=tmp_path, **served | {"REPLICATOR_ARCHIVE": "off"})
    assert off.returncode == 0, off.stderr
    assert states(served["DATABASE_URL"]) == {}
    with psycopg.connect(served["DATABASE_URL"]) as connection:
        connection.execute(
            "UPDATE truedy.recordings SET url_expires_at = now() - interval '1 hour' WHERE state = 'present'"
        )
    done = fix_commands.run("archive", "run", "--max-seconds", "60", "--json", cwd=tmp_path, **served)
    assert done.returncode == 0, done.stderr
    kept = json.loads(done.stdout)["recordings"]
    assert kept["stored"] == kept["queued"] == kept["links_renewed"] > 5
    assert states(served["DATABASE_URL"]) == {"stored": kept["stored"]}


@pytest.mark.slow
def test_without_leave_nothing_inside_is_reached(api: Api, served: dict[str, str], tmp_path: Path) -> None:
    """The simulator's storage is on loopback: without REPLICATOR_ARCHIVE_ALLOW_HOSTS each link is refused, and said so."""
    done = fix_commands.run("sync", cwd=tmp_path, **served | {"REPLICATOR_ARCHIVE_ALLOW_HOSTS": "10.9.9.9"})
    assert done.returncode == 0, done.stderr
    assert "the link is not a usable https address" in done.stdout
    assert set(states(served["DATABASE_URL"])) == {"refused"}
    again = fix_commands.run("archive", "run", "--again", cwd=tmp_path, **served)
    assert again.returncode == 0, again.stderr
    assert set(states(served["DATABASE_URL"])) == {"stored"}


@pytest.mark.slow
def test_serve_keeps_recordings_beside_its_syncs(served: dict[str, str], tmp_path: Path) -> None:
    """In a thread of its own; and a stop ends it."""
    settings = served | {"REPLICATOR_POLL_SECONDS": "1"}
    with fix_commands.start("serve", cwd=tmp_path, **settings) as process:
        until = time.monotonic() + 40
        while time.monotonic() < until and states(served["DATABASE_URL"]).get("stored", 0) < 5:
            time.sleep(0.2)
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert states(served["DATABASE_URL"])["stored"] >= 5
    assert "recordings stored" in said
    assert "X-Signature" not in said
