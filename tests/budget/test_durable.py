"""The books of a budget in the database: what is charged there survives a transaction that breaks off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from replicator.budget.durable import DurableBudget, Limits
from replicator.budget.rules import Completion
from replicator.errors import RateLimited
from replicator.store import budgets

if TYPE_CHECKING:
    from replicator.store.database import Database

NOW = datetime(2026, 5, 1, 12, 0, 59, tzinfo=UTC)


class Broken(Exception):
    """The connection broke before the commit."""


def test_what_is_owed_is_written_again_where_a_transaction_breaks_off(database: Database) -> None:
    """An answer that came in a later window is charged to that one too: also where the first try to write this fails."""
    key_budget = DurableBudget(database, "default", "a key", Limits(100))
    key_budget.load(NOW)
    assert key_budget.charge(NOW, 1)
    key_budget.completed([Completion(NOW, NOW + timedelta(seconds=90), NOW + timedelta(seconds=90))])

    def write() -> None:
        with database.transaction() as tx:
            key_budget.save(tx)
            raise Broken

    with pytest.raises(Broken):
        write()
    with database.transaction() as tx:
        key_budget.save(tx)
    key_budget.saved()
    with database.connection() as connection:
        stored = budgets.load_budget(connection, key_budget.key)
    assert dict(stored.charged) == key_budget.budget.charged
    assert stored.offset_low_seconds is not None
    with database.transaction() as tx:
        key_budget.save(tx)  # and not a second time
    with database.connection() as connection:
        assert budgets.load_budget(connection, key_budget.key) == stored


def test_a_killed_processs_requests_count_though_another_process_is_faster(database: Database) -> None:
    """What may still arrive is stored with the next batch only; until then this process keeps it in mind, also where it has to
    read the books again.
    """
    ours, theirs = (DurableBudget(database, "default", "a key", Limits(100, 60.0, 0.0)) for _ in range(2))
    for one in (ours, theirs):
        one.load(NOW)
        one.completed([Completion(NOW, NOW, NOW)])
    ours.assume_lost(NOW, 8)
    assert theirs.charge(NOW, 95)
    assert not ours.charge(NOW, 10)
    assert ours.free(NOW) == 0
    with database.transaction() as tx:
        ours.save(tx)
    ours.saved()
    theirs.load(NOW)
    assert theirs.free(NOW) == 0


def test_the_stored_offset_stays_until_an_answer_shows_it(database: Database) -> None:
    """In memory it is a second wider on each side, as our clock may have been changed. A process that got no answer stores it as
    it was: a source that is down for an hour would else make it a minute wide, and no window could be told from the next.
    """
    first = DurableBudget(database, "default", "a key", Limits(100))
    first.load(NOW)
    first.completed([Completion(NOW, NOW, NOW + timedelta(seconds=1.1))])
    with database.transaction() as tx:
        first.save(tx)
    with database.connection() as connection:
        stored = budgets.load_budget(connection, first.key)
    for _ in range(3):
        later = DurableBudget(database, "default", "a key", Limits(100))
        later.load(NOW)
        assert later.budget.clock is not None
        assert later.budget.clock.high > timedelta(seconds=2)
        later.completed([Completion(NOW, NOW, None)])
        with database.transaction() as tx:
            later.save(tx)
    with database.connection() as connection:
        after = budgets.load_budget(connection, first.key)
    assert (after.offset_low_seconds, after.offset_high_seconds) == (
        stored.offset_low_seconds,
        stored.offset_high_seconds,
    )


def saved(database: Database, *budgets_: DurableBudget) -> None:
    """Store what these budgets learned, one after the other."""
    for one in budgets_:
        with database.transaction() as tx:
            one.save(tx)
        one.saved()


def pair(database: Database) -> tuple[DurableBudget, DurableBudget]:
    """Return the budgets of two processes with the same key, both with an answer."""
    ours, theirs = (DurableBudget(database, "default", "a key", Limits(100, 60.0, 0.0)) for _ in range(2))
    for one in (ours, theirs):
        one.load(NOW)
        one.completed([Completion(NOW, NOW, NOW + timedelta(microseconds=1))])
    return ours, theirs


def test_a_refusal_of_one_process_counts_for_all(database: Database) -> None:
    """Another process that stores its own state does not wipe it out, finds it before its next request, and uses the lower
    limit that it named; as does a process that begins.
    """
    ours, theirs = pair(database)
    theirs.refused(NOW, RateLimited("refused", reset_at=NOW + timedelta(seconds=61), limit=60))
    saved(database, theirs, ours)
    assert not ours.charge(NOW, 1)
    begun = DurableBudget(database, "default", "a key", Limits(100, 60.0, 0.0))
    begun.load(NOW)
    later = NOW + timedelta(seconds=62)
    for one in (ours, theirs, begun):
        assert one.free(NOW) == one.free(NOW + timedelta(seconds=60)) == 0
        assert one.budget.limit == 60
    saved(database, begun, ours, theirs)
    assert (ours.free(later), theirs.free(later)) == (60, 60)
    assert ours.charge(later, 50)


def test_a_refusal_that_is_not_stored_yet_outlives_a_look_at_the_books(database: Database) -> None:
    """What is stored is of an earlier refusal, without a limit; our own one is later."""
    ours, theirs = pair(database)
    theirs.refused(NOW - timedelta(minutes=30), RateLimited("refused", reset_at=NOW - timedelta(minutes=29)))
    saved(database, theirs)
    ours.refused(NOW, RateLimited("refused", reset_at=NOW + timedelta(seconds=61), limit=60))
    ours.load(NOW)
    assert ours.free(NOW + timedelta(seconds=60)) == 0
    assert ours.budget.limit == 60


def test_a_refusal_under_a_clock_hours_ahead_does_not_stop_the_others(database: Database) -> None:
    """It cannot be of our clock, so it is passed over; a refusal of today is stored in its place."""
    ours, theirs = pair(database)
    ahead = NOW + timedelta(hours=26)
    theirs.load(ahead)
    theirs.refused(ahead, RateLimited("refused", reset_at=ahead + timedelta(seconds=30)))
    saved(database, theirs)
    ours.load(NOW)
    assert ours.free(NOW) > 0
    assert ours.charge(NOW, 1)
    ours.refused(NOW, RateLimited("refused", reset_at=NOW + timedelta(seconds=61)))
    saved(database, ours)
    begun = DurableBudget(database, "default", "a key", Limits(100, 60.0, 0.0))
    begun.load(NOW)
    assert begun.free(NOW + timedelta(seconds=60)) == 0
    assert begun.free(NOW + timedelta(seconds=62)) > 0


def test_what_straddles_a_border_leaves_room_in_the_next_window(database: Database) -> None:
    """Requests of ours that may arrive in the next window are not stored there before they are answered: we charge less to it,
    so that what another process charged meanwhile fits beside them.
    """
    ours, theirs = pair(database)
    assert ours.charge(NOW, 8)
    after = NOW + timedelta(seconds=2)
    assert theirs.charge(after, 60)
    assert not ours.charge(after, 35)
    assert ours.free(after) == 32
    assert ours.charge(after, 32)
