"""Facts that were words only have codes: why a stretch is unsure, which rows were never shown, what ended a run."""

from __future__ import annotations

import runpy
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from replicator.errors import SourceUnavailable
from replicator.store import doubts, migrate, quarantine, runs, stored_coverage
from replicator.store.database import Database
from replicator.store.rows import UnreadRow
from replicator.sync.engine import position
from tests.store.test_upgrades import restore

PRESENT = Path(__file__).resolve().parent / "releases" / "0007.sql.gz"
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
MIGRATION = runpy.run_path(
    str(Path(__file__).resolve().parents[2] / "migrations" / "versions" / "0008_accounts_apart.py")
)
REASONS = tuple(MIGRATION["DOUBTS"])
"""What the release before the codes said of a stretch; the migration that made the codes knows no other words."""


def test_every_reason_has_words_of_its_own() -> None:
    """Each code is told in words, no two in the same; words that are known are told back, and others are `other`."""
    assert set(doubts.WORDS) == set(doubts.Doubt)
    assert len(set(doubts.WORDS.values())) == len(doubts.WORDS)
    assert [doubts.told(words, is_proven=False) for words in doubts.WORDS.values()] == list(doubts.Doubt)
    assert [doubts.told(words, is_proven=False) for words in doubts.FORMER] == list(doubts.FORMER.values())
    assert doubts.told("something else", is_proven=False) is doubts.Doubt.OTHER
    assert doubts.told("", is_proven=True) is None


def test_codes_are_stored_with_the_words(database: Database) -> None:
    """A capped stretch and one with a tie are `capped` and `tie` in the ledger; a proven one has no code."""
    day = timedelta(days=1)
    pieces = [(NOON, NOON + day / 4, NOON, False, doubts.Doubt.CAPPED), (NOON + day / 4, NOON + day / 3, NOON, False, doubts.Doubt.TIE),
              (NOON + day / 3, NOON + 2 * day, NOON, True, None)]  # fmt: skip
    with database.transaction() as tx:
        stored_coverage.save_coverage(tx, "a", [], pieces)
        codes = tx.execute("SELECT reason_code FROM replicator.coverage ORDER BY since").fetchall()
        assert codes == [("capped",), ("tie",), (None,)]
        assert stored_coverage.load_coverage(tx, "a") == pieces


def test_rows_that_were_never_shown_are_told_by_their_kind(database: Database) -> None:
    """A row, a field and a row that no answer showed; of the last, between which instants it was created."""
    shown = UnreadRow(None, "GET", "no id", b"{}", NOON)
    field = UnreadRow(None, "GET", "too deep", b"[]", NOON, "context")
    never = UnreadRow(None, "GET", position.STEPPED_OVER, b"2026", NOON, never_shown=(None, NOON))
    with database.transaction() as tx:
        quarantine.keep(tx, "a", [shown, field, never])
        rows = tx.execute("SELECT kind, created_since, created_until FROM replicator.quarantine ORDER BY id").fetchall()
        assert [row.kind for row in quarantine.load_never_shown(tx, "a")] == ["never_shown"]
    assert rows == [("row", None, None), ("field", None, None), ("never_shown", None, NOON)]


@pytest.mark.parametrize(
    ("failure", "code", "is_defect"),
    [(SourceUnavailable("gone"), "SourceUnavailable", False), (MemoryError(), "MemoryError", True),
     (KeyboardInterrupt(), "KeyboardInterrupt", False), (None, None, False)],
    ids=["the source", "a defect", "a signal", "nothing"],
)  # fmt: skip
def test_what_ended_a_run_has_a_code(
    database: Database, failure: BaseException | None, code: str | None, is_defect: bool
) -> None:
    """The error's name, and whether it was a defect: only that counts as a death of the run."""
    with database.transaction() as tx:
        run_id = runs.begin_run(tx, "a", "sync", "1", "me", 1)
        runs.save_run(tx, run_id, runs.Counters(), "failed", "words", failure)
        shown = tx.execute("SELECT error_code, is_defect FROM analytics.sync_runs").fetchall()
        assert runs.deaths_in_a_row(tx, "a") == int(is_defect)
    assert shown == [(code, is_defect)]


def test_what_was_told_in_words_gets_its_code(empty_database: str) -> None:
    """Of a database of the release before, every reason, row and run is coded by the words that it has."""
    restore(PRESENT, empty_database)
    with psycopg.connect(empty_database) as old:
        for number, reason in enumerate((*REASONS, "of an old release")):
            old.execute(
                "INSERT INTO replicator.coverage (account, since, until, verified_at, is_proven, reason) VALUES ('old', %s, %s, now(), false, %s)",
                [NOON + timedelta(number), NOON + timedelta(number + 1), reason],
            )
        for raw, reason, field in (
            (b"2026-03-29T12:00:00+00:00", position.STEPPED_OVER, None), (b"0001-01-01T00:00:00+00:00", position.STEPPED_OVER, None),
            (b"\xff", "no id", None), (b"\xff", "too deep", "context"),
        ):  # fmt: skip
            old.execute(
                "INSERT INTO replicator.quarantine (account, request, reason, field, raw, raw_sha256, first_seen_at, last_seen_at) "
                "VALUES ('old', 'GET', %s, %s, %b, sha256(%b), now(), now())",
                [reason, field, raw, raw],
            )
        for message in (
            "defect: MemoryError",
            "SourceUnavailable: no answer",
            "KeyboardInterrupt",
            "not all could be read: x",
        ):
            old.execute(
                "INSERT INTO replicator.runs (account, command, replicator_version, holder, epoch, outcome, message) VALUES "
                "('old', 'sync', '1', 'me', 1, 'failed', %s)",
                [message],
            )
    migrate.migrate(empty_database)
    with closing(Database(empty_database)) as database, database.connection() as connection:
        coded = connection.execute(
            "SELECT reason, reason_code FROM replicator.coverage WHERE account = 'old'"
        ).fetchall()
        assert [code for _, code in coded] == [doubts.told(reason, is_proven=False) for reason, _ in coded]
        rows = connection.execute("SELECT kind, created_since FROM replicator.quarantine ORDER BY id").fetchall()
        assert rows == [("never_shown", NOON), ("never_shown", None), ("row", None), ("field", None)]
        ended = connection.execute(
            "SELECT error_code, is_defect FROM replicator.runs WHERE account = 'old' ORDER BY id"
        ).fetchall()
        assert ended == [
            ("MemoryError", True),
            ("SourceUnavailable", False),
            ("KeyboardInterrupt", False),
            (None, False),
        ]
        assert runs.deaths_in_a_row(connection, "old") == 0
