"""Imports into the database: one file is one statement, a corrected one replaces its forerunner, nothing is half done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from replicator.cli.reconcile import described
from replicator.errors import ConfigurationError
from replicator.reconcile import importing
from replicator.reconcile.mapping import Format, Mapping
from tests.fix_commands import run as command
from tests.reconcile.fix_statements import sheets

if TYPE_CHECKING:
    from replicator.store.database import Database

HEADER = "line_id,started_at,duration_seconds,phone_number,amount,currency,kind,description\n"
TWO = HEADER + "L1,2026-10-31 23:30:00,65,+1555,1.50,USD,usage,a\tb\\c\nL2,,,,-0.25,EUR,credit,\n"
BAD = TWO + "L3,,,,x,,,\n"


def bring(
    database: Database, path: Path, text: str, mapping: Mapping | None = None, **options: Any
) -> importing.Imported:
    path.write_text(text, encoding="utf-8", newline="")
    return importing.run(database, "default", path, mapping or Mapping(), by="ann", **{"period": "2026-10"} | options)


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(query).fetchall()


def test_lines_are_stored_as_read_and_as_they_came(database: Database, tmp_path: Path) -> None:
    """With exact amounts, the sums by currency, and what cannot be read beside them."""
    done = bring(database, tmp_path / "october.csv", BAD)
    one = done.statement
    assert (done.is_new, one.name, one.lines, one.unreadable, one.imported_by) == (True, "october", 3, 1, "ann")
    assert one.total == {"USD": "1.50", "EUR": "-0.25"}
    assert done.problems == [(4, "amount ('x'): it is no amount")]
    stored = rows(
        database,
        "SELECT number, started_at, duration_seconds, amount, currency, kind, description, original, problem FROM billing.lines ORDER BY number",
    )
    assert stored == [
        (2, datetime(2026, 10, 31, 23, 30, tzinfo=UTC), 65, Decimal("1.50"), "USD", "usage", "a\tb\\c", "L1,2026-10-31 23:30:00,65,+1555,1.50,USD,usage,a\tb\\c", None),
        (3, None, None, Decimal("-0.25"), "EUR", "credit", None, "L2,,,,-0.25,EUR,credit,", None),
        (4, None, None, None, None, None, None, "L3,,,,x,,,", "amount ('x'): it is no amount"),
    ]  # fmt: skip
    assert str(stored[0][3]) == "1.50"
    ((mapping,),) = rows(database, "SELECT mapping FROM billing.statements")
    assert mapping == Mapping().as_dict()


def test_the_same_file_twice_is_one_statement(database: Database, tmp_path: Path) -> None:
    """Under another file name too, if the statement is called the same."""
    first = bring(database, tmp_path / "october.csv", TWO)
    again = bring(database, tmp_path / "october (1).csv", TWO, name="october")
    assert (again.is_new, again.statement) == (False, first.statement)
    assert rows(database, "SELECT count(*) FROM billing.lines") == [(2,)]


def test_a_corrected_statement_replaces_its_forerunner(database: Database, tmp_path: Path) -> None:
    """Both are kept, one is in force; the first file imported again takes its place back, and says so."""
    first = bring(database, tmp_path / "october.csv", BAD)
    second = bring(database, tmp_path / "october.csv", TWO)
    assert [old.id for old in second.replaced] == [first.statement.id]
    old = bring(database, tmp_path / "october.csv", BAD)
    assert (old.is_new, [one.id for one in old.replaced]) == (True, [second.statement.id])
    assert rows(database, "SELECT id, replaces, replaced_by FROM billing.statements ORDER BY id") == [
        (first.statement.id, None, second.statement.id), (second.statement.id, first.statement.id, old.statement.id),
        (old.statement.id, second.statement.id, None),
    ]  # fmt: skip
    assert rows(database, "SELECT count(*) FROM billing.lines") == [(8,)]
    assert not bring(database, tmp_path / "october.csv", BAD).is_new


def test_a_positive_credit_is_said_until_the_mapping_turns_it(database: Database, tmp_path: Path) -> None:
    """Where a column says the kind, its amount is often positive: it would be added as a charge."""
    text = HEADER + "L1,2026-10-31 23:30:00,65,+1555,10,USD,usage,\nL2,,,,3,USD,credit,\nL3,,,,2,USD,discount,\n"
    done = bring(database, tmp_path / "october.csv", text)
    assert (done.charged_credits, done.as_dict()["charged_credits"]) == (2, 2)
    assert "2 credits or discounts are positive, so they count as charges" in described(done)
    assert bring(database, tmp_path / "october.csv", text).charged_credits == 2
    turned = Mapping(format=Format(reversed=("discount", "credit")))
    done = bring(database, tmp_path / "october.csv", text, turned)
    assert (done.statement.total, done.charged_credits) == ({"USD": "5"}, 0)
    assert "credits" not in described(done)
    other = bring(
        database, tmp_path / "october.csv", text, Mapping(format=Format(reversed=("credit",), sign="negative"))
    )
    assert other.statement.total == {"USD": "-9"}


def test_another_mapping_or_period_reads_the_same_file_anew(database: Database, tmp_path: Path) -> None:
    """So that a wrong mapping can be corrected, and no file counts in two months."""
    first = bring(database, tmp_path / "october.csv", TWO)
    other = bring(database, tmp_path / "october.csv", TWO, Mapping(format=Format(sign="negative")))
    assert (other.is_new, other.replaced, other.statement.total["USD"]) == (True, [replace(first.statement)], "-1.50")
    moved = bring(database, tmp_path / "october.csv", TWO, period="2026-11")
    assert [old.id for old in moved.replaced] == [other.statement.id]
    assert rows(database, "SELECT period FROM billing.statements WHERE replaced_by IS NULL") == [("2026-11",)]


def test_parties_and_names_stand_side_by_side(database: Database, tmp_path: Path) -> None:
    """A carrier's file is its own; a second file of the vendor counts too, and the import says so."""
    bring(database, tmp_path / "usage.csv", TWO)
    carrier = bring(database, tmp_path / "usage.csv", TWO, Mapping(party="twilio"))
    assert (carrier.replaced, carrier.beside) == ([], [])
    fees = bring(database, tmp_path / "fees.csv", HEADER + "F1,,,,5,USD,fee,\n")
    assert ([other.name for other in fees.beside], fees.replaced) == (["usage"], [])


def test_the_files_own_total_is_compared_and_is_no_line(database: Database, tmp_path: Path) -> None:
    """Of several the last one; a line that names a call is one, whatever it is called; a total without an amount is said."""
    text = TWO + "L3,2026-10-31 23:30:00,65,+1555,1.00,USD,usage,Total\n,,,,1.00,USD,,Subtotal\nTotal:,,,,2.60,USD,,\n"
    done = bring(database, tmp_path / "october.csv", text)
    assert (done.statement.lines, done.statement.total["USD"], done.statement.stated_total) == (
        3,
        "2.50",
        {"USD": "2.60"},
    )
    assert "the file states a total of 2.60 USD, and its lines add up to 2.50" in described(done)
    done = bring(database, tmp_path / "october.csv", TWO + "Total,,,,,USD,,\n")
    assert done.problems == [(4, "amount: it is a total without one")]
    mapping = Mapping(format=Format(totals=()))
    assert bring(database, tmp_path / "other.csv", HEADER + "Total,,,,5,USD,,\n", mapping).statement.lines == 1


def test_sheets_that_were_not_read_are_said(database: Database, tmp_path: Path) -> None:
    """Their lines are in no sum."""
    path = sheets(tmp_path / "october.xlsx", One=[["amount", "kind"], [1, "fee"]], Two=[["amount", "kind"], [2, "fee"]])
    done = importing.run(database, "default", path, Mapping(), by="ann", period="2026-10")
    assert (done.unread_sheets, done.as_dict()["unread_sheets"]) == (["Two"], ["Two"])
    assert "sheets that were not read: Two" in described(done)


def test_a_failed_import_leaves_nothing(database: Database, tmp_path: Path) -> None:
    """The forerunner stays in force."""
    first = bring(database, tmp_path / "october.csv", TWO)
    with pytest.raises(ConfigurationError, match="no column with the amount"):
        bring(database, tmp_path / "october.csv", "a,b\n1,2\n")
    for wrong in ({"period": "2026-13"}, {"period": "October"}, {"name": " "}, {"name": "a\nb"}):
        with pytest.raises(ConfigurationError):
            bring(database, tmp_path / "october.csv", TWO + "\n", **wrong)
    for place, why in ((Path(), "is a folder"), (tmp_path, "is a folder"), (tmp_path / "november.csv", "no file")):
        with pytest.raises(ConfigurationError, match=why):
            importing.run(database, "default", place, Mapping(), by="ann", period="2026-10")
    assert rows(database, "SELECT id, replaced_by FROM billing.statements") == [(first.statement.id, None)]


@pytest.mark.slow
def test_the_command_imports_and_says_what_it_did(database_url: str, tmp_path: Path) -> None:
    """Exit code 1 where lines cannot be read; no number or text of a line is printed."""
    path = tmp_path / "october.csv"
    path.write_text(BAD, encoding="utf-8")
    environment: dict[str, Any] = {"cwd": tmp_path, "DATABASE_URL": database_url, "REPLICATOR_ACTOR": "Ann"}
    done = command("reconcile", "import", str(path), "--period", "2026-10", **environment)
    assert done.returncode == 1, done.stderr
    assert "vendor 2026-10 'october', 3 lines, 1 of them unreadable, total -0.25 EUR, 1.50 USD" in done.stdout
    assert "line 4: amount ('x'): it is no amount" in done.stdout
    assert "+1555" not in done.stdout
    path.write_text(TWO, encoding="utf-8")
    done = command("reconcile", "import", str(path), "--period", "2026-10", "--json", **environment)
    assert done.returncode == 0, done.stderr
    assert '"replaces": [' in done.stdout
    listed = command("reconcile", "statements", **environment)
    assert listed.stdout.count("statement ") == 3
    assert command("reconcile", "import", str(path), "--period", "10/2026", **environment).returncode == 2
