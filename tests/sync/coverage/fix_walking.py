"""A walk over a list that stands still, page by page: what it proves, what it shows and what it costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from replicator.sync.coverage.advance import advance
from replicator.sync.coverage.ledger import BEGINNING, Interval, Ledger
from replicator.sync.coverage.narrowing import fail
from replicator.sync.coverage.page import PAGE_LIMIT, Lane, Seen
from replicator.sync.coverage.walk import Walk

NOW = datetime(2026, 7, 1, tzinfo=UTC)


@dataclass
class Walked:
    """What came of a walk."""

    created: list[datetime]
    ledger: Ledger = field(default_factory=Ledger)
    requests: int = 0
    shown: set[int] = field(default_factory=set)
    """Rows that stood on an answered page."""


def walk_through(
    calls: int,
    poisoned: set[int] = frozenset(),  # type: ignore[assignment]
    *,
    tie: int = 1,
    offset: int = 0,
    most_rows: int = PAGE_LIMIT,
    has_total: bool = True,
    oldest_known: datetime | None = None,
) -> Walked:
    """Walk through a list of so many calls, `tie` to an instant, whose pages have at most so many rows."""
    done = Walked([NOW - timedelta(minutes=1 + number // tie) for number in range(calls)])
    walk: Walk | None = Walk(Lane.BACKFILL, Interval(BEGINNING, NOW), offset)
    while walk is not None:
        done.requests += 1
        assert done.requests < 100 * (1 + len(poisoned)) + 2 * calls, "it does not end"
        rows = range(walk.offset, min(walk.offset + min(walk.limit, most_rows), calls))
        if poisoned.intersection(rows):
            outcome = fail(walk)
        else:
            done.shown.update(rows)
            total = calls if has_total else None
            seen = Seen(tuple(done.created[row] for row in rows), walk.offset, total, NOW, NOW)
            outcome = advance(walk, seen, oldest_known=oldest_known)
        assert not outcome.is_unsorted, "a sorted list was taken for an unsorted one"
        walk = outcome.walk
        for piece in outcome.pieces:
            done.ledger = done.ledger.record(piece)
    return done
