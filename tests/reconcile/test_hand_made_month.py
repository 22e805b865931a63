"""A month made by hand, line by line, with the right answer worked out here and not by the program.

We report in Berlin, the vendor writes its statement in UTC. The price is 0.001 US dollars a second, at least 30 seconds.
Our sum of October is

    0.0600 + 0.1250 + 0.0900 + 0.1000 + 0.0100 + 0.0300 + 0.0500 + 0.0700 + 0.0700 + 0.0600 + 0.0200 + 0.0600 = 0.7450

(calls 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 15 and 16; 6 has no cost yet, 7 is free, 13 is of November, 14 did not connect).
The vendor's lines in US dollars add up to 5.9401. In between:

    our sum                                                        0.7450
    + 0.0450  call 6 has a price on the statement only             0.7900
    + 0.0100  call 11 cost 0.0800 when the statement was made      0.8000
    + 0.0000  call 13 (+0.0600) is theirs in October, 12 (-0.0600) 0.8000
    + 0.0300  call 3: 120 seconds instead of 90                    0.8300
    + 0.0500  call 4: the same 100 seconds for 0.1500              0.8800
    + 0.0200  call 5: 10 seconds billed as 30                      0.9000
    + 0.0600  call 7: free for us, 0.0600 for them                 0.9600
    + 0.0500  call 9 is billed twice                               1.0100
    + 0.1100  a call that we do not have                           1.1200
    - 0.0700  call 10 is not billed                                1.0500
    + 0.0000  call 8 was deleted, and is billed as it cost         1.0500
    - 0.0600  call 16 is billed in euros                           0.9900
    + 4.9500  a fee of 5.00, a tax of 0.95, a credit of 1.00       5.9400
    + 0.0001  call 15: a rounding                                  5.9401
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from replicator.errors import ConfigurationError, UnknownCall
from replicator.reconcile import closing, deciding, month_matching, showing, wording
from tests.reconcile.fix_month import ACCOUNT, OURS, Made, bring, call_id, change, in_berlin, insert, prove, theirs

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

CALLS = [
    Made(1, "2026-10-05T10:00:00", 60, "0.0600"),
    Made(2, "2026-10-06T10:00:00", 125, "0.1250"),
    Made(3, "2026-10-07T10:00:00", 90, "0.0900"),
    Made(4, "2026-10-08T10:00:00", 100, "0.1000"),
    Made(5, "2026-10-09T10:00:00", 10, "0.0100"),
    Made(6, "2026-10-10T10:00:00", 45, None),
    Made(7, "2026-10-11T10:00:00", 60, "0"),
    Made(8, "2026-10-12T10:00:00", 30, "0.0300", is_deleted=True),
    Made(9, "2026-10-13T10:00:00", 50, "0.0500"),
    Made(10, "2026-10-14T10:00:00", 70, "0.0700"),
    Made(11, "2026-10-15T10:00:00", 80, "0.0800"),  # then corrected to 0.0700
    Made(12, "2026-09-30T22:30:00", 60, "0.0600"),  # half past midnight on 1 October in Berlin
    Made(13, "2026-10-31T23:30:00", 60, "0.0600"),  # half past midnight on 1 November in Berlin
    Made(14, "2026-10-16T10:00:00", 0, None, status="no_answer"),
    Made(15, "2026-10-17T10:00:00", 20, "0.0200"),
    Made(16, "2026-10-18T10:00:00", 60, "0.0600"),
]


def _line(number: int, start: str, seconds: int, amount: str, *, has_id: bool = True, currency: str = "USD") -> str:
    named = str(call_id(number)) if has_id else ""
    return f"V{number},{named},{start},{seconds},{OURS},{theirs(number)},outbound,{amount},{currency},usage,"


STATEMENT = "\n".join(
    [
        "line_id,call_id,started_at,duration_seconds,from_number,phone_number,direction,amount,currency,kind,description",
        _line(1, "2026-10-05 10:00:00", 60, "0.0600"),
        _line(2, "2026-10-06 10:00:40", 124, "0.1250", has_id=False),  # forty seconds late, one second short
        _line(3, "2026-10-07 10:00:00", 120, "0.1200"),
        _line(4, "2026-10-08 10:00:00", 100, "0.1500"),
        _line(5, "2026-10-09 10:00:00", 10, "0.0300"),
        _line(6, "2026-10-10 10:00:00", 45, "0.0450"),
        _line(7, "2026-10-11 10:00:00", 60, "0.0600"),
        _line(8, "2026-10-12 10:00:00", 30, "0.0300"),
        _line(9, "2026-10-13 10:00:00", 50, "0.0500"),
        _line(9, "2026-10-13 10:00:00", 50, "0.0500"),
        _line(11, "2026-10-15 10:00:00", 80, "0.0800"),
        _line(13, "2026-10-31 23:30:00", 60, "0.0600"),
        _line(15, "2026-10-17 10:00:00", 20, "0.0201"),
        _line(99, "2026-10-20 10:00:00", 110, "0.1100", has_id=False),
        _line(16, "2026-10-18 10:00:00", 60, "0.0500", currency="EUR"),
        ",,,,,,,5.00,USD,fee,Platform",
        ",,,,,,,0.95,USD,tax,VAT",
        ",,,,,,,-1.00,USD,credit,Goodwill",
        "",
    ]
)
CLASSES = {
    "exact": 4, "within_tolerance": 1, "only_on_statement": 1, "only_in_replica": 1, "duration_differs": 1, "rate_differs": 1,
    "minimum_charge": 1, "period_boundary": 2, "late_adjustment": 1, "cost_pending": 1, "zero_cost_connected": 1, "duplicate_line": 1,
    "deleted_but_billed": 1, "not_a_call": 3, "other_currency": 1,
}  # fmt: skip
"""Exact are calls 1, 2, 9 and 14, which has no cost and no line."""
BRIDGE = [
    ("our_sum", "0.7450"), ("pending", "0.7900"), ("late_adjustments", "0.8000"), ("period_boundary", "0.8000"), ("duration", "0.8300"),
    ("rate", "0.8800"), ("minimum_charge", "0.9000"), ("zero_cost", "0.9600"), ("duplicates", "1.0100"), ("only_on_statement", "1.1200"),
    ("only_in_replica", "1.0500"), ("deleted", "1.0500"), ("other_currency", "0.9900"), ("not_a_call", "5.9400"), ("residue", "5.9401"),
    ("lines_sum", "5.9401"), ("not_on_lines", "5.9401"), ("statement_total", "5.9401"),
]  # fmt: skip


@pytest.fixture
def october(database: Database, database_url: str, tmp_path: Path) -> Database:
    """The month: calls and the statement, not matched yet."""
    in_berlin(database_url)
    insert(database_url, CALLS)
    change(database_url, 11, "0.0700")
    bring(database, tmp_path / "october.csv", STATEMENT)
    return database


def match(database: Database, party: str = "vendor", period: str = "2026-10") -> month_matching.Matched:
    return month_matching.perform(database, ACCOUNT, party, period, "ann")


def test_the_month_is_classified_and_bridged_as_worked_out(october: Database) -> None:
    """Each class has the lines and calls of the text above, and each step leads to the sum written there."""
    done = match(october)
    assert done.classes == CLASSES
    assert [(step.code.value, step.running) for step in done.steps] == [(code, Decimal(sum_)) for code, sum_ in BRIDGE]
    found = showing.read(october, ACCOUNT, "2026-10").parties[0]
    assert {row["class"]: row["items"] for row in found.classes} == CLASSES
    assert [(row["step"], row["running_usd"]) for row in found.bridge] == [
        (code, Decimal(sum_)) for code, sum_ in BRIDGE
    ]
    # Each difference without its sign: 0.045 + 0.03 + 0.05 + 0.02 + 0.06 + 0.05 + 0.11 + 0.07 + 0.06.
    assert found.open_usd == Decimal("0.4950")
    assert not found.is_within(showing.SHARE)


def test_a_second_matching_says_the_same(october: Database) -> None:
    """Nothing is added, and the items of the matching before are gone."""
    first, again = match(october), match(october)
    assert first.classes == again.classes
    with october.connection() as connection:
        assert connection.execute("SELECT count(*) FROM billing.items").fetchone() == (sum(CLASSES.values()),)


def test_a_person_assigns_and_accepts(october: Database) -> None:
    """An assigned line matches its call; an accepted difference is no longer open, until it changes."""
    match(october)
    deciding.assign(october, ACCOUNT, "1:15", str(call_id(10)), "they called the wrong number by its alias", "ann")
    assert showing.read(october, ACCOUNT, "2026-10").parties[0].stale
    done = match(october)
    assert done.classes["rate_differs" if "only_in_replica" in done.classes else "duration_differs"] == 2
    assert "only_on_statement" not in done.classes
    before = showing.read(october, ACCOUNT, "2026-10").parties[0].open_usd
    deciding.accept(october, ACCOUNT, "1:5", "agreed in writing", "ann")
    assert showing.read(october, ACCOUNT, "2026-10").parties[0].open_usd == before - Decimal("0.05")
    change_rate = "UPDATE truedy.calls SET cost_usd = 0.11 WHERE id = %s"
    with october.transaction() as tx:
        tx.execute(change_rate, [call_id(4)])
    match(october)
    assert showing.read(october, ACCOUNT, "2026-10").parties[0].open_usd == before - Decimal("0.01")
    with pytest.raises(UnknownCall):
        deciding.assign(october, ACCOUNT, "1:15", str(call_id(4711)), "?", "ann")
    with pytest.raises(ConfigurationError, match="reason"):
        deciding.accept(october, ACCOUNT, "1:5", "  ", "ann")


def test_a_close_freezes_and_later_changes_are_corrections(october: Database, database_url: str) -> None:
    """A late cost is a row of the month in which it was seen; the frozen rows stay, and a new close states the month again."""
    prove(database_url)
    match(october)
    with pytest.raises(closing.NotReady, match="cost of 1 of 14"):
        closing.perform(october, ACCOUNT, "2026-10", "ann")
    closed = closing.perform(october, ACCOUNT, "2026-10", "ann", anyway="the board meets").close
    assert (closed.calls, closed.our_sum_usd, closed.statement_usd) == (15, Decimal("0.7450"), Decimal("5.9401"))
    assert not closing.perform(october, ACCOUNT, "2026-10", "ann").is_new
    change(database_url, 6, "0.0450")
    change(database_url, 1, "0.0500")
    insert(database_url, [Made(40, "2026-10-30T10:00:00", 30, "0.0300")])
    found = showing.read(october, ACCOUNT, "2026-10")
    assert found.close is not None
    assert found.is_whole
    assert {(row["change"], row["delta_usd"]) for row in found.changes} == {
        ("cost_changed", Decimal("0.0350")), ("moved_here", Decimal("0.0300")),
    }  # fmt: skip
    again = closing.perform(october, ACCOUNT, "2026-10", "bob", anyway="x", reopen="the vendor's audit").close
    assert (again.number, again.our_sum_usd, again.reason) == (2, Decimal("0.8100"), "the vendor's audit")
    with october.connection() as connection:
        rows = connection.execute(
            "SELECT close_number, present_sum_usd, late_changes FROM analytics.month_closes ORDER BY 1"
        )
        assert rows.fetchall() == [(1, Decimal("0.8100"), 3), (2, Decimal("0.8100"), 0)]
    with october.transaction() as tx:
        tx.execute("UPDATE billing.close_amounts SET amount_usd = 9 WHERE number = 2 AND call_id = %s", [call_id(1)])
    assert not showing.read(october, ACCOUNT, "2026-10").is_whole
    assert "THE FROZEN AMOUNTS WERE CHANGED" in wording.month(showing.read(october, ACCOUNT, "2026-10"), showing.SHARE)


def test_a_carrier_is_added_to_the_same_calls(october: Database, tmp_path: Path) -> None:
    """A carrier's records find their calls by numbers and times, and a call's cost is vendor and carrier together."""
    lines = [f"C{n},{start},{seconds},{OURS[1:]},{theirs(n)[1:]},0.0071,USD,usage" for n, start, seconds in (
        (1, "2026-10-05 10:00:01", 60), (2, "2026-10-06 10:00:00", 125), (98, "2026-10-07 11:00:00", 5)
    )]  # fmt: skip
    head = "line_id,started_at,duration_seconds,from_number,phone_number,amount,currency,kind\n"
    bring(october, tmp_path / "carrier.csv", head + "\n".join(lines) + "\n", party="twilio")
    done = match(october, "twilio")
    assert done.classes["only_on_statement"] == 1
    with october.connection() as connection:
        rows = connection.execute(
            "SELECT call_id, carrier_usd, all_parties_usd, carriers FROM analytics.call_cost_all_parties WHERE carrier_usd > 0 ORDER BY 1"
        ).fetchall()
    assert rows == [
        (call_id(1), Decimal("0.0071"), Decimal("0.0671"), "twilio"),
        (call_id(2), Decimal("0.0071"), Decimal("0.1321"), "twilio"),
    ]
