"""An amount in another currency is in no sum, and never out of sight: it is open, shown, and keeps its month from closing."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from replicator.reconcile import closing, deciding, showing, wording
from replicator.reconcile.classes import Class
from replicator.reconcile.lines import Kind, Line
from replicator.report import figures
from tests.fix_commands import run
from tests.reconcile.fix_month import ACCOUNT, OURS, Made, bring, call_id, insert, prove, theirs
from tests.reconcile.test_hand_made_month import match
from tests.reconcile.test_traps import call, kinds, line
from tests.reconcile.test_traps import match as matched

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

HEAD = "line_id,call_id,started_at,duration_seconds,from_number,phone_number,amount,currency,kind,description\n"
BILLED = f"L1,{call_id(1)},2026-10-05 10:00:00,60,{OURS},{theirs(1)},0.0600,USD,usage,\n"
FEE = 'L2,,,,,,"€1,250.00",,fee,Platform fee\n'


@pytest.mark.parametrize("kind", list(Kind))
def test_whatever_it_charges_for(kind: Kind) -> None:
    """A fee, a tax, a credit or a discount in euros is no step of dollars, and waits for a person."""
    ours = call(1)
    items = matched([line(ours, 2, "0.10"), (1, Line(3, amount=Decimal(1250), currency="EUR", kind=kind))], [ours])
    assert kinds(items) == {Class.EXACT: 1, Class.OTHER_CURRENCY: 1}


def test_equal_figures_in_another_currency_are_not_the_same_amount() -> None:
    """Of two calls that only their amounts tell apart, the line in euros does not take the one that the dollars bill; without
    numbers it takes none at all, and in no sum is it added up.
    """
    cheap, dear = (call(n, cost, phone_number="+4915") for n, cost in ((1, "0.10"), (2, "0.30")))
    lines = [line(cheap, 2, "0.30", by_id=False, currency="EUR"), line(dear, 3, "0.30", by_id=False)]
    found = {item.line: (item.kind, item.call) for item in matched(lines, [cheap, dear])}
    assert found == {(1, 2): (Class.OTHER_CURRENCY, cheap.id), (1, 3): (Class.EXACT, dear.id)}
    nameless = line(cheap, 2, "0.10", by_id=False, currency="EUR", from_number=None, phone_number=None)
    assert kinds(matched([nameless], [cheap])) == {Class.OTHER_CURRENCY: 1, Class.ONLY_IN_REPLICA: 1}
    billed, other = call(3), call(4, "0.20")
    rest = (2, Line(4, amount=Decimal("0.20")))
    euros = (3, Line(5, amount=Decimal("12.00"), currency="EUR"))
    items = matched([line(billed, 2, "0.10"), rest, (2, line(billed, 6, "0.10")[1]), euros], [billed, other])
    assert kinds(items)[Class.EXACT] == 2


@pytest.fixture
def october(database: Database, database_url: str, tmp_path: Path) -> Database:
    """A proven month: its only call is billed as it cost, and a fee is in euros."""
    insert(database_url, [Made(1, "2026-10-05T10:00:00", 60, "0.0600")])
    prove(database_url)
    bring(database, tmp_path / "october.csv", HEAD + BILLED + FEE)
    return database


def test_a_fee_in_euros_keeps_the_month_open_until_it_is_accepted(october: Database) -> None:
    """It is said with its amount wherever the month is, and the tolerance of a share of dollars is none for euros."""
    done = match(october)
    assert done.classes == {"exact": 1, "other_currency": 1}
    assert "in none of these sums: 1,250.00 EUR on 1 line" in wording.matched(done)
    assert done.as_dict()["other_currencies"][0]["amount"] == "1250.00"
    found = showing.read(october, ACCOUNT, "2026-10")
    assert not found.is_within(Decimal(1))
    text = wording.month(found, showing.SHARE)
    assert "other_currency: 1 open, 0.00 and 1,250.00 EUR on 1 line." in text
    assert "1:3  other_currency  +0.00  the line says 1,250.00 EUR" in text
    assert "open: 0.00 of 0.06, and 1,250.00 EUR on 1 line, ABOVE the tolerance" in text
    with pytest.raises(closing.NotReady, match=r"not accepted: 1,250\.00 EUR on 1 line"):
        closing.perform(october, ACCOUNT, "2026-10", "ann")
    (row,) = figures.read(october, ACCOUNT, 7).reconciled
    assert (row.open_items, row.open_usd, row.open_other) == (1, 0, "1250 EUR")
    deciding.accept(october, ACCOUNT, "1:3", "the contract is in euros", "ann")
    assert figures.read(october, ACCOUNT, 7).reconciled[0].open_other is None
    found = showing.read(october, ACCOUNT, "2026-10")
    assert found.is_within(showing.SHARE)
    assert "in none of these sums: 1,250.00 EUR on 1 line" in wording.month(found, showing.SHARE)
    assert closing.perform(october, ACCOUNT, "2026-10", "ann").close.doubts == []


def test_it_can_be_closed_anyway(october: Database) -> None:
    """The objection is kept with the close."""
    match(october)
    (doubt,) = closing.perform(october, ACCOUNT, "2026-10", "ann", anyway="the contract is in euros").close.doubts
    assert "1,250.00 EUR" in doubt


def test_a_matching_of_before_does_not_hide_it(october: Database) -> None:
    """A release that took the fee for no call stored it so: it keeps the month open all the same."""
    match(october)
    with october.transaction() as tx:
        tx.execute("UPDATE billing.items SET class = 'not_a_call', is_open = false WHERE line = 3")
    assert not showing.read(october, ACCOUNT, "2026-10").is_within(showing.SHARE)
    with pytest.raises(closing.NotReady, match="EUR"):
        closing.perform(october, ACCOUNT, "2026-10", "ann")


def test_a_total_in_euros_that_no_line_has_is_open(database: Database, database_url: str, tmp_path: Path) -> None:
    """What the file says of itself in another currency, beyond its lines."""
    insert(database_url, [Made(1, "2026-10-05T10:00:00", 60, "0.0600")])
    prove(database_url)
    bring(database, tmp_path / "october.csv", HEAD + BILLED + "Total,,,,,,80.00,EUR,,\n")
    assert "80.00 EUR in the statement's own total, on no line" in wording.matched(match(database))
    with pytest.raises(closing.NotReady, match=r"80\.00 EUR in the statement's own total"):
        closing.perform(database, ACCOUNT, "2026-10", "ann")


@pytest.mark.slow
def test_a_file_of_disputes_says_what_it_leaves_out(october: Database, database_url: str, tmp_path: Path) -> None:
    """A line in euros is not compared with our costs, so it is no claim; nor is it forgotten."""
    match(october)
    done = run(
        "reconcile", "disputes", "--period", "2026-10", "--output", "d.csv", cwd=tmp_path, DATABASE_URL=database_url
    )
    assert "d.csv: 0 lines" in done.stdout
    assert "left out, because it is in another currency: 1,250.00 EUR on 1 line" in done.stdout
