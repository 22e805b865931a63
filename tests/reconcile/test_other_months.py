"""A call of one month on the statement of another: at the border it is settled, anywhere else it waits for a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from replicator.errors import ConfigurationError
from replicator.reconcile import closing, months, showing, wording
from replicator.reconcile.bridge import is_open
from replicator.reconcile.classes import Class, Note
from tests.reconcile.fix_month import ACCOUNT, OURS, Made, bring, call_id, insert, prove, theirs
from tests.reconcile.test_hand_made_month import match
from tests.reconcile.test_traps import OCTOBER, call, line
from tests.reconcile.test_traps import match as matched

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

HEAD = "line_id,call_id,started_at,duration_seconds,from_number,phone_number,amount,kind\n"


@pytest.mark.parametrize(
    ("day", "hour", "billed_in", "is_settled"),
    [
        (15, 12, "2026-11", False),  # in the middle, on the next statement
        (15, 12, "2027-05", False),
        (31, 12, "2026-11", True),
        (31, 12, "2026-09", False),  # at the other border
        (31, 12, "2027-05", False),  # at the border, on a statement of months away
        (1, 12, "2026-09", True),
        (1, 12, "2026-11", False),
        (30, 11, "2026-11", False),  # 37 hours before the border
        (30, 13, "2026-11", True),
    ],
)
def test_a_call_on_another_months_statement(day: int, hour: int, billed_in: str, is_settled: bool) -> None:
    """Only the month across a near border may have it; otherwise it is open, and says which month bills it."""
    ours = call(1, start=datetime(2026, 10, day, hour, tzinfo=UTC), billed_in=billed_in)
    (item,) = matched([], [ours])
    if is_settled:
        assert (item.kind, item.note) == (Class.PERIOD_BOUNDARY, None)
    else:
        assert (item.kind, item.note, item.candidates) == (Class.ONLY_IN_REPLICA, Note.BILLED_BEFORE, (billed_in,))
    assert is_open(item.kind, item.note) is not is_settled


@pytest.mark.parametrize("hours", range(-60, 61, 3))
def test_both_months_say_the_same(hours: int) -> None:
    """Whether November's statement may bill a call of October: October's side and November's are both settled, or both open."""
    november = months.month("2026-11", UTC)
    ours = call(1, start=OCTOBER.until + timedelta(hours=hours))
    if OCTOBER.holds(ours.billed_at):
        (there,) = matched([line(ours, 2, "0.10")], [ours], november)
        (here,) = matched([], [call(1, start=OCTOBER.until + timedelta(hours=hours), billed_in="2026-11")])
    else:
        (there,) = matched([line(ours, 2, "0.10")], [ours])
        (here,) = matched([], [call(1, start=OCTOBER.until + timedelta(hours=hours), billed_in="2026-10")], november)
    assert is_open(here.kind, here.note) is is_open(there.kind, there.note)
    assert (here.kind is Class.PERIOD_BOUNDARY) is (there.kind is Class.PERIOD_BOUNDARY)


def test_lines_imported_for_a_wrong_month_settle_nothing(database: Database, database_url: str, tmp_path: Path) -> None:
    """Half of October's lines were imported for July: October has open calls that name July, and does not close."""
    insert(database_url, [Made(n, f"2026-10-{n:02}T10:00:00", 60, "0.0600") for n in (5, 6, 31)])
    prove(database_url)
    lines = [f"L{n},{call_id(n)},2026-10-{n:02} 10:00:00,60,{OURS},{theirs(n)},0.0600,usage\n" for n in (5, 6, 31)]
    bring(database, tmp_path / "october.csv", HEAD + lines[0])
    bring(database, tmp_path / "july.csv", HEAD + lines[1] + lines[2], period="2026-07")
    assert match(database, period="2026-07").classes == {"late_adjustment": 2}
    assert match(database).classes == {"exact": 1, "only_in_replica": 2}
    found = showing.read(database, ACCOUNT, "2026-10")
    assert not found.is_within(showing.SHARE)
    assert wording.month(found, showing.SHARE).count("billed_before  on the statement of 2026-07") == 2
    with pytest.raises(closing.NotReady, match=r"0\.12 of 0\.06 US dollars are open"):
        closing.perform(database, ACCOUNT, "2026-10", "ann")
    # The same file for the right month takes the place of the one for July.
    bring(database, tmp_path / "july.csv", HEAD + lines[1] + lines[2])
    assert match(database).classes == {"exact": 3}
    assert closing.perform(database, ACCOUNT, "2026-10", "ann").close.doubts == []


def test_a_month_that_has_not_begun_has_no_statement(database: Database, tmp_path: Path) -> None:
    """A slip of the month is refused, and nothing is stored."""
    with pytest.raises(ConfigurationError, match="2199-05 has not begun") as caught:
        bring(database, tmp_path / "october.csv", HEAD + "L1,,,,,,5.00,fee\n", period="2199-05")
    assert "--period" in str(caught.value.hint)
    with database.connection() as connection:
        assert connection.execute("SELECT count(*) FROM billing.statements").fetchone() == (0,)


def test_a_month_begins_where_it_begins_first() -> None:
    """A party in Auckland writes November's first lines while it is October for us."""
    first = datetime(2026, 11, 1, tzinfo=UTC)
    auckland = ZoneInfo("Pacific/Auckland")
    assert not months.month("2026-11", UTC).has_begun(first - timedelta(seconds=1))
    assert months.month("2026-11", UTC).has_begun(first)
    assert months.month("2026-11", UTC, auckland).has_begun(first - timedelta(hours=12))
