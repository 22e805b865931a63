"""Exports from a real database: what was synced and sealed lies in a bag that both verifiers accept."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from replicator.archive import chain, sealing
from replicator.archive.kinds import Kind
from replicator.archive.production import bag, exporting, verify_file
from replicator.archive.recordings.folder_store import FolderStore
from replicator.archive.verification import inspection
from replicator.errors import ConfigurationError
from replicator.simulator.switches import Switches
from replicator.store import sealed_heads
from replicator.store.produced import Chosen
from tests.archive import fix_bags, fix_recordings
from tests.archive.fix_texts import HOSTILE
from tests.archive.production.test_bag import assert_bagit_accepts, files
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.store.database import Database

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def synced(database: Database) -> Iterator[Setting]:
    """Forty calls, sealed in the transactions that stored them; some of them were changed since."""
    with source(database, calls=40, switches=Switches(limit=None)) as there:
        there.sync(seals=True)
        for place, call_id in enumerate(there.world.live_ids()[:20]):
            there.world.update(call_id, summary=HOSTILE[place].replace("\ud800", ""))
        there.sync(seals=True)
        yield there


def ask(**chosen: Any) -> exporting.Request:
    return exporting.Request(Chosen("default", **chosen), {}, "anna", "a test")


def export(
    there: Setting, target: Path, store: FolderStore | None = None, *, signed: bool = True, **chosen: Any
) -> exporting.Done:
    return exporting.export(there.database, ask(**chosen), target, store, AT, fix_bags.signed_head if signed else None)


def test_everything_that_was_sealed_is_in_the_bag(synced: Setting, tmp_path: Path) -> None:
    """Each version of each call and each transcript lies in it as it is stored, and is proven by its record."""
    with synced.database.transaction() as tx:
        head = sealing.head(tx, "default")
        assert head is not None
        sealed_heads.note(tx, "default", head.block, "outside", fix_bags.head_file(head).decode(), AT, None)
    done = export(synced, tmp_path / "bag")
    assert done.is_whole
    assert verify_file.verify(str(tmp_path / "bag"), fix_bags.PUBLIC)[0] == []
    assert_bagit_accepts(tmp_path / "bag")
    kinds = dict(synced.rows("SELECT kind, count(*) FROM archive.records WHERE subject IS NOT NULL GROUP BY 1"))
    assert done.tally.kinds == kinds
    assert kinds["call"] == synced.value("SELECT count(*) FROM truedy.call_versions")
    stored = {row[0] for row in synced.rows("SELECT raw::text FROM truedy.call_versions")}
    assert {path.read_text() for path in tmp_path.rglob("*-call.json")} == stored
    said = {
        path.parent: len(json.loads(path.read_text())["segments"])
        for path in sorted(tmp_path.rglob("*-transcript.json"))
    }
    assert sum(said.values()) == synced.value("SELECT count(*) FROM truedy.transcript_segments")


def test_the_same_selection_gives_the_same_bytes(synced: Setting, tmp_path: Path) -> None:
    """The second export has the first one's record behind it, another name and another time, and the same payload."""
    number = synced.value("SELECT phone_number FROM truedy.calls WHERE phone_number IS NOT NULL ORDER BY id LIMIT 1")
    digits = "".join(filter(str.isdigit, number))
    export(synced, tmp_path / "one", numbers=(digits,))
    later = replace(ask(numbers=(digits,)), by="bert")
    exporting.export(synced.database, later, tmp_path / "two", None, AT + timedelta(days=1), fix_bags.signed_head)
    one, two = files(tmp_path / "one"), files(tmp_path / "two")
    assert one.keys() == two.keys()
    assert {name for name in one if one[name] != two[name]} == set(bag.STATED)
    assert one[bag.MANIFEST].count(b"-call.json") >= 1


def test_the_export_is_a_record(synced: Setting, tmp_path: Path) -> None:
    """Who, why, what was asked for and the hashes of the bag's lists are sealed; the bag holds that record."""
    done = export(synced, tmp_path / "bag")
    row = synced.rows(f"SELECT kind, bytes FROM archive.records WHERE sequence = {done.sequence}")
    sealed = json.loads(row[0][1])
    assert row[0][0] == "export"
    assert (sealed["by"], sealed["reason"]) == ("anna", "a test")
    assert sealed["files"][bag.MANIFEST] == sha256((tmp_path / "bag" / bag.MANIFEST).read_bytes()).hexdigest()
    assert sealed["files"][bag.CUSTODY] == sha256((tmp_path / "bag" / bag.CUSTODY).read_bytes()).hexdigest()
    assert json.loads((tmp_path / "bag" / bag.EXPORT).read_text())["record"]["sequence"] == done.sequence
    assert inspection.verify(synced.database, "default").is_whole


def test_what_fails_leaves_neither_a_bag_nor_a_record(synced: Setting, tmp_path: Path) -> None:
    """A folder that is in use, and a signature that cannot be made: no folder, no record."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(ConfigurationError):
        export(synced, tmp_path / "full")

    def fails(_: chain.Block) -> dict[str, object]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        exporting.export(synced.database, ask(), tmp_path / "bag", None, AT, fails)
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    assert synced.value("SELECT count(*) FROM archive.records WHERE kind = 'export'") == 0


def test_what_is_chosen(synced: Setting, tmp_path: Path) -> None:
    """Ids and numbers add up; days and a hold narrow; a number of an earlier version counts; an unknown id is named."""
    rows = synced.rows("SELECT id, phone_number, created_at::date FROM truedy.calls ORDER BY created_at")
    day = rows[20][2]
    that_day = {row[0] for row in rows if row[2] == day}
    synced.rows(
        'UPDATE truedy.call_versions SET raw = raw || \'{"phone_number": "+99 (123) 456"}\' WHERE '
        f"call_id = '{rows[0][0]}' RETURNING 1"
    )
    assert rows[0][2] < day < rows[-1][2]
    unknown = uuid.uuid4()
    cases: list[tuple[dict[str, Any], set[uuid.UUID]]] = [
        ({"call_ids": (rows[1][0], unknown)}, {rows[1][0]}),
        ({"numbers": ("99123456",)}, {rows[0][0]}),
        ({"call_ids": (rows[1][0],), "numbers": ("99123456",)}, {rows[0][0], rows[1][0]}),
        ({"since": day, "until": day}, that_day),
        ({"since": day, "call_ids": (rows[0][0], rows[-1][0])}, {rows[-1][0]}),
        ({"until": day, "call_ids": (rows[0][0], rows[-1][0])}, {rows[0][0]}),
        ({"hold_ids": (rows[2][0],)}, {rows[2][0]}),
        ({"numbers": ("1",)}, set()),
    ]
    for place, (chosen, expected) in enumerate(cases):
        done = export(synced, tmp_path / str(place), **chosen)
        there = {uuid.UUID(path.name) for path in (tmp_path / str(place) / "data").glob("calls/*")}
        assert (there, done.calls) == (expected, len(expected))
        assert done.unknown == ((str(unknown),) if place == 0 else ())


def test_recordings_and_what_was_erased(synced: Setting, tmp_path: Path) -> None:
    """Audio comes from the store; one that is gone is named. An erased record stays in its place, with its erasure."""
    ids = [row[0] for row in synced.rows("SELECT id FROM truedy.calls ORDER BY id LIMIT 3")]
    store = FolderStore(tmp_path / "store")
    digests = fix_recordings.store_and_seal(synced.database, store, ids)
    done = export(synced, tmp_path / "whole", store, call_ids=tuple(ids))
    assert done.is_whole
    assert verify_file.verify(str(tmp_path / "whole"))[0] == []
    assert {sha256(path.read_bytes()).hexdigest() for path in tmp_path.glob("whole/**/*.wav")} == set(digests)

    first = synced.value(f"SELECT sequence FROM archive.records WHERE subject = '{ids[0]}' ORDER BY 1 LIMIT 1")
    erasure = {"kind": "erasure", "account": "default", "by": "anna", "reason": "asked", "records": [first]}
    with synced.database.transaction() as tx:
        tx.execute("UPDATE archive.records SET salt = NULL, bytes = NULL WHERE sequence = %s", [first])
        sealing.append(tx, "default", [sealing.Entry(Kind.ERASURE, None, AT, chain.canonical(erasure))], AT)
    store.remove(f"{digests[1][:2]}/{digests[1][2:4]}/{digests[1]}")
    done = export(synced, tmp_path / "less", store, call_ids=tuple(ids))
    assert (done.tally.erased, len(done.tally.damaged)) == (1, 1)
    faults, _ = verify_file.verify(str(tmp_path / "less"))
    assert len(faults) == 1
    assert "-recording.wav is not there" in faults[0]


def test_a_changed_payload_is_named(synced: Setting, tmp_path: Path) -> None:
    """What was changed in the database behind the archive's back is exported as it is, and named on both sides."""
    synced.rows("UPDATE truedy.transcript_segments SET text = text || '!' WHERE position = 0 AND call_id = "
                "(SELECT min(call_id::text)::uuid FROM truedy.transcript_segments) RETURNING 1")  # fmt: skip
    done = export(synced, tmp_path / "bag")
    assert len(done.tally.damaged) == 1
    faults, _ = verify_file.verify(str(tmp_path / "bag"))
    assert len(faults) == 1
    assert "-transcript.json is not what was sealed" in faults[0]
