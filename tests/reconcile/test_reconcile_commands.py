"""The commands as a person types them: import, match, show, assign, accept, close; and accounts kept apart."""

from __future__ import annotations

import json
from contextlib import closing as closing_of
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.reconcile import closing, deciding, month_matching, showing
from replicator.store.database import Database
from tests.fix_commands import run
from tests.reconcile.fix_month import ACCOUNT, Made, bring, call_id, insert, prove
from tests.reconcile.test_hand_made_month import CALLS, STATEMENT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_a_month_from_import_to_close(database_url: str, tmp_path: Path) -> None:
    """Each step says what it did; `show` ends with 1 while too much is open, and with 0 once everything is decided."""
    insert(database_url, [one for one in CALLS if one.number in {1, 2, 14}])
    prove(database_url)
    lines = STATEMENT.splitlines()
    (tmp_path / "october.csv").write_text("\n".join([*lines[:3], lines[14]]) + "\n", encoding="utf-8")

    def reconcile(*words: str, code: int = 0) -> str:
        done = run("reconcile", *words, cwd=tmp_path, DATABASE_URL=database_url, REPLICATOR_ACTOR="ann")
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    month = ("--period", "2026-10")
    assert "no statement" in reconcile("show", *month, code=2)
    reconcile("import", "october.csv", *month)
    assert "3 lines and 3 calls matched" in reconcile("match", *month)
    shown = reconcile("show", *month, code=1)
    assert "only_on_statement" in shown
    assert "ABOVE" in shown
    facts = json.loads(run("reconcile", "show", *month, "--json", cwd=tmp_path, DATABASE_URL=database_url).stdout)
    (item,) = facts["parties"][0]["items"]
    assert (item["class"], item["delta_usd"]) == ("only_on_statement", "0.110000")
    assert facts["parties"][0]["bridge"][-1]["running_usd"] == "0.295000"
    assert "reason" in reconcile("accept", item["item"], "--reason", " ", code=2)
    reconcile("accept", item["item"], "--reason", "agreed by mail")
    assert "within the tolerance" in reconcile("show", *month)
    reconcile("assign", item["item"], str(call_id(14)), "--reason", "the call that did not connect")
    assert "not ready" in reconcile("close", "2026-10", code=1)
    assert "rate_differs 1" in reconcile("match", *month)
    # What is open above the tolerance keeps it open, by whatever way it is closed.
    assert "0.11 of 0.295 US dollars are open" in reconcile("close", "2026-10", code=1)
    reconcile("accept", item["item"], "--reason", "agreed by mail, too")
    assert "2026-10 is closed (close 1): 3 calls, 0.185 US dollars" in reconcile("close", "2026-10")
    assert "nothing was changed" in reconcile("close", "2026-10")
    assert "close 2" in reconcile("close", "2026-10", "--reopen", "an audit")
    assert "by ann (close 2: an audit)" in reconcile("show", *month)
    reconcile("close", "october", code=2)


def test_where_the_archive_is_on_a_close_is_sealed(database: Database, database_url: str, tmp_path: Path) -> None:
    """The record names the frozen amounts by their hash, who closed and why; with the archive off there is none."""
    insert(database_url, [one for one in CALLS if one.number in {1, 2}])
    words = ("reconcile", "close", "2026-10", "--anyway", "a test")
    on = {"DATABASE_URL": database_url, "REPLICATOR_ACTOR": "ann", "REPLICATOR_ARCHIVE": "on"}
    assert run(*words, cwd=tmp_path, **on).returncode == 0
    assert run(*words, "--reopen", "once more", cwd=tmp_path, **on | {"REPLICATOR_ARCHIVE": "off"}).returncode == 0
    with database.connection() as connection:
        rows = connection.execute(
            "SELECT kind, convert_from(bytes, 'UTF8')::jsonb FROM archive.records ORDER BY sequence"
        ).fetchall()
        first = connection.execute("SELECT sha256 FROM billing.closes ORDER BY number").fetchall()
    ((kind, said),) = [row for row in rows if row[0] == "month_close"]
    assert (kind, said["by"], said["reason"], said["period"]) == ("month_close", "ann", "a test", "2026-10")
    assert said["amounts_sha256"] == first[0][0]


def test_a_statement_sees_the_calls_of_its_own_account_only(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """The same call billed to two organisations: the one that has it not does not find it."""
    insert(database_url, [Made(1, "2026-10-05T10:00:00", 60, "0.0600")], account="other")
    bring(database, tmp_path / "october.csv", "\n".join(STATEMENT.splitlines()[:2]) + "\n")
    assert month_matching.perform(database, ACCOUNT, "vendor", "2026-10", "ann").classes == {"only_on_statement": 1}


def test_the_writers_role_is_enough_and_takes_nothing_back(
    logins: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    """A member of the writers imports, matches, decides and closes; decisions and closes are never changed or deleted."""
    insert(database_url, [one for one in CALLS if one.number in {1, 10}])
    with closing_of(Database(logins["writer"])) as theirs:
        bring(theirs, tmp_path / "october.csv", "\n".join(STATEMENT.splitlines()[:2]) + "\n")
        month_matching.perform(theirs, ACCOUNT, "vendor", "2026-10", "ann")
        month_matching.perform(theirs, ACCOUNT, "vendor", "2026-10", "ann")
        deciding.accept(theirs, ACCOUNT, str(call_id(10)), "free for us", "ann")
        closing.perform(theirs, ACCOUNT, "2026-10", "ann", anyway="a test")
        assert showing.read(theirs, ACCOUNT, "2026-10").is_within(showing.SHARE)
    with psycopg.connect(logins["writer"], autocommit=True) as connection:
        for table, column in (
            ("decisions", "reason"),
            ("closes", "reason"),
            ("close_amounts", "cost_state"),
            ("bridge_steps", "step"),
        ):
            for verb in (f"DELETE FROM billing.{table}", f"UPDATE billing.{table} SET {column} = 'x'"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(verb.encode())


def test_a_wrong_sign_and_a_providers_id(database: Database, database_url: str, tmp_path: Path) -> None:
    """Charges written as negative are pointed at; a provider's id is found wherever the payload has it."""
    insert(database_url, [Made(1, "2026-10-05T10:00:00", 60, "0.0600", raw={"context": {"legs": [{"sid": "CA77"}]}})])
    bring(database, tmp_path / "october.csv", "provider_id,amount,kind\nCA77,-0.0600,usage\n")
    assert month_matching.perform(database, ACCOUNT, "vendor", "2026-10", "ann").classes == {"rate_differs": 1}
    done = run("reconcile", "show", "--period", "2026-10", cwd=tmp_path, DATABASE_URL=database_url)
    assert "sign is probably wrong" in done.stdout
