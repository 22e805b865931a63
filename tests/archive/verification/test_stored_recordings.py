"""Stored recordings are verified: the row against its sealed record, the file's bytes against the row."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from replicator.archive.recordings.folder_store import FolderStore
from replicator.archive.verification import stored_recordings
from replicator.store.sealed_objects import Pair
from tests.archive import fix_queue, fix_sound, fix_storage
from tests.archive.recordings.test_running import by_path
from tests.fix_commands import run

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

CALL = uuid.UUID(int=7)
SEALED = b'{"bytes":3,"sha256":"ab"}'
STORED = ("stored", "ab", 3, "aa/bb/ab")


def codes(database: Database, folder: Path | None = None, most: int | None = None) -> list[str]:
    store = FolderStore(folder) if folder is not None else None
    return [fault.code for fault in stored_recordings.verify(database, "default", store, most)]


def change(database: Database, statement: str, *values: Any) -> None:
    with database.transaction() as tx:
        tx.execute(statement.encode(), values)


@pytest.fixture
def stored(database: Database, tmp_path: Path) -> Path:
    """Three recordings, stored and sealed; the folder of the store."""
    contents = {f"/{name}": sound for name, sound in zip("abc", fix_sound.SOUNDS.values(), strict=False)}
    with fix_storage.serving(by_path(contents)) as storage:
        fix_queue.add_calls(database, [f"{storage.url}{path}" for path in contents])
        fix_queue.perform(database, tmp_path)
    return tmp_path


def test_what_is_whole_has_no_fault(database: Database, stored: Path) -> None:
    assert codes(database) == []
    assert codes(database, stored) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "read", "said"),
    [
        ((), None, "the bytes of no recording were read"),
        (("--objects", "2"), 2, "the bytes of 2 recordings were read"),
        (("--objects", "all"), 3, "the bytes of 3 recordings were read"),
    ],
)
def test_an_auditor_sees_how_many_files_were_read(
    database_url: str, stored: Path, options: tuple[str, ...], read: int | None, said: str
) -> None:
    """As text and as JSON."""
    settings = {"DATABASE_URL": database_url, "REPLICATOR_DATA_DIR": str(stored), "REPLICATOR_ARCHIVE": "on"}
    shown = run("archive", "verify", *options, cwd=stored, **settings)
    assert said in shown.stdout
    facts = json.loads(run("archive", "verify", *options, "--json", cwd=stored, **settings).stdout)
    assert facts["files_read"] == read


def test_a_changed_byte_and_a_missing_file_are_found(database: Database, stored: Path) -> None:
    """Only where the bytes are read; a sample of one reads one."""
    first, second, _ = (stored / str(row["place"]) for row in fix_queue.rows(database).values())
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.chmod(0o600)
    first.write_bytes(content)
    second.unlink()
    assert codes(database) == []
    assert sorted(codes(database, stored)) == ["file_changed", "file_missing"]
    assert len(codes(database, stored, most=1)) <= 1
    assert sorted(codes(database, stored, most=3)) == ["file_changed", "file_missing"]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE archive.objects SET sha256 = repeat('0', 64) WHERE id = (SELECT min(id::text)::uuid FROM archive.objects)", "recording_changed"),
        ("DELETE FROM archive.objects WHERE id = (SELECT min(id::text)::uuid FROM archive.objects)", "recording_lost"),
    ],
)  # fmt: skip
def test_a_row_that_differs_from_its_record_is_found(
    database: Database, stored: Path, statement: str, code: str
) -> None:
    change(database, statement)
    assert codes(database) == [code]


@pytest.mark.pure
@pytest.mark.parametrize(
    ("pair", "code"),
    [
        (Pair(CALL, 1, SEALED, *STORED), None),
        (Pair(CALL, None, None, *STORED), "recording_unsealed"),
        (Pair(CALL, 1, None, "erased", None, None, None), None),
        (Pair(CALL, 1, None, "disposed", None, None, None), None),
        (Pair(CALL, 1, None, *STORED), "recording_kept"),
        (Pair(CALL, 1, SEALED, "erased", None, None, None), "recording_lost"),
        (Pair(CALL, 1, SEALED, "none", None, None, None), "recording_lost"),
        (Pair(CALL, 1, b"no JSON", *STORED), "recording_unreadable"),
        (Pair(CALL, 1, SEALED, "stored", "ab", 4, "aa/bb/ab"), "recording_changed"),
        (Pair(CALL, 1, SEALED, "stored", "cd", 3, "aa/bb/cd"), "recording_changed"),
    ],
)
def test_record_and_row(pair: Pair, code: str | None) -> None:
    """Every combination of a record, an erased one or none with each state of the row."""
    fault = stored_recordings.compare(pair)
    assert (fault.code if fault else None) == code
