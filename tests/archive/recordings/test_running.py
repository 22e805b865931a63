"""The lane that downloads recordings: a real database, a real store, real storages on sockets."""

from __future__ import annotations

import hashlib
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from replicator.archive import sealing
from replicator.archive.recordings import janitor, objects
from replicator.archive.recordings.folder_store import FolderStore
from replicator.archive.recordings.objects import StoreFailed
from replicator.archive.recordings.queue_rules import Reason
from replicator.errors import DatabaseError
from replicator.store import archived, erasing
from tests.archive import fix_queue, fix_sound, fix_storage
from tests.archive.fix_queue import renewing

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

SOUND = fix_sound.wav(20_000)
HASH = hashlib.sha256(SOUND).hexdigest()


def by_path(contents: dict[str, bytes]):
    """Serve contents by path, 404 for others."""

    def serve(head: bytes, connection) -> None:
        path = head.split()[1].decode().partition("?")[0]
        found = contents.get(path)
        connection.sendall(fix_storage.answer(b"", "404 Not Found") if found is None else fix_storage.answer(found))

    return serve


def test_what_is_due_is_stored_and_sealed(database: Database, tmp_path: Path) -> None:
    """Three recordings of before are queued, downloaded, put under their hashes and sealed; a second run does nothing."""
    contents = {f"/{name}": sound for name, sound in zip("abc", fix_sound.SOUNDS.values(), strict=False)}
    with fix_storage.serving(by_path(contents)) as storage:
        ids = fix_queue.add_calls(database, [f"{storage.url}{path}" for path in contents])
        report = fix_queue.perform(database, tmp_path)
        again = fix_queue.perform(database, tmp_path)
    assert (report.queued, report.stored, report.failed) == (3, 3, 0)
    assert report.bytes == sum(map(len, contents.values()))
    assert (again.queued, again.stored, again.strays, again.lost) == (0, 0, 0, 0)
    rows = fix_queue.rows(database)
    for number, content in zip(ids, contents.values(), strict=True):
        row = rows[number]
        assert row["state"] == "stored"
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        assert (tmp_path / row["place"]).read_bytes() == content
        assert (tmp_path / row["place"]).stat().st_mode & 0o777 == 0o400
    assert sorted(fix_queue.sealed(database)) == sorted((number, rows[number]["sha256"]) for number in ids)
    assert list((tmp_path / "unfinished").glob("*.part")) == []


def test_the_newest_call_comes_first(database: Database, tmp_path: Path) -> None:
    """Its audio is the one that can be had longest, and is asked for most."""
    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        fix_queue.add_calls(database, [f"{storage.url}/{index}" for index in range(5)])
        fix_queue.perform(database, tmp_path, downloads=1)
    assert [request.split()[1] for request in storage.requests] == [b"/0", b"/1", b"/2", b"/3", b"/4"]


def test_two_calls_with_the_same_audio_share_a_file(database: Database, tmp_path: Path) -> None:
    """Two rows, one file, two records."""
    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        ids = fix_queue.add_calls(database, [f"{storage.url}/{index}" for index in range(2)])
        assert fix_queue.perform(database, tmp_path).stored == 2
    assert {row["sha256"] for row in fix_queue.rows(database).values()} == {HASH}
    assert sorted(call for call, _ in fix_queue.sealed(database)) == sorted(ids)
    assert len(list(FolderStore(tmp_path).listed())) == 1


def test_runs_on_several_machines_share_the_queue(database: Database, tmp_path: Path) -> None:
    """Forty recordings, three runs at once: each is downloaded once, stored once and sealed once."""
    with fix_storage.serving(by_path({f"/{index}": fix_sound.wav(100 + index) for index in range(40)})) as storage:
        ids = fix_queue.add_calls(database, [f"{storage.url}/{index}" for index in range(40)])
        fix_queue.perform(database, tmp_path / "other")
        reports = []
        fix_queue.make_due(database)
        threads = [
            threading.Thread(target=lambda: reports.append(fix_queue.perform(database, tmp_path, claim_seconds=30)))
            for _ in range(3)
        ]
        with database.transaction() as tx:
            tx.execute("DELETE FROM archive.objects")
        storage.requests.clear()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(report.stored for report in reports) == 40
    assert len(storage.requests) == 40
    assert {row["state"] for row in fix_queue.rows(database).values()} == {"stored"}
    sealed = [call for call, _ in fix_queue.sealed(database)]
    assert sorted(sealed) == sorted(ids * 2)  # once by the first run into another store


def test_accounts_are_kept_apart(database: Database, tmp_path: Path) -> None:
    """A run takes its own account's recordings only, and does not miss the other's files."""
    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        ours = fix_queue.add_calls(database, [f"{storage.url}/a"])
        theirs = fix_queue.add_calls(database, [f"{storage.url}/b"], account="other")
        assert fix_queue.perform(database, tmp_path).stored == 1
        assert set(fix_queue.rows(database)) == set(ours)
        report = fix_queue.perform(database, tmp_path, account="other")
        assert (report.stored, report.strays, report.lost) == (1, 0, 0)
    assert set(fix_queue.rows(database)) == {*ours, *theirs}


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (fix_storage.answer(b"<html>", content_type="text/html"), "pending", Reason.NOT_AUDIO),
        (fix_storage.answer(b"", "404 Not Found"), "pending", Reason.SOURCE_FAILED),
        (fix_storage.answer(b"", "503 Busy", retry_after="7200"), "pending", Reason.STORAGE_BUSY),
        (fix_storage.answer(b"", "302 Found", location="http://169.254.169.254/"), "refused", Reason.BAD_LINK),
        (
            fix_storage.answer(b"", "302 Found", location="https://169.254.169.254/"),
            "refused",
            Reason.FORBIDDEN_ADDRESS,
        ),
        (fix_storage.answer(SOUND, content_length="9999999999"), "refused", Reason.TOO_LARGE),
    ],
)
def test_a_failure_is_kept_with_its_reason(
    database: Database, tmp_path: Path, answer: bytes, state: str, reason: Reason
) -> None:
    """Waiting ones have a time for the next attempt, which the storage may set; refused ones have none."""
    with fix_storage.serving(fix_storage.constant(answer)) as storage:
        (number,) = fix_queue.add_calls(database, [storage.url])
        report = fix_queue.perform(database, tmp_path)
    row = fix_queue.rows(database)[number]
    assert (row["state"], row["reason"]) == (state, reason)
    assert report.reasons == {reason: 1}
    assert (row["next_try_at"] is None) is (state == "refused")
    if reason is Reason.STORAGE_BUSY:
        with database.connection() as connection:
            (late,) = connection.execute(
                "SELECT next_try_at > now() + interval '119 minutes' FROM archive.objects"
            ).fetchone()
        assert late
    assert fix_queue.sealed(database) == []
    with database.transaction() as tx:
        assert archived.try_again(tx, "default", fix_queue.now()) == (state == "refused")


def test_what_the_vendor_has_deleted_is_missing(database: Database, tmp_path: Path) -> None:
    """A recording of last year gets one attempt. Its link is refused, and the source has no other."""
    with fix_storage.serving(by_path({})) as storage:
        (number,) = fix_queue.add_calls(database, [f"{storage.url}/gone"], age=timedelta(days=300))
        with renewing(database, lambda _: f"{storage.url}/gone") as renewer:
            report = fix_queue.perform(database, tmp_path, renewer=renewer)
    assert (report.missing, report.failed) == (1, 0)
    assert fix_queue.rows(database)[number]["state"] == "missing"
    assert fix_queue.rows(database)[number]["reason"] == "link_refused"


def test_a_lost_file_is_fetched_again(database: Database, tmp_path: Path) -> None:
    """The next comparison finds it; what is sealed of it stays, and the same bytes come back."""
    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        fix_queue.add_calls(database, [f"{storage.url}/a"])
        fix_queue.perform(database, tmp_path)
        place = objects.place_of(HASH)
        assert FolderStore(tmp_path).remove(place)
        report = fix_queue.perform(database, tmp_path)
    assert (report.lost, report.stored) == (1, 1)
    assert objects.examine(FolderStore(tmp_path), place).is_whole
    assert [sha256 for _, sha256 in fix_queue.sealed(database)] == [HASH, HASH]


def test_an_unmounted_store_is_not_taken_for_a_loss(database: Database, tmp_path: Path) -> None:
    """Where more than ten files are gone, nothing is changed, unless the operator says so."""
    with fix_storage.serving(by_path({f"/{index}": fix_sound.wav(100 + index) for index in range(12)})) as storage:
        fix_queue.add_calls(database, [f"{storage.url}/{index}" for index in range(12)])
        fix_queue.perform(database, tmp_path / "store")
        with pytest.raises(StoreFailed, match="12 of 12 recordings are not in the store"):
            fix_queue.perform(database, tmp_path / "elsewhere")
        assert {row["state"] for row in fix_queue.rows(database).values()} == {"stored"}
        report = fix_queue.perform(database, tmp_path / "elsewhere", is_loss_accepted=True)
    assert (report.lost, report.stored) == (12, 12)


def test_strays_and_damage_are_told_and_left(database: Database, tmp_path: Path) -> None:
    """A file of no row may be the only copy of something: it is counted. A file that grew is counted, too."""
    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        fix_queue.add_calls(database, [f"{storage.url}/a"])
        fix_queue.perform(database, tmp_path)
    stray = tmp_path / objects.place_of("ab" * 32)
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"x")
    damaged = tmp_path / objects.place_of(HASH)
    damaged.chmod(0o600)
    damaged.write_bytes(SOUND + b"x")
    found = janitor.compare(database, FolderStore(tmp_path), "default")
    assert (found.files, found.strays, found.damaged, found.lost) == (2, 1, [HASH], [])
    report = fix_queue.perform(database, tmp_path)
    assert (report.strays, report.damaged) == (1, 1)
    assert stray.exists()


def test_another_content_at_a_files_place_is_never_overwritten(database: Database, tmp_path: Path) -> None:
    """The recording waits, with the reason; the file that lies there stays as evidence."""
    place = tmp_path / objects.place_of(HASH)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"something else")
    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        (number,) = fix_queue.add_calls(database, [f"{storage.url}/a"])
        report = fix_queue.perform(database, tmp_path)
    assert report.reasons == {Reason.STORE_FAILED: 1}
    assert fix_queue.rows(database)[number]["state"] == "pending"
    assert place.read_bytes() == b"something else"


def test_a_store_that_takes_no_more_ends_the_run(database: Database, tmp_path: Path) -> None:
    """A folder in place of which is a file: said once, with what to do, and the recordings wait."""
    (tmp_path / "store").write_text("no folder")
    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        fix_queue.add_calls(database, [f"{storage.url}/{index}" for index in range(20)])
        with database.transaction() as tx:
            archived.queue_from_before(tx, "default", timedelta(days=14), fix_queue.now(), 100)
        for every in (0.0, 1e9):
            with pytest.raises(StoreFailed):
                fix_queue.perform(database, tmp_path / "store", compare_every_seconds=every)
        assert {row["state"] for row in fix_queue.rows(database).values()} == {"pending"}
        assert max(row["attempts"] for row in fix_queue.rows(database).values()) == 0


def test_a_run_ends_in_its_time(database: Database, tmp_path: Path) -> None:
    """And the next one goes on from where the download was."""
    with fix_storage.serving(fix_storage.file_server(fix_sound.wav(3_000_000))) as storage:
        fix_queue.add_calls(database, [f"{storage.url}/a"])
        begun = time.monotonic()
        report = fix_queue.perform(database, tmp_path, seconds=0.7, bytes_per_second=1_000_000)
        assert time.monotonic() - begun < 3
        assert (report.stored, report.is_stopped, report.failed) == (0, True, 0)
        assert fix_queue.perform(database, tmp_path).stored == 1
        assert b"Range: bytes=" in storage.requests[1]


def test_an_unfinished_part_of_an_erased_recording_is_removed(database: Database, tmp_path: Path) -> None:
    """A part whose row does not wait any more must not stay."""
    with fix_storage.serving(fix_storage.file_server(SOUND, breaks_after=9000)) as storage:
        fix_queue.add_calls(database, [f"{storage.url}/a"])
        fix_queue.perform(database, tmp_path)
        assert len(list((tmp_path / "unfinished").glob("*.part"))) == 1
        with database.transaction() as tx:
            tx.execute("UPDATE archive.objects SET state = 'erased', next_try_at = NULL")
        fix_queue.perform(database, tmp_path)
    assert [path for path in (tmp_path / "unfinished").iterdir() if path.name != janitor.STAMP] == []


def test_a_recording_is_queued_when_its_link_is_stored(database: Database) -> None:
    """With its deadline; a second time changes nothing, and a call without a link is not queued."""
    ids = fix_queue.add_calls(database, ["https://storage.example.com/a", None])
    now = fix_queue.now()
    with database.transaction() as tx:
        assert archived.queue(tx, "default", ids, timedelta(days=14), now) == 1
        assert archived.queue(tx, "default", ids, timedelta(days=14), now) == 0
        found = archived.counts(tx, "default", now + timedelta(days=13), timedelta(days=2))
        late = archived.counts(tx, "default", now + timedelta(days=15), timedelta(days=2))
    assert (found.pending, found.due, found.near_deadline, found.late) == (1, 1, 1, 0)
    assert (late.pending, late.near_deadline, late.late) == (1, 0, 1)


def test_a_stored_row_without_its_file_cannot_be_written(database: Database) -> None:
    """The table itself refuses it."""
    with pytest.raises(DatabaseError), database.transaction() as tx:
        tx.execute(
            "INSERT INTO archive.objects (account, call_id, state, place) VALUES ('a', gen_random_uuid(), 'stored', 'x')"
        )


def test_nothing_is_stored_that_is_not_sealed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row and record are written in one transaction: where sealing fails, the row waits, and the next run finds the file."""

    def fail(*_: object, **__: object) -> None:
        raise StoreFailed("no seal")

    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        (number,) = fix_queue.add_calls(database, [f"{storage.url}/a"])
        with monkeypatch.context() as patched:
            patched.setattr(sealing, "append", fail)
            with pytest.raises(StoreFailed):
                fix_queue.perform(database, tmp_path)
        assert fix_queue.rows(database)[number]["state"] == "pending"
        fix_queue.make_due(database)
        report = fix_queue.perform(database, tmp_path)
    assert (report.found_again, report.stored) == (1, 0)
    assert fix_queue.rows(database)[number]["state"] == "stored"
    assert len(storage.requests) == 1
    assert fix_queue.sealed(database) == [(number, HASH)]


def test_a_file_that_is_put_during_an_erasure_goes_again(database: Database, tmp_path: Path) -> None:
    """The call is erased while its file is put: before the file is there, and after it."""
    for is_after in (False, True):

        class Beside(FolderStore):
            def put(self, *given: Any, **more: Any) -> str:
                place = super().put(*given, **more) if is_after else ""  # noqa: B023 - it is called in this turn
                with database.transaction() as tx:
                    files = erasing.remove_object(tx, "default", calls[0], "erased")  # noqa: B023
                    assert [one.is_putting for one in files] == [True]
                    for one in files:
                        self.remove(one.place)
                return place or super().put(*given, **more)

        with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
            calls = fix_queue.add_calls(database, [f"{storage.url}/a"])
            assert fix_queue.perform(database, Beside(tmp_path)).stored == 0
        assert list(FolderStore(tmp_path).listed()) == []
        assert fix_queue.rows(database)[calls[0]]["state"] == "erased"


def test_without_a_network_a_run_ends_soon(database: Database, tmp_path: Path) -> None:
    """After eight downloads in a row that reached nothing no more are begun; the rest stays due for the next run."""
    with fix_storage.serving(by_path({})) as storage:
        gone = storage.url
    fix_queue.add_calls(database, [f"{gone}/{number}" for number in range(40)])
    report = fix_queue.perform(database, tmp_path)
    assert 8 <= report.failed <= 8 + 4
    tried = [row for row in fix_queue.rows(database).values() if row["attempts"]]
    assert len(tried) == report.failed
    assert all(row["state"] == "pending" for row in fix_queue.rows(database).values())
