"""What a month is closed from: its bounds, what speaks against closing, and the hash of what is frozen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from replicator.errors import ConfigurationError
from replicator.reconcile import frozen, months, readiness
from replicator.reconcile.readiness import State

pytestmark = pytest.mark.pure

OCTOBER = months.month("2026-10", ZoneInfo("Europe/Berlin"))
LATER = datetime(2026, 11, 5, tzinfo=UTC)
READY = State(
    now=LATER, pieces=[(None, LATER, True)], calls=5000, pending=0, expected=4000, statements=[3], matched_statements=[3], unreadable=0,
    calls_as_matched=(5000, LATER), calls_changed_at=LATER,
)  # fmt: skip


def test_a_month_has_an_hour_more_where_the_clocks_go_back() -> None:
    assert OCTOBER.until - OCTOBER.since == timedelta(days=31, hours=1)
    assert months.month("2026-12", UTC).until == datetime(2027, 1, 1, tzinfo=UTC)
    assert months.of(datetime(2026, 9, 30, 22, tzinfo=UTC), ZoneInfo("Europe/Berlin")) == "2026-10"


@pytest.mark.parametrize("name", ["2026-13", "2026-1", "october", "2026-10 ", "0000-01", "9999-12", "\uff12026-10"])
def test_another_form_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        months.month(name, UTC)


def test_a_month_that_is_proven_matched_and_known_can_be_closed() -> None:
    assert readiness.doubts(READY, OCTOBER) == []
    assert readiness.doubts(replace(READY, pending=4), OCTOBER) == []


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"now": OCTOBER.until - timedelta(seconds=1)}, "not over"),
        ({"pieces": []}, "not proven"),
        ({"pieces": [(None, LATER, False)]}, "not proven"),
        ({"pieces": [(None, OCTOBER.since + timedelta(days=3), True), (OCTOBER.since + timedelta(days=4), LATER, True)]}, "not proven"),
        ({"pending": 5}, "cost of 5 of 4000"),
        ({"statements": []}, "no statement"),
        ({"matched_statements": None}, "not matched"),
        ({"statements": [3, 4]}, "other statements"),
        ({"calls": 5001}, "calls have changed"),
        ({"calls_changed_at": LATER + timedelta(seconds=1)}, "calls have changed"),
        ({"given_up": 3}, "3 costs were given up"),
        ({"last_decision": 7}, "assigned"),
        ({"unreadable": 2}, "2 lines"),
    ],
)  # fmt: skip
def test_each_doubt_is_named(changed: dict[str, object], word: str) -> None:
    """One thing is wrong, and one sentence says it."""
    (found,) = readiness.doubts(replace(READY, **changed), OCTOBER)  # type: ignore[arg-type]
    assert word in found


def test_the_hash_is_of_the_text_that_the_module_describes() -> None:
    """Anybody can compute it again from the frozen rows; each digit that matters changes it, and no other zero."""
    one, two = UUID(int=1), UUID(int=2)
    rows = [(one, Decimal("0.0600"), "known"), (two, None, "pending")]
    text = f"truedy-month-close-1\n2026-10 1 2\n{one} 0.06 known\n{two} - pending\n"
    assert frozen.digest("2026-10", 1, rows) == hashlib.sha256(text.encode()).hexdigest()
    same = [(one, Decimal("0.06"), "known"), rows[1]]
    assert frozen.digest("2026-10", 1, same) == frozen.digest("2026-10", 1, rows)
    other = [(one, Decimal("0.0601"), "known"), rows[1]]
    assert frozen.digest("2026-10", 1, other) != frozen.digest("2026-10", 1, rows)
    assert [frozen.plain(Decimal(text)) for text in ("0", "-0.00", "1E+3", "10", "0.10", "-2.50")] == [
        "0",
        "0",
        "1000",
        "10",
        "0.1",
        "-2.5",
    ]


def test_an_archive_record_names_the_frozen_amounts() -> None:
    said = json.loads(frozen.record("main", "2026-10", 1, "ab", Decimal("1.50"), None, LATER, "ann", "an audit"))
    assert (said["kind"], said["amounts_sha256"], said["our_sum_usd"], said["statement_usd"]) == (
        "month_close",
        "ab",
        "1.5",
        "-",
    )
