"""A file without a line is no statement: it is refused, unless it withdraws the statement of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from replicator.errors import ConfigurationError
from replicator.reconcile import closing, showing
from tests.fix_commands import run
from tests.reconcile.fix_month import ACCOUNT, OURS, Made, bring, call_id, insert, prove, theirs
from tests.reconcile.test_hand_made_month import match

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

HEAD = "line_id,call_id,started_at,duration_seconds,from_number,phone_number,amount,kind\n"
LINE = f"L1,{call_id(1)},2026-10-05 10:00:00,60,{OURS},{theirs(1)},0.0600,usage\n"


@pytest.fixture
def month(database: Database, database_url: str) -> Database:
    """A proven month with one call, and no statement."""
    insert(database_url, [Made(1, "2026-10-05T10:00:00", 60, "0.0600")])
    prove(database_url)
    return database


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HEAD, "has a header and no line"),
        (HEAD + "\n\n,,,,,,,\n", "has a header and no line"),
        (HEAD + "Total,,,,,,9.00,\n", "states a total and has no line"),
    ],
)
def test_a_file_without_a_line_is_no_statement(month: Database, tmp_path: Path, text: str, why: str) -> None:
    """Nothing is stored of it, so the month has no statement, and does not close."""
    with pytest.raises(ConfigurationError, match=why):
        bring(month, tmp_path / "october.csv", text)
    with pytest.raises(ConfigurationError, match="no statement"):
        match(month)
    with pytest.raises(closing.NotReady, match="no statement of the vendor"):
        closing.perform(month, ACCOUNT, "2026-10", "ann")


def test_a_statement_is_withdrawn_by_a_file_without_a_line(month: Database, tmp_path: Path) -> None:
    """It is as if it had never been imported: matched months are not matched any more, and closing needs a statement. Under
    another name the same file is refused, and the withdrawn file can come back.
    """
    bring(month, tmp_path / "october.csv", HEAD + LINE)
    bring(month, tmp_path / "twice.csv", HEAD + LINE.replace("L1", "L9"))
    assert match(month).classes == {"duplicate_line": 1, "exact": 1}
    empty = tmp_path / "empty.csv"
    with pytest.raises(ConfigurationError, match="no line") as caught:
        bring(month, empty, HEAD)
    assert "--statement and the name" in caught.value.hint
    with pytest.raises(ConfigurationError, match="states a total"):
        bring(month, empty, HEAD + "Total,,,,,,9.00,\n", name="twice")
    bring(month, empty, HEAD, name="twice")
    assert showing.read(month, ACCOUNT, "2026-10").unmatched == ["vendor"]
    assert match(month).classes == {"exact": 1}
    bring(month, empty, HEAD, name="october")
    with pytest.raises(ConfigurationError, match="no statement"):
        showing.read(month, ACCOUNT, "2026-10")
    with pytest.raises(closing.NotReady, match="no statement of the vendor"):
        closing.perform(month, ACCOUNT, "2026-10", "ann")
    with pytest.raises(ConfigurationError, match="no line"):
        bring(month, empty, HEAD, name="another")
    bring(month, tmp_path / "october.csv", HEAD + LINE)
    assert match(month).classes == {"exact": 1}
    assert closing.perform(month, ACCOUNT, "2026-10", "ann").close.doubts == []


def test_a_statement_of_a_month_to_come_is_withdrawn_and_not_replaced(month: Database, tmp_path: Path) -> None:
    """An earlier release took statements of such months: they are withdrawn like any other."""
    bring(month, tmp_path / "october.csv", HEAD + LINE)
    with month.transaction() as tx:
        tx.execute("UPDATE billing.statements SET period = '2199-05'")
    with pytest.raises(ConfigurationError, match="has not begun"):
        bring(month, tmp_path / "other.csv", HEAD + LINE.replace("L1", "L9"), period="2199-05", name="october")
    bring(month, tmp_path / "other.csv", HEAD, period="2199-05", name="october")
    with pytest.raises(ConfigurationError, match="no statement"):
        match(month, period="2199-05")


def test_an_empty_statement_of_before_closes_nothing(month: Database, tmp_path: Path) -> None:
    """An earlier release stored a file without a line as the vendor's statement, and matched it: it is none."""
    bring(month, tmp_path / "october.csv", HEAD + LINE)
    match(month)
    with month.transaction() as tx:
        tx.execute("UPDATE billing.statements SET lines = 0, total = '{}'")
    with pytest.raises(closing.NotReady, match="no statement of the vendor"):
        closing.perform(month, ACCOUNT, "2026-10", "ann")


def test_a_month_is_closed_again_by_the_same_rules(month: Database, tmp_path: Path) -> None:
    """What is open above the tolerance is an objection to the second close as to the first."""
    bring(month, tmp_path / "october.csv", HEAD + LINE)
    match(month)
    closing.perform(month, ACCOUNT, "2026-10", "ann")
    bring(month, tmp_path / "october.csv", HEAD + LINE.replace("0.0600", "0.0900"))
    match(month)
    for reopen in ("an audit", "another one"):
        with pytest.raises(closing.NotReady, match=r"0\.03 of 0\.09 US dollars are open"):
            closing.perform(month, ACCOUNT, "2026-10", "ann", reopen=reopen)
    (doubt,) = closing.perform(month, ACCOUNT, "2026-10", "ann", reopen="an audit", anyway="agreed").close.doubts
    assert "above the tolerance of 0.1" in doubt


@pytest.mark.slow
def test_the_commands_say_what_was_withdrawn(database_url: str, tmp_path: Path) -> None:
    """The import says it, and the list of statements shows it."""
    (tmp_path / "october.csv").write_text(HEAD + LINE, encoding="utf-8")
    (tmp_path / "empty.csv").write_text(HEAD, encoding="utf-8")

    def reconcile(*words: str, code: int = 0) -> str:
        done = run("reconcile", *words, cwd=tmp_path, DATABASE_URL=database_url)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    reconcile("import", "october.csv", "--period", "2026-10")
    assert "To withdraw a statement" in reconcile("import", "empty.csv", "--period", "2026-10", code=2)
    said = reconcile("import", "empty.csv", "--period", "2026-10", "--statement", "october")
    assert "the statement 'october' of 2026-10 is withdrawn: none of its lines counts any more" in said
    assert "0 lines, total nothing (withdrawn)" in reconcile("statements")
