"""The lane that downloads recordings, beside what an archivist does at the same time: retention, and erasures."""

from __future__ import annotations

import hashlib
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from replicator.archive.governance import holds
from replicator.archive.governance.retention import Basis, Mode, RetentionClass, parse_keep
from replicator.archive.recordings.folder_store import FolderStore
from replicator.store import archived, erasing, sealed
from tests.archive import fix_queue, fix_sound, fix_storage

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from replicator.store.database import Database

SOUND = fix_sound.wav(2_000)
HASH = hashlib.sha256(SOUND).hexdigest()
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def keep(database: Database, name: str, time: str) -> None:
    new = RetentionClass(name, 0, Basis.BUSINESS, Mode.GOVERNANCE, parse_keep(time))
    holds.set_class(database, "default", new, by="anna", reason="a rule", at=datetime.now(UTC))


def wait_for_a_lock(database: Database) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with database.connection() as connection:
            if connection.execute(WAITING).fetchone() != (0,):
                return
        time.sleep(0.05)
    raise AssertionError("nothing waits for a lock")


def claimed(database: Database, call_id: UUID) -> tuple[UUID, UUID]:
    """Return (row, run) of a recording that a run has claimed and is about to put."""
    run = uuid4()
    with database.transaction() as tx:
        archived.queue(tx, "default", [call_id], timedelta(days=30), fix_queue.now())
        row = archived.claim(tx, "default", run, 60.0, fix_queue.now() + timedelta(seconds=1), 1)[0].id
    return row, run


def test_what_is_stored_later_has_its_term(database: Database, tmp_path: Path) -> None:
    """A recording that is queued and stored after the class was set is kept for the class's time, in the store too."""
    given: list[Any] = []

    class Locking(FolderStore):
        def put(self, part: Path, sha256: str, media_type: str, retain_until: datetime | None = None) -> str:
            given.append(retain_until)
            return super().put(part, sha256, media_type, retain_until)

    keep(database, "all", "6y")
    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        fix_queue.add_calls(database, [f"{storage.url}/a"])
        assert fix_queue.perform(database, Locking(tmp_path)).stored == 1
    with database.connection() as connection:
        ended, until = connection.execute(
            "SELECT c.ended_at, o.retain_until FROM archive.objects o JOIN truedy.calls c ON c.id = o.call_id"
        ).fetchone() or (None, None)
    assert ended is not None
    assert given == [until] == [parse_keep("6y").until(ended)]


def test_a_class_and_a_stored_recording_do_not_lock_each_other(database: Database) -> None:
    """A run has locked a recording's row when a class is set; then it seals. Both come to their end."""
    number = fix_queue.add_calls(database, ["http://127.0.0.1/a"])[0]
    row, run = claimed(database, number)
    errors: list[Exception] = []

    def set_class() -> None:
        try:
            keep(database, "all", "6y")
        except Exception as error:  # noqa: BLE001 - it is looked at below
            errors.append(error)

    thread = threading.Thread(target=set_class)
    with database.transaction() as tx:
        assert archived.intend(tx, row, run, HASH, len(SOUND), "audio/wav")
        thread.start()
        wait_for_a_lock(database)
        sealed.lock(tx, "default")
    thread.join()
    assert errors == []
    assert fix_queue.rows(database)[number]["retain_until"] is not None


def test_a_file_is_not_removed_while_another_call_gets_it(database: Database, tmp_path: Path) -> None:
    """An erasure has found that nobody shares the file: another call's run waits, until the erasure is over. And where the run
    came first, the erasure sees it.
    """
    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        first = fix_queue.add_calls(database, [f"{storage.url}/a"])[0]
        assert fix_queue.perform(database, tmp_path).stored == 1
    row, run = claimed(database, fix_queue.add_calls(database, ["http://127.0.0.1/b"])[0])
    over: list[str] = []

    def intend() -> None:
        with database.transaction() as tx:
            archived.intend(tx, row, run, HASH, len(SOUND), "audio/wav")
        over.append("intended")

    thread = threading.Thread(target=intend)
    with database.transaction() as tx:
        (file,) = erasing.remove_object(tx, "default", first, "erased")
        assert not file.is_shared
        thread.start()
        wait_for_a_lock(database)
        over.append("erased")
    thread.join()
    assert over == ["erased", "intended"]


def test_an_erasure_sees_a_run_that_came_first(database: Database, tmp_path: Path) -> None:
    """It waits for the run that is about to put the same file, and leaves the file to it."""
    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        first = fix_queue.add_calls(database, [f"{storage.url}/a"])[0]
        assert fix_queue.perform(database, tmp_path).stored == 1
    row, run = claimed(database, fix_queue.add_calls(database, ["http://127.0.0.1/b"])[0])
    found: list[erasing.File] = []

    def erase() -> None:
        with database.transaction() as tx:
            found.extend(erasing.remove_object(tx, "default", first, "erased"))

    thread = threading.Thread(target=erase)
    with database.transaction() as tx:
        archived.intend(tx, row, run, HASH, len(SOUND), "audio/wav")
        thread.start()
        wait_for_a_lock(database)
    thread.join()
    assert [one.is_shared for one in found] == [True]
