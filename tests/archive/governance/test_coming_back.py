"""What was erased does not come back: not by a sync, a webhook's look, a replay of the quarantine, or a restored backup."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from replicator.archive.governance.suppressing import Suppressing
from replicator.archive.governance.suppression import Keys
from replicator.budget.durable import Limits
from replicator.errors import ConfigurationError
from replicator.simulator.api import KEY
from replicator.source.client import Reader
from replicator.store import quarantine
from replicator.store.database import Database
from replicator.store.rows import UnreadRow
from replicator.store.server.binaries import find_binaries
from replicator.sync.content.calls import Policy
from replicator.sync.options import Asked
from replicator.sync.replay import replay
from replicator.verify.run import Verification
from tests.archive.fix_governance import CANARIES, KEYS, NAME, NUMBER, Replica, plant, replica
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from pathlib import Path

NOT_REFRESHED = {"rollup.numbers"}
ERASED = "SELECT count(*) FROM archive.erasure_calls WHERE sequence IS NOT NULL"
COUNTS = "SELECT count(*), count(*) FILTER (WHERE deleted_at IS NULL), sum(cost_usd), sum(duration_seconds) FROM truedy.calls"


def gone(there: Replica) -> bool:
    return there.places(*CANARIES) <= NOT_REFRESHED


def test_a_sync_does_not_bring_it_back(database: Database, tmp_path: Path) -> None:
    """Everything is compared anew, with details; costs are right, nothing counts as changed, and verify finds no difference."""
    with replica(database, tmp_path) as there:
        plant(there)
        there.erase(NUMBER)
        before = there.rows("SELECT id, fingerprint, version, changed_at FROM truedy.calls ORDER BY 1")
        report = there.sync(asked=Asked(with_details=True))
        assert gone(there)
        assert report.counters.calls_changed == 0
        assert there.rows("SELECT id, fingerprint, version, changed_at FROM truedy.calls ORDER BY 1") == before
        assert {gap.code for gap in report.gaps} == {"unreadable_rows"}  # those that were put there
        # A later correction of the cost is stored, in the reduced form.
        there.there.world.update(str(there.ids["called"]), cost_usd="0.1900")
        report = there.sync(asked=Asked(with_details=True))
        assert report.counters.calls_changed == 1
        assert there.rows("SELECT count(*) FROM truedy.calls WHERE cost_usd = 0.19 AND raw ? '_erased'") == [(1,)]
        assert there.rows("SELECT count(*), sum(cost_usd) FROM truedy.calls") == [
            (len(there.there.world.live_ids()), there.rows("SELECT sum(cost_usd) FROM truedy.calls")[0][0])
        ]
        assert gone(there)
        with Reader(there.there.base_url, KEY) as reader:
            found = Verification(
                database, [(KEY, reader)], base_url=there.there.base_url, limits=Limits(None, 60, 0.0), max_requests=20
            ).perform()
        assert found.is_equal


def test_a_new_call_of_the_number_is_kept_out(database: Database, tmp_path: Path) -> None:
    """A call that was not known when the number was erased arrives later: it is counted, and no person is in it."""
    with replica(database, tmp_path) as there:
        plant(there)
        there.erase(NUMBER)
        new = there.there.world.create(
            status="completed", phone_number="0049 30 55501234", direction="outbound", summary=NAME, duration_seconds=5
        )
        there.sync()
        assert gone(there)
        assert there.rows(f"SELECT duration_seconds, raw ? '_erased' FROM truedy.calls WHERE id = '{new}'") == [
            (5, True)
        ]
        there.sync(asked=Asked(with_details=True))
        assert gone(there)


def test_a_replay_does_not_bring_it_back(database: Database, tmp_path: Path) -> None:
    """Bytes of the call that an older program could not read are kept afterwards, and read again by this one."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        there.erase(NUMBER)
        raw = (
            f'{{"id": "{there.ids["called"]}", "phone_number": "{NUMBER}", "summary": "{NAME}", "status": "completed"}}'
        )
        late = datetime.now(UTC) + timedelta(minutes=5)
        with database.transaction() as tx:
            quarantine.keep(
                tx, "default", [UnreadRow(there.ids["called"], "GET /calls", "an older parser", raw.encode(), late)]
            )
        done = replay(database, "default", Policy(), suppressing=Suppressing("default", KEYS), seals=True)
        assert done.read == 1
        assert there.places(*CANARIES) <= NOT_REFRESHED | {"replicator.quarantine"}
        assert there.rows("SELECT count(*) FROM replicator.quarantine WHERE position('Winter'::bytea in raw) > 0") == [
            (0,)
        ]


def test_bytes_that_could_not_be_read_do_not_come_back(database: Database, tmp_path: Path) -> None:
    """The source still shows them: they are the same entry of the quarantine as before, without their content."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        there.erase(NUMBER)
        shown = [
            UnreadRow(
                None,
                "GET /calls",
                "no valid id",
                f'{{"id": 0, "phone_number": "{NUMBER}"}}'.encode(),
                datetime.now(UTC),
            ),
            UnreadRow(
                there.ids["odd"], "GET /calls", "too deep", f'{{"x": "{NAME}"}}'.encode(), datetime.now(UTC), "context"
            ),
            UnreadRow(None, "GET /calls", "not an object", b'"somebody"', datetime.now(UTC)),
        ]
        before = there.rows("SELECT count(*) FROM replicator.quarantine")[0][0]
        with database.transaction() as tx:
            quarantine.keep(tx, "default", Suppressing("default", KEYS).unread(tx, shown))
        assert there.rows("SELECT count(*) FROM replicator.quarantine") == [(before + 1,)]
        assert gone(there)


def dump(url: str) -> bytes:
    return subprocess.run([find_binaries() / "pg_dump", "-Fc", url], capture_output=True, check=True).stdout


@pytest.mark.slow
def test_a_restored_backup_is_erased_again(
    database: Database, tmp_path: Path, database_url: str, empty_database: str
) -> None:
    """The list beside the keys names what the restored database has: the next run erases it before it does anything else."""
    with replica(database, tmp_path) as there:
        plant(there)
        backup = dump(database_url)
        there.erase(NUMBER)
        assert gone(there)
        subprocess.run(
            [find_binaries() / "pg_restore", "-d", empty_database, "--no-owner"],
            input=backup,
            check=True,
            capture_output=True,
        )
        restored = Database(empty_database)
        try:
            again = Replica(there.there, restored, tmp_path, there.ids)
            there.there.database = restored
            assert not gone(again)
            calls = again.rows("SELECT count(*) FROM truedy.calls")[0][0]
            signs: list[int] = []
            again.sync(pulse=lambda: signs.append(again.rows(ERASED)[0][0]))
            assert gone(again)
            # A large replica takes longer than a watchdog waits: there is a sign of life for each call.
            assert signs.count(0) > calls
            assert set(signs) == set(range(again.rows(ERASED)[0][0] + 1))
            assert again.rows("SELECT count(*) FROM archive.erasures WHERE asked_by = 'replicator'") == [(1,)]
            again.sync(asked=Asked(with_details=True))
            assert gone(again)
        finally:
            restored.close()


def test_a_lost_or_changed_secret_stops_a_sync(database: Database, tmp_path: Path) -> None:
    """Without the secret nobody knows what was erased: so nothing is stored, and the message says what to do."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        there.erase(NUMBER)
        there.there.world.create(status="completed", phone_number=NUMBER, summary=NAME)
        with pytest.raises(ConfigurationError, match="keyed hashes"):
            there.sync(guard=None)
        other = Keys(b"another secret of more than thirty-two characters")
        with database.transaction() as tx, pytest.raises(ConfigurationError, match="keyed hashes"):
            Suppressing("default", other).stay_away(tx, there.ids.values())
        assert gone(there)


def test_an_empty_list_costs_one_small_query(database: Database) -> None:
    """While nothing is erased, no secret is needed and no hash is made."""
    with source(database, calls=5) as there:
        there.sync()
        assert there.value("SELECT count(*) FROM truedy.calls") == 5
