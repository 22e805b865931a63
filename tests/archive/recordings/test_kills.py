"""A run that is killed at any step leaves no row without bytes, and after the next run no bytes without a row."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from replicator.archive.recordings import objects
from replicator.archive.recordings.folder_store import FolderStore
from replicator.archive.recordings.janitor import compare
from replicator.archive.verification import inspection
from tests.archive import fix_kills, fix_queue, fix_sound, fix_storage

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

KILLS = int(os.environ.get("REPLICATOR_TEST_KILLS", "200"))
SOUND_BYTES = 150_000


@pytest.mark.slow
def test_a_run_killed_at_each_step_loses_nothing(database: Database, database_url: str, tmp_path: Path) -> None:
    """Each run dies one step later than the one before, and the next call's recording begins there. After each death,
    every stored row has its whole file; after each whole run, every recording is stored and sealed once, no part is
    left, no file belongs to no row, and the chain is whole.
    """
    store, killed, steps = FolderStore(tmp_path / "store"), 0, set()
    sounds: dict[str, bytes] = {}

    def serve(head: bytes, connection: object) -> None:
        fix_storage.file_server(sounds[head.split()[1].decode()])(head, connection)

    with fix_storage.serving(serve) as storage, fix_kills.mortals(tmp_path) as mortals:
        at, calls = 0, []
        while killed < KILLS:
            at += 1
            path = f"/{len(calls)}"
            sounds[path] = fix_sound.wav(SOUND_BYTES, len(calls).to_bytes(4, "little"))
            calls += fix_queue.add_calls(database, [f"{storage.url}{path}"])
            code, step = mortals.run(database_url, tmp_path / "store", at)
            if code == 0:
                at = 0  # the run came to its end: from the first step again
                continue
            assert code == -signal.SIGKILL, step
            killed += 1
            steps.add(step)
            stored = [row for row in fix_queue.rows(database).values() if row["state"] == "stored"]
            assert all(objects.examine(store, row["place"]).is_whole for row in stored[-3:]), step
            if killed % 4 == 0 or killed == KILLS:
                time.sleep(0.02)  # the dead run's claim ends
                fix_queue.make_due(database)
                report = fix_queue.perform(database, store)
                assert (report.lost, report.damaged, report.strays, report.failed) == (0, 0, 0, 0), step
                _is_whole(database, store, calls, sounds)
    if KILLS >= 110:  # how much is waiting differs from run to run, so not each step is met by each of them
        assert len(steps) >= 20
        assert steps & {"before append", "after append", "before add_block", "after add_block", "after add_records"}
        assert steps & {"before link", "after link", "before intend", "after intend", "before fsync", "after fsync"}


def _is_whole(database: Database, store: FolderStore, calls: list, sounds: dict[str, bytes]) -> None:
    rows = fix_queue.rows(database)
    assert set(rows) == set(calls)
    assert {row["state"] for row in rows.values()} == {"stored"}
    assert {row["sha256"] for row in rows.values()} == {hashlib.sha256(sound).hexdigest() for sound in sounds.values()}
    found = compare(database, store, "default")
    assert (found.files, found.strays, found.lost, found.damaged) == (len(calls), 0, [], [])
    sealed = fix_queue.sealed(database)
    assert sorted(sealed) == sorted((call, row["sha256"]) for call, row in rows.items())
    assert [path.name for path in store.working.iterdir() if path.name != ".compared"] == []
    verdict = inspection.verify(database, "default", (), lambda *_: None)
    # The calls of this test are made by hand, without versions.
    assert {fault.code for fault in verdict.faults} <= {"call_without_version"}
