"""What the source says of time, and how far it is believed: `updated_at`, `created_at` and its clock. Pure, and with the database."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from replicator.records import Call, Page
from replicator.source.parsing import parse_row
from replicator.store import stored_calls
from replicator.sync.content.calls import Observation, settle
from replicator.sync.coverage.ledger import EVERYTHING, Interval, Ledger, Piece, RenewalPolicy, RenewalRule
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.walk import Walk
from replicator.sync.engine.position import believed_clock, placed
from replicator.sync.protocol.requests import Outcome, Request

if TYPE_CHECKING:
    from replicator.store.database import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID("44ec8f61-6d9a-4553-a6ca-777f5f5ef95b")
YEARS = timedelta(days=40_000)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def seen(cost: str, updated: datetime | None, asked: float, *, server_time: datetime | None = None) -> Observation:
    stamp = None if updated is None else updated.isoformat()
    call = parse_row(
        json.dumps({"id": str(ID), "cost_usd": cost, "created_at": at(0).isoformat(), "updated_at": stamp}).encode()
    )
    assert isinstance(call, Call)
    return Observation(call, at(asked), server_time=server_time)


def cost_after(database: Database, *sights: Observation) -> tuple[str, int]:
    """Store one look after the other; return the cost that is stored and how many contents are kept."""
    for one in sights:
        with database.transaction() as tx:
            settled = settle(stored_calls.known_calls(tx, "default", [ID]), [one])
            stored_calls.write_calls(tx, "default", settled.calls, settled.versions)
            stored_calls.note_conflicts(tx, "default", settled.conflicts)
    with database.connection() as connection:
        cost = connection.execute("SELECT cost_usd::text FROM truedy.calls").fetchall()[0][0]
        kept = connection.execute("SELECT count(DISTINCT fingerprint) FROM truedy.call_versions").fetchall()[0][0]
    return cost, kept


def conflicts(database: Database) -> list[bool]:
    """Return, for each conflict that is noted, whether the later look is believed."""
    with database.connection() as connection:
        rows = connection.execute("SELECT believed_at IS NOT NULL FROM replicator.stamp_conflicts").fetchall()
    return [row[0] for row in rows]


def quality(database: Database, rule: str) -> int:
    with database.connection() as connection:
        return int(
            connection.execute(
                "SELECT coalesce(sum(calls), 0) FROM analytics.data_quality WHERE rule = %s", [rule]
            ).fetchall()[0][0]
        )


def test_a_stamp_of_the_future_freezes_nothing(database: Database) -> None:
    """A call that once showed 2099 and then today's stamp has today's content; both are kept, and it is said."""
    first = seen("0.50", NOON + YEARS, 1)
    assert cost_after(database, first) == ("0.50", 1)
    assert quality(database, "updated in the future") == 1
    assert cost_after(database, first, seen("0.75", at(2), 3)) == ("0.75", 2)
    assert quality(database, "updated in the future") == 0
    assert conflicts(database) == [True]
    assert quality(database, "updated_at went back") == 1


def test_stamps_of_the_future_are_ordered_by_our_looks(database: Database) -> None:
    """Where all stamps lie in the future, or one does, the look that was asked later counts; an earlier one is late."""
    assert cost_after(
        database, seen("0.1", NOON + YEARS, 1), seen("0.2", NOON + 2 * YEARS, 5), seen("0.3", NOON + YEARS, 9)
    ) == ("0.3", 3)
    assert cost_after(database, seen("0.4", NOON + 3 * YEARS, 7)) == ("0.3", 4)


def test_a_stamp_that_went_back_is_believed_when_it_is_shown_again(database: Database) -> None:
    """One such answer may come out of a stale cache; a second look that shows it too is what the source has."""
    newer, older = seen("0.75", at(60), 61), seen("0.25", at(30), 70)
    assert cost_after(database, newer, older) == ("0.75", 2)
    assert conflicts(database) == [False]
    assert quality(database, "updated_at went back") == 0
    assert cost_after(database, replace(older, asked_at=at(71))) == ("0.25", 2)
    assert conflicts(database) == [True]
    assert quality(database, "updated_at went back") == 1


def test_one_stale_answer_overwrites_nothing(database: Database) -> None:
    """Between two answers that are right, one that shows an older content is late, and the conflict is not believed."""
    newer, stale = seen("0.75", at(60), 61), seen("0.25", at(30), 70)
    assert cost_after(database, newer, stale, replace(newer, asked_at=at(71)), replace(newer, asked_at=at(72))) == (
        "0.75",
        2,
    )
    assert conflicts(database) == [False]


def test_a_slow_answer_overwrites_nothing(database: Database) -> None:
    """A look that was asked before the stored one and shows an earlier stamp is late, however often it is told."""
    assert cost_after(database, seen("0.75", at(60), 61), *[seen("0.25", at(30), 60)] * 3) == ("0.75", 2)
    assert conflicts(database) == []


def outcome(page: Page) -> Outcome:
    request = Request(Lane.FRESH, 0, at(0), Walk(Lane.FRESH, EVERYTHING, 0))
    return Outcome(request, at(0), at(0), page.server_time, page=page)


@pytest.mark.parametrize(
    ("server_time", "ahead", "is_placed"),
    [(at(0), 4, True), (at(0), 6, False), (at(30), 34, True), (at(-30), 4, True), (None, 600, True), (None, 1500, False),
     (NOON + YEARS, 600, True), (NOON + YEARS, 1500, False)],
)  # fmt: skip
def test_a_row_of_the_future_stands_nowhere(server_time: datetime | None, ahead: float, is_placed: bool) -> None:
    """Else all that is created until then would count as read. Without a clock that can be, a day ahead of ours is allowed."""
    page = Page((), (), (at(ahead), at(-5)), 0, 100, 2, None, server_time)
    assert placed(page, outcome(page)) == (at(ahead) if is_placed else None, at(-5))


@pytest.mark.parametrize(
    ("server_time", "expected"), [(at(9), at(0)), (at(-9), at(-9)), (None, None), (NOON + YEARS, at(0))]
)
def test_nothing_is_proven_of_a_time_that_has_not_come(server_time: datetime | None, expected: datetime | None) -> None:
    """The earlier of the two clocks, whichever is wrong."""
    page = Page((), (), (), 0, 100, 0, None, server_time)
    assert believed_clock(page, outcome(page)) == expected


def test_a_stretch_is_not_due_again_in_the_run_that_looked_at_it() -> None:
    """A policy that is faster than the source can be read does not keep a run from ending: five minutes lie between two looks."""
    policy = RenewalPolicy((RenewalRule(timedelta(days=36_500), timedelta(seconds=1)),))
    ledger = Ledger((Piece(at(-60), at(-30), at(0)),))
    whole = Interval(at(-60), at(-30))
    assert ledger.due(at(1), policy) == whole
    assert ledger.due(at(1), policy, begun_at=at(0.5)) == whole
    assert ledger.due(at(1), policy, begun_at=at(-1)) is None
    assert ledger.due(at(6), policy, begun_at=at(-1)) == whole
