"""What was replaced, decided twice or renamed is counted once, and a closed month stays what it was."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from replicator.reconcile import closing, deciding, showing
from replicator.store import naming, renaming
from tests.reconcile.fix_month import ACCOUNT, OURS, Made, bring, call_id, insert, prove, theirs
from tests.reconcile.test_hand_made_month import match

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

HEAD = "line_id,call_id,started_at,duration_seconds,from_number,phone_number,amount,kind\n"
ONE = Made(1, "2026-10-05T10:00:00", 60, "0.0600")


def _line(amount: str, *, call: str = "", at: str = "2026-10-05 10:00:00", number: int = 1) -> str:
    return f"L1,{call},{at},60,{OURS},{theirs(number)},{amount},usage\n"


def test_a_line_that_was_accepted_twice_is_one_item(database: Database, database_url: str, tmp_path: Path) -> None:
    """First without a call, then with the call that a person gave it: the newest word counts, and the line once."""
    insert(database_url, [ONE])
    statement = bring(database, tmp_path / "october.csv", HEAD + _line("0.0900", at="2026-10-20 10:00:00", number=7))
    match(database)
    place = f"{statement}:2"
    deciding.accept(database, ACCOUNT, place, "a call of the old system", "ann")
    deciding.assign(database, ACCOUNT, place, str(call_id(1)), "it is this one", "ann")
    match(database)
    deciding.accept(database, ACCOUNT, place, "the price of October", "ann")
    with database.connection() as connection:
        rows = connection.execute("SELECT item, class, is_accepted FROM analytics.reconciliation_items").fetchall()
        (total,) = connection.execute("SELECT sum(items), sum(theirs_usd) FROM analytics.reconciliation_summary")
    assert rows == [(place, "rate_differs", True)]
    assert total == (1, Decimal("0.0900"))


def test_an_account_with_another_name_has_the_months_that_it_closed(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """The name of an account is no part of what is frozen: a closed month is whole under the new name, too."""
    insert(database_url, [ONE])
    prove(database_url)
    bring(database, tmp_path / "october.csv", HEAD + _line("0.0600"))
    match(database)
    assert closing.perform(database, ACCOUNT, "2026-10", "ann").is_new
    renaming.rename(database_url, ACCOUNT, "berlin", role_prefix="truedy", schemas=naming.Names())
    found = showing.read(database, "berlin", "2026-10")
    assert found.close is not None
    assert found.is_whole


def test_a_statement_that_was_replaced_is_in_no_sum(database: Database, database_url: str, tmp_path: Path) -> None:
    """A carrier's file of October, imported for September by mistake and then for October: its lines count once, and in
    the same month nothing of the old file counts as soon as the new one is there.
    """
    insert(database_url, [ONE])
    text = HEAD + _line("0.0071")
    bring(database, tmp_path / "carrier.csv", text, party="twilio", period="2026-09")
    match(database, "twilio", "2026-09")
    bring(database, tmp_path / "carrier.csv", text, party="twilio")
    match(database, "twilio")
    with database.connection() as connection:
        rows = connection.execute("SELECT DISTINCT period FROM analytics.reconciliation_items").fetchall()
        cost = connection.execute("SELECT carrier_usd FROM analytics.call_cost_all_parties").fetchone()
    assert (rows, cost) == ([("2026-10",)], (Decimal("0.0071"),))
    bring(database, tmp_path / "carrier.csv", HEAD + _line("0.0081"), party="twilio")
    with database.connection() as connection:
        for view in ("items", "summary", "bridge"):
            rows = connection.execute(f"SELECT * FROM analytics.reconciliation_{view}").fetchall()
            assert rows == [], view
    assert showing.read(database, ACCOUNT, "2026-10").unmatched == ["twilio"]
