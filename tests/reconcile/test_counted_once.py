"""What was replaced, decided twice or renamed is counted once, and a closed month stays what it was."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.errors import ConfigurationError
from replicator.reconcile import bridge, closing, deciding, showing
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


def test_a_cost_that_changed_within_the_month_excuses_no_old_price(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """The statement of a whole month knows the cost of its fifth day: the price of before is an overcharge."""
    insert(database_url, [ONE])
    bring(database, tmp_path / "october.csv", HEAD + _line("0.5000", call=str(call_id(1))))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO replicator.cost_changes (call_id, old_usd, new_usd, observed_at) VALUES (%s, 0.5, 0.06, '2026-10-06Z')",
            [call_id(1)],
        )
    assert match(database).classes == {"rate_differs": 1}
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE replicator.cost_changes SET observed_at = '2026-11-02Z'")
    assert match(database).classes == {"late_adjustment": 1}


def test_a_cost_that_is_given_up_does_not_keep_a_month_open(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """As long as it is waited for, the month cannot be closed; then the matching is out of date, and made again it can be."""
    insert(database_url, [ONE, Made(2, "2026-10-06T10:00:00", 60, None)])
    prove(database_url)
    give_up = "UPDATE replicator.reporting SET cost_give_up_days = %s"
    with psycopg.connect(database_url) as connection:
        connection.execute(give_up, [30_000])
    bring(database, tmp_path / "october.csv", HEAD + _line("0.0600"))
    assert match(database).classes == {"cost_pending": 1, "exact": 1}
    with pytest.raises(closing.NotReady, match="cost of 1 of 2"):
        closing.perform(database, ACCOUNT, "2026-10", "ann")
    with psycopg.connect(database_url) as connection:
        # The give-up lies after the matching, as it does where only time passes.
        connection.execute("UPDATE billing.matchings SET made_at = '2026-10-31Z'")
        connection.execute(give_up, [27])
    with pytest.raises(closing.NotReady, match="1 costs were given up"):
        closing.perform(database, ACCOUNT, "2026-10", "ann")
    assert match(database).classes == {"exact": 2}
    closed = closing.perform(database, ACCOUNT, "2026-10", "ann").close
    assert (closed.calls, closed.pending_calls) == (2, 0)


def test_amounts_that_no_report_could_hold_are_refused(database: Database, database_url: str, tmp_path: Path) -> None:
    """A column of numbers taken for amounts: the matching says so, and every view still answers."""
    insert(database_url, [ONE])
    bring(database, tmp_path / "october.csv", "amount\n" + "999999999\n" * 101)
    with pytest.raises(ConfigurationError, match="bill more than"):
        match(database)
    bring(database, tmp_path / "october.csv", "amount\n" + "600000000000\n" * 2 + "999999999.99\n" * 2)
    assert match(database).unreadable == 2
    with database.connection() as connection:
        (total,) = connection.execute("SELECT sum(theirs_usd) FROM analytics.reconciliation_summary")
    assert total == (Decimal("1999999999.98"),)


def test_a_bridge_that_does_not_add_up_is_a_defect(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is stored of it."""
    insert(database_url, [ONE])
    bring(database, tmp_path / "october.csv", HEAD + _line("0.0600"))
    monkeypatch.setattr(bridge, "is_whole", lambda _steps: False)
    with pytest.raises(RuntimeError, match="does not add up"):
        match(database)
    with database.connection() as connection:
        assert connection.execute("SELECT count(*) FROM billing.matchings").fetchone() == (0,)


def test_a_call_that_moved_is_seen_once_and_stays_booked(database: Database, database_url: str) -> None:
    """Calls 1 and 3 leave October, 2 comes, all seen on 10 November. What changes afterwards, costs and times, moves no row to
    another month, and each close plus its rows is the month as it is now.
    """
    calls = [Made(n, f"2026-{month:02}-05T10:00:00", 60, "0.0600") for n, month in ((1, 10), (2, 9), (3, 10))]
    insert(database_url, calls)
    closing.perform(database, ACCOUNT, "2026-10", "ann", anyway="a test")
    ends = ((1, "2026-09-05T10:01:00Z"), (2, "2026-10-05T12:01:00+02:00"), (3, "2026-02-31T10:01:00Z"))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE billing.closes SET closed_at = '2026-11-05Z'")
        connection.execute("UPDATE truedy.calls SET first_seen_at = '2026-10-20Z'")
        versions = ((1, "2026-10-05T10:01:00Z", "2026-10-20Z"), (2, "2026-09-05T10:01:00Z", "2026-10-20Z"))
        rows = [(n, 1, end, at) for n, end, at in versions]
        rows += [(n, 2, end, "2026-11-10Z") for n, end in ends] + [(n, 3, end, "2027-02-10Z") for n, end in ends]
        for number, version, end, at in rows:
            connection.execute(
                "INSERT INTO truedy.call_versions (call_id, version, observed_at, fingerprint, raw) "
                "VALUES (%s, %s, %s, '', jsonb_build_object('ended_at', %s::text))",
                [call_id(number), version, at, end],
            )
        for number, end in ((1, "2026-09-05T10:01Z"), (2, "2026-10-05T10:01Z"), (3, "2026-09-03T10:01Z")):
            connection.execute(
                "UPDATE truedy.calls SET ended_at = %s, changed_at = '2027-02-10Z' WHERE id = %s",
                [end, call_id(number)],
            )
        for number in (1, 2):
            connection.execute(
                "UPDATE truedy.calls SET cost_usd = 0.09, observed_at = '2027-02-10Z' WHERE id = %s", [call_id(number)]
            )
        connection.execute("UPDATE replicator.cost_changes SET observed_at = '2027-02-10Z'")
        rows = connection.execute(
            "SELECT right(call_id::text, 1)::integer, change, seen_period, delta_usd FROM analytics.month_close_changes ORDER BY 1, 3"
        ).fetchall()
        sums = connection.execute("SELECT our_sum_usd, present_sum_usd FROM analytics.month_closes").fetchone()
    assert rows == [
        (1, "moved_away", "2026-11", Decimal("-0.06")),
        (2, "moved_here", "2026-11", Decimal("0.06")),
        (2, "cost_changed", "2027-02", Decimal("0.03")),
        (3, "moved_away", "2026-11", Decimal("-0.06")),
    ]
    assert sums == (Decimal("0.12"), Decimal("0.09"))


def test_no_report_shows_who_decided_or_their_words(database: Database) -> None:
    """Names of persons and free text about a close or a decision are in no view of money."""
    with database.connection() as connection:
        rows = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'analytics' "
            "AND (table_name LIKE 'month_close%' OR table_name LIKE 'reconciliation%') AND column_name ~ '(reason|_by)$' "
            "AND column_name <> 'matched_by'"
        ).fetchall()
    assert rows == []
