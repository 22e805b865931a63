"""The restore drill: a dump and the store's files go into an empty server, by PostgreSQL's own tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from replicator.archive.heads import anchor_places, anchors, signing
from replicator.archive.production import exporting, verify_file
from replicator.archive.recordings.folder_store import FolderStore
from replicator.archive.verification import inspection
from replicator.simulator.switches import Switches
from replicator.store import embedded, schema_check
from replicator.store.database import Database
from replicator.store.produced import Chosen
from tests import fix_servers
from tests.archive import fix_recordings
from tests.archive.fix_governance import CANARIES, NUMBER, Replica, plant, replica
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def dump(server: embedded.Server, url: str, file: Path) -> None:
    tool = [str(server.bin_dir / "pg_dump"), "--format=custom", f"--file={file}", url]
    subprocess.run(tool, check=True, env={"PATH": os.environ["PATH"]})


def restore(server: embedded.Server, url: str, file: Path) -> None:
    tool = [str(server.bin_dir / "pg_restore"), "--exit-on-error", "--no-owner", f"--dbname={url}", str(file)]
    subprocess.run(tool, check=True, env={"PATH": os.environ["PATH"]})


def counts(database: Database) -> list[tuple[object, ...]]:
    with database.connection() as connection:
        return connection.execute(
            "SELECT 'records', count(*), max(sequence) FROM archive.records UNION ALL "
            "SELECT 'blocks', count(*), max(block) FROM archive.blocks UNION ALL "
            "SELECT 'versions', count(*), sum(version) FROM truedy.call_versions UNION ALL "
            "SELECT 'segments', count(*), sum(position) FROM truedy.transcript_segments ORDER BY 1"
        ).fetchall()


def whole(database: Database, outside: anchors.Found) -> inspection.Verdict:
    return inspection.verify(database, "default", outside.heads, lambda *_: None)


def test_dump_and_files_into_an_empty_server(
    database: Database, database_url: str, postgres_server: embedded.Server, reachable_folder: Path, tmp_path: Path
) -> None:
    """The restored archive is whole against the heads outside; sync goes on where it was, and seals on; a bag of it is
    whole. An older dump is not taken for the archive: the heads outside are newer.
    """
    signer, place = signing.load(tmp_path / "key"), anchor_places.of(str(tmp_path / "outside"))

    def anchor(there: Database) -> None:
        anchors.anchor(there, "default", signer, place, lambda: datetime.now(UTC))

    with source(database, calls=60, switches=Switches(limit=None)) as there:
        there.sync(seals=True)
        dump(postgres_server, database_url, tmp_path / "older")
        for call_id in there.world.live_ids()[:10]:
            there.world.update(call_id, summary="changed")
        there.sync(seals=True)
        store = FolderStore(tmp_path / "store")
        ids = [row[0] for row in there.rows("SELECT id FROM truedy.calls ORDER BY id LIMIT 3")]
        fix_recordings.store_and_seal(database, store, ids)
        anchor(database)
        dump(postgres_server, database_url, tmp_path / "newest")
        shutil.copytree(tmp_path / "store", tmp_path / "restored-store")
        before = counts(database)

        with embedded.running(reachable_folder / "empty", settings=fix_servers.QUICK) as empty:
            with fix_servers.new_database(empty, "template1") as url:
                restore(empty, url, tmp_path / "newest")
                restored = Database(url)
                schema_check.check(restored)
                assert counts(restored) == before
                outside = anchors.find("default", place, key=signer.public_key)
                assert (len(outside.heads), outside.faults) == (1, ())
                assert whole(restored, outside).is_whole
                go_on(there, restored)
                anchor(restored)
                later = anchors.find("default", place, key=signer.public_key)
                assert len(later.heads) == 2
                assert whole(restored, later).is_whole
                produce(restored, FolderStore(tmp_path / "restored-store"), tmp_path / "bag", signer)
                restored.close()
            with fix_servers.new_database(empty, "template1") as url:
                restore(empty, url, tmp_path / "older")
                old = Database(url)
                assert whole(old, anchors.Found((), ())).is_whole
                assert not whole(old, outside).is_whole
                old.close()


def go_on(there: Setting, restored: Database) -> None:
    """Change, delete and add calls at the source, and sync into the restored database."""
    sealed = counts(restored)[1]
    for call_id in there.world.live_ids()[20:25]:
        there.world.update(call_id, summary="after the restore")
    new = there.world.create(at=there.api.clock(), status="no_answer")
    onward = Setting(there.api, there.base_url, restored)
    onward.sync(seals=True)
    assert onward.differences() == []
    assert counts(restored)[1] > sealed
    assert new is not None


def produce(restored: Database, store: FolderStore, target: Path, signer: signing.Signer) -> None:
    request = exporting.Request(Chosen("default"), {}, "anna", "drill")
    at = datetime.now(UTC)
    done = exporting.export(restored, request, target, store, at, lambda block: json.loads(signer.sign(block, at)))
    assert done.is_whole
    assert done.tally.kinds["recording"] == 3
    assert verify_file.verify(str(target), signer.public_key)[0] == []


def test_erasures_hold_after_a_restore(
    database: Database, database_url: str, empty_database: str, postgres_server: embedded.Server, tmp_path: Path
) -> None:
    """A person was erased before the dump: after the restore the archive is whole, a sync brings nothing back, and a bag of
    all calls has nothing of the person, says which records were erased, and is whole.
    """
    (tmp_path / "home").mkdir()
    with replica(database, tmp_path / "home") as there:
        plant(there)
        there.erase(NUMBER)
        dump(postgres_server, database_url, tmp_path / "dump")
        restore(postgres_server, empty_database, tmp_path / "dump")
        restored = Database(empty_database)
        try:
            assert whole(restored, anchors.Found((), ())).is_whole
            again = Replica(there.there, restored, there.folder, there.ids)
            there.there.database = restored
            again.sync()
            request = exporting.Request(Chosen("default"), {}, "anna", "drill")
            with again.open_store() as store:
                done = exporting.export(restored, request, tmp_path / "bag", store, datetime.now(UTC))
        finally:
            restored.close()
    assert done.tally.erased
    assert done.is_whole
    faults, proven = verify_file.verify(str(tmp_path / "bag"))
    assert faults == []
    assert any(f"{done.tally.erased} of them were erased" in line for line in proven)
    for path in (tmp_path / "bag").rglob("*"):
        assert path.is_dir() or not any(canary.encode() in path.read_bytes() for canary in CANARIES), path.name
