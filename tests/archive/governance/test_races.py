"""Erasures beside a sync, a download and a restore: whatever comes first, nothing of an erased call stays behind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from replicator.archive import late
from replicator.archive.governance import erasure, holds
from replicator.archive.governance.erasure import Request
from replicator.archive.governance.holds import Selection
from replicator.archive.governance.spellings import spelling
from replicator.archive.recordings.folder_store import FolderStore
from replicator.archive.recordings.objects import ObjectHeld
from replicator.archive.verification import inspection
from replicator.errors import ConfigurationError
from replicator.store import governance, quarantine, stored_details
from replicator.store.database import Database
from replicator.store.rows import UnreadRow
from replicator.sync.options import Asked
from replicator.sync.pseudonyms import Pseudonyms
from tests.archive.fix_governance import CANARIES, KEYS, NAME, NUMBER, SECRET, Replica, plant, replica

if TYPE_CHECKING:
    from pathlib import Path

NOT_REFRESHED = {"rollup.numbers"}
ALL = Asked(with_details=True)


def gone(there: Replica) -> bool:
    return there.places(*CANARIES) <= NOT_REFRESHED


def dispose(there: Replica) -> None:
    now = datetime.now(UTC)
    with there.database.connection() as connection:
        planned = erasure.disposal_plan(connection, "default", KEYS, now)
    erasure.perform(there.database, Request("default", "me", "waited"), planned, there.tools, now)


def test_a_sync_between_a_hold_and_the_disposal_leaves_the_call_to_it(database: Database, tmp_path: Path) -> None:
    """The hold has ended, and a sync sees the call before the disposal does: the disposal still takes all of it."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        now = datetime.now(UTC)
        held = Selection(call_ids=(there.ids["called"],))
        holds.place(database, "default", "case-1", held, KEYS, by="me", reason="a suit", at=now)
        there.erase(NUMBER)
        holds.release(database, "default", "case-1", by="me", reason="settled", at=now)
        there.there.world.update(str(there.ids["called"]), cost_usd="0.1700")
        there.sync(asked=ALL)
        assert there.rows(f"SELECT raw ? '_erased' FROM truedy.calls WHERE id = '{there.ids['called']}'") == [(False,)]
        dispose(there)
        assert gone(there)
        assert there.rows(f"SELECT cost_usd FROM truedy.calls WHERE id = '{there.ids['called']}'")[0][0] * 100 == 17


def test_a_sync_beside_an_erasure_takes_nothing_from_it(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list has the numbers, and a sync commits before the first call is erased: all are erased, with decisions."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        find, done = erasure.erasing.sealed_of, []

        def late(*given: Any) -> Any:
            found = find(*given)
            given[0].commit()
            if not done:
                done.append(there.sync(asked=ALL))
            return found

        monkeypatch.setattr(erasure.erasing, "sealed_of", late)
        there.erase(NUMBER)
        assert done
        assert gone(there)
        assert there.rows("SELECT count(*), count(sequence) FROM archive.erasure_calls") == [(4, 4)]


def test_a_stored_call_that_gets_an_erased_number_is_disposed_of_whole(database: Database, tmp_path: Path) -> None:
    """It waits for the disposal with all that was stored of it, and is found even when its number changes once more."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        there.erase(NUMBER)
        world = there.there.world
        other = world.create(
            status="completed", phone_number="+12025550171", direction="outbound", summary="Winterbottom"
        )
        there.sync(asked=ALL)
        world.update(other, phone_number=NUMBER)
        there.sync(asked=ALL)
        world.update(other, phone_number="+12025550171")
        there.sync(asked=ALL)
        dispose(there)
        assert gone(there)
        assert there.rows(f"SELECT count(*) FROM archive.erasure_calls WHERE call_id = '{other}'") == [(1,)]


def test_the_mark_alone_is_no_proof(database: Database, tmp_path: Path) -> None:
    """A call of which only the current row is reduced is still a candidate: the rest of it is erased."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        with database.transaction() as tx:
            tx.execute(
                "UPDATE truedy.calls SET raw = jsonb_build_object('id', id, '_erased', true), phone_number = NULL, "
                "summary = NULL, context = NULL WHERE id = %s",
                [there.ids["called"]],
            )
        there.erase(calls=(there.ids["called"],))
        there.erase(NUMBER)
        assert gone(there)
        assert there.plan(there.request(calls=tuple(there.ids.values()))).verdicts == ()


def forget(there: Replica) -> None:
    """Take the list out of the database, as a restored one lacks it."""
    with there.database.transaction() as tx:
        tx.execute("ALTER TABLE archive.suppressions DISABLE TRIGGER ALL")
        tx.execute("DELETE FROM archive.suppressions")


def listed(there: Replica) -> None:
    """Write into the file beside the keys that the number is erased, while the database does not know it."""
    there.file.add("default", KEYS.key_id, [("number", key) for key in KEYS.of_spelling(spelling(NUMBER))])
    there.file.add("default", KEYS.key_id, [("call", KEYS.of_call(there.ids["mentioned"]))])
    row = b'{"id": 0, "phone_number": "' + NUMBER.encode() + b'"}'
    there.file.add("default", KEYS.key_id, [("payload", KEYS.of_payload(row))])


def test_a_writer_that_may_not_erase_leaves_the_work(logins: dict[str, str], database_url: str, tmp_path: Path) -> None:
    """No run of a plain writer begins, however often it is tried; an archivist's reapply does the work."""
    owner, writer, archivist = (Database(url) for url in (database_url, logins["writer"], logins["archivist"]))
    try:
        with replica(owner, tmp_path, calls=5) as there:
            plant(there)
            listed(there)
            for _ in range(2):
                with pytest.raises(ConfigurationError, match="restored from an earlier state"):
                    there.guard.reapply(writer, "default", datetime.now(UTC))
            done = there.guard.reapply(archivist, "default", datetime.now(UTC))
            assert done is not None
            assert sum(one.is_removal for one in done.verdicts) == 4
            assert gone(there)
            assert there.guard.reapply(writer, "default", datetime.now(UTC)) is None
    finally:
        for one in (owner, writer, archivist):
            one.close()


def test_a_reapply_that_breaks_off_goes_on(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It dies at the second call: the next run does the rest before anything else."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        listed(there)
        seal, calls = erasure.deeds.seal, []

        def die(*given: Any, **more: Any) -> int:
            calls.append(given)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return seal(*given, **more)

        monkeypatch.setattr(erasure.deeds, "seal", die)
        with pytest.raises(KeyboardInterrupt):
            there.guard.reapply(database, "default", datetime.now(UTC))
        monkeypatch.undo()
        assert not gone(there)
        there.sync()
        assert gone(there)
        with database.connection() as connection:
            table = {row[:2] for row in governance.all_suppressions(connection, "default")}
        assert {line[:2] for line in there.file.read("default")} == table


def test_a_number_in_a_field_that_was_set_aside_is_a_mention(database: Database, tmp_path: Path) -> None:
    """The call's own row does not have it: only what of the call could not be read."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        other = there.rows("SELECT id FROM truedy.calls WHERE coalesce(phone_number, '') <> '' ORDER BY id LIMIT 1")[0][
            0
        ]
        raw = f'{{"x": "{NAME} {NUMBER}"}}'.encode()
        with database.transaction() as tx:
            row = UnreadRow(other, "GET /calls", "too deep", raw, datetime.now(UTC), "context")
            quarantine.keep(tx, "default", [row])
        done = there.erase(NUMBER)
        assert other in {one.call_id for one in done.verdicts}
        assert gone(there)


def test_a_link_that_was_asked_for_is_not_stored_over_an_erasure(database: Database, tmp_path: Path) -> None:
    """The answer of the source comes after the erasure."""
    with replica(database, tmp_path, calls=20) as there:
        there.sync(asked=ALL)
        (call_id,) = there.rows("SELECT call_id FROM truedy.recordings WHERE state = 'present' LIMIT 1")[0]
        there.erase(calls=(call_id,))
        at = datetime(2999, 1, 1, tzinfo=UTC)
        with database.transaction() as tx:
            assert not stored_details.renew_recording_url(tx, call_id, "https://x.example/signed", None, at)
        states = there.rows(f"SELECT state, recording_url FROM truedy.recordings WHERE call_id = '{call_id}'")
        assert states == [("denied", None)]


def _statement(there: Replica) -> None:
    """A party's statement: a line that names a call, one that is matched with one, one of the number only, one of another."""
    ids, text = there.ids, f"{NAME} {NUMBER}"
    lines = [
        (1, ids["called"], None, NUMBER, "0.10", text),
        (2, None, None, None, "0.20", NAME),
        (3, None, "00493055501234", None, "0.30", text),
        (4, None, None, "+12025550199", "0.40", "somebody else"),
    ]
    with there.database.transaction() as tx:
        tx.execute(
            "INSERT INTO billing.statements (account, party, period, name, sha256, bytes, file_name, mapping, time_zone, "
            "imported_by, lines, unreadable, total) VALUES ('default', 'vendor', '2026-10', 'a', 'x', 1, 'a.csv', '{}', 'UTC', "
            "'me', 4, 0, '{}')"
        )
        for number, call_id, calling, called, amount, said in lines:
            tx.execute(
                "INSERT INTO billing.lines (statement, number, call_id, from_number, phone_number, amount, currency, kind, "
                "description, original) SELECT id, %s, %s, %s, %s, %s, 'USD', 'usage', %s, %s FROM billing.statements",
                [number, call_id, calling, called, amount, said, f"{calling},{called},{said}"],
            )
        tx.execute(
            "INSERT INTO billing.items (matching, item, class, rule, score, statement, line, call_id, ours_usd, theirs_usd, "
            "is_open) SELECT 1, 1, 'matched', 'id', 1, id, 2, %s, 0.2, 0.2, false FROM billing.statements",
            [ids["mentioned"]],
        )


SUMS = "SELECT count(*), sum(amount) FROM billing.lines", "SELECT item, call_id, theirs_usd FROM billing.items"


def test_an_erasure_reaches_the_lines_of_statements(logins: dict[str, str], database_url: str, tmp_path: Path) -> None:
    """The archivist takes the person out of them; amounts and matches stay, and so do the lines of others."""
    owner, archivist = Database(database_url), Database(logins["archivist"])
    try:
        with replica(owner, tmp_path, calls=5) as there:
            plant(there)
            _statement(there)
            sums = [there.rows(statement) for statement in SUMS]
            there.database = archivist
            done = there.erase(NUMBER)
            there.database = owner
            assert done.removed["statement lines"] == 3
            assert gone(there)
            assert [there.rows(statement) for statement in SUMS] == sums
            assert there.rows("SELECT number, original FROM billing.lines ORDER BY 1") == [
                (1, "(erased)"), (2, "(erased)"), (3, "(erased)"), (4, "None,+12025550199,somebody else")
            ]  # fmt: skip
    finally:
        owner.close()
        archivist.close()


def test_the_line_of_a_call_that_is_held_stays_with_it(database: Database, tmp_path: Path) -> None:
    """The hold keeps the call, and what a party says of it; a restored list finds the line of a number by its hash."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        _statement(there)
        now = datetime.now(UTC)
        held = Selection(call_ids=(there.ids["called"],))
        holds.place(database, "default", "case-1", held, KEYS, by="me", reason="a suit", at=now)
        there.erase(calls=(there.ids["mentioned"],))
        listed(there)
        there.guard.reapply(database, "default", now)
        left = "SELECT number FROM billing.lines WHERE original <> '(erased)' ORDER BY 1"
        assert there.rows(left) == [(1,), (4,)]
        holds.release(database, "default", "case-1", by="me", reason="settled", at=now)
        dispose(there)
        assert there.rows(left) == [(4,)]


def test_a_late_sealing_beside_an_erasure(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is erased between the snapshot and the batch: what it was is not sealed, and the archive verifies."""
    with replica(database, tmp_path, calls=5) as there:
        there.there.sync(pseudonyms=Pseudonyms(SECRET), guard=there.guard, asked=ALL)
        (call_id,) = there.rows("SELECT call_id FROM truedy.transcripts WHERE fingerprint IS NOT NULL LIMIT 1")[0]
        find, done = late.compared, []

        def beside(*given: Any) -> Any:
            for one in find(*given):
                if not done:
                    done.append(there.erase(calls=(call_id,)))
                yield one

        monkeypatch.setattr(late, "compared", beside)
        late.seal(database, "default", lambda: datetime.now(UTC))
        monkeypatch.undo()
        assert done
        late.seal(database, "default", lambda: datetime.now(UTC))
        verdict = inspection.verify(database, "default")
        assert (verdict.faults, verdict.unsealed) == ([], 0)


def test_what_stays_of_an_erased_call_is_verified(database: Database, tmp_path: Path) -> None:
    """A cost that somebody changed afterwards is a fault, and so is a version that somebody removed."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        there.erase(NUMBER)
        assert inspection.verify(database, "default").is_whole
        with database.transaction() as tx:
            tx.execute("UPDATE truedy.calls SET cost_usd = 9 WHERE id = %s", [there.ids["calling"]])
            tx.execute("DELETE FROM truedy.call_versions WHERE call_id = %s AND version = 1", [there.ids["called"]])
        codes = {fault.code for fault in inspection.verify(database, "default").faults}
        assert codes == {"call_changed", "version_missing"}


def test_a_file_that_the_store_holds_does_not_keep_the_others(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its call stays whole and is told; all others are erased, and the same command does the rest when the lock is over."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)

        def holds_it(*_: Any) -> bool:
            raise ObjectHeld("locked")

        monkeypatch.setattr(FolderStore, "remove", holds_it)
        with pytest.raises(ObjectHeld, match="1 of 4 calls"):
            there.erase(NUMBER)
        assert there.rows("SELECT count(*) FROM truedy.calls WHERE raw ? '_erased'") == [(3,)]
        assert there.rows("SELECT finished_at FROM archive.erasures") == [(None,)]
        monkeypatch.undo()
        there.erase(NUMBER)
        assert gone(there)
        assert there.rows("SELECT count(*), count(finished_at) FROM archive.erasures") == [(1, 1)]
