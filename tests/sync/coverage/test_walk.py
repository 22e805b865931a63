"""A walk alone, over a list that stands still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from replicator.store.doubts import Doubt
from replicator.sync.coverage.advance import advance
from replicator.sync.coverage.ledger import BEGINNING, Interval, Ledger
from replicator.sync.coverage.narrowing import fail
from replicator.sync.coverage.page import Lane, Seen
from replicator.sync.coverage.walk import Advance, Walk

pytestmark = pytest.mark.pure


NOW = datetime(2026, 7, 1, tzinfo=UTC)


def walk_through(calls: int, poisoned: set[int], *, tie: int = 1) -> tuple[Ledger, int]:
    """Walk through a list of so many calls, `tie` to an instant; return what is covered, and the requests that it took."""
    created = [NOW - timedelta(minutes=1 + number // tie) for number in range(calls)]
    walk: Walk | None = Walk(Lane.BACKFILL, Interval(BEGINNING, NOW), 0)
    ledger, requests = Ledger(), 0
    while walk is not None:
        requests += 1
        assert requests < 100 * (1 + len(poisoned)) + calls, "it does not end"
        rows = range(walk.offset, min(walk.offset + walk.limit, calls))
        if poisoned.intersection(rows):
            outcome = fail(walk)
        else:
            seen = Seen(tuple(created[row] for row in rows), walk.offset, calls, NOW, NOW)
            outcome = advance(walk, seen, oldest_known=None)
        assert not outcome.is_unsorted, "a sorted list was taken for an unsorted one"
        ledger, walk = _recorded(ledger, outcome), outcome.walk
    return ledger, requests


def _recorded(ledger: Ledger, outcome: Advance) -> Ledger:
    for piece in outcome.pieces:
        ledger = ledger.record(piece)
    return ledger


def test_many_rows_that_cannot_be_read_make_no_list_unsorted() -> None:
    """Each of fifty rows is left out alone; all that lies between is proven, and the walk comes to the list's end."""
    poisoned = set(range(10, 2010, 40))
    ledger, requests = walk_through(2020, poisoned)
    unsure = [piece for piece in ledger.pieces if not piece.is_proven]
    assert len(unsure) == len(poisoned)
    assert {piece.reason for piece in unsure} == {Doubt.UNREADABLE}
    assert not ledger.holes(Interval(BEGINNING, NOW - timedelta(minutes=1)))
    assert requests <= 35 * len(poisoned)


def test_a_row_that_cannot_be_read_beside_ties() -> None:
    """Wherever it stands among calls of one instant, the walk ends, and only what lies beside it is unsure."""
    for tie in (2, 3, 7):
        for row in range(40, 40 + 2 * tie):
            ledger, _ = walk_through(200, {row}, tie=tie)
            unsure = [piece for piece in ledger.pieces if not piece.is_proven]
            assert 1 <= len(unsure) <= 2, (tie, row)
            assert sum((piece.until - piece.since for piece in unsure), timedelta()) <= timedelta(minutes=3), (tie, row)
